//! The shortest part of a script that still does what is asked of it.

use crate::script::Script;

/// Takes acts away, first many at once and at last one by one, as long as
/// `still` holds.
pub fn shrink(script: &Script, mut still: impl FnMut(&Script) -> bool) -> Script {
    let mut best = script.clone();
    let mut piece = best.acts.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < best.acts.len() {
            let mut shorter = best.clone();
            let end = (at + piece).min(shorter.acts.len());
            shorter.acts.drain(at..end);
            match still(&shorter) {
                true => best = shorter,
                false => at += piece,
            }
        }
        if piece == 1 {
            return best;
        }
        piece = piece.div_ceil(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::Act;

    #[test]
    fn what_is_needed_is_left() {
        let acts = (0..50).map(|ms| Act::Advance { ms });
        let script = Script {
            acts: acts.collect(),
        };
        let needed = |script: &Script, ms| script.acts.contains(&Act::Advance { ms });
        let shrunk = shrink(&script, |script| needed(script, 7) && needed(script, 41));
        let left = [Act::Advance { ms: 7 }, Act::Advance { ms: 41 }];
        assert_eq!(shrunk.acts, left);
    }
}
