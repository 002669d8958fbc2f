//! Random numbers that a seed repeats: SplitMix64, which is ten lines and good enough
//! to choose command lines by.

#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// One stream for each sequence, so that a sequence can be drawn without those before.
    pub fn new(seed: u64, sequence: u32) -> Self {
        let mut draw = Draw(seed ^ u64::from(sequence).wrapping_mul(0xd134_2543_de82_ef95));
        draw.next();
        draw
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`, both included.
    pub fn between(&mut self, least: usize, most: usize) -> usize {
        let width = most.saturating_sub(least) as u64 + 1;
        least + (self.next() % width) as usize
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.between(1, 100) <= chance
    }

    /// One of several; the list is never empty.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.between(0, choices.len() - 1)].clone()
    }

    /// The index of one of these weights, each as likely as it is heavy.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.between(1, weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left <= *weight {
                return index;
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_sequences_differ() {
        let numbers = |seed, sequence| {
            let mut draw = Draw::new(seed, sequence);
            [draw.next(), draw.next()]
        };

        assert_eq!(numbers(7, 3), numbers(7, 3));
        assert_ne!(numbers(7, 3), numbers(7, 4));
        assert_ne!(numbers(7, 3), numbers(8, 3));
    }

    #[test]
    fn weights_of_nothing_are_never_drawn() {
        let mut draw = Draw::new(1, 1);
        assert!((0..200).all(|_| draw.weighted(&[0, 3, 0, 1]) % 2 == 1));
    }
}
