//! "Did you mean": the nearest known word.

/// More edits than this make another word, not a slip.
const MAX_EDITS: usize = 2;

/// The known word that a mistyped one most likely stands for.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let candidates = known.iter().map(|k| (edits(word, k), *k));
    let (distance, nearest) = candidates.min()?;
    let limit = MAX_EDITS.min(nearest.len() / 2);
    (distance <= limit).then_some(nearest)
}

/// Insertions, deletions, replacements and swaps of neighbours between words.
fn edits(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=from.len() {
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if swapped {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_only() {
        let known = ["outer", "inner", "vips", "masquerade"];
        assert_eq!(nearest("outre", &known), Some("outer"));
        assert_eq!(nearest("vip", &known), Some("vips"));
        assert_eq!(nearest("mascarade", &known), None);
        assert_eq!(nearest("masqerade", &known), Some("masquerade"));
        assert_eq!(nearest("gateway", &known), None);
    }
}
