//! A set of measured times.

/// Nanoseconds a packet, in the order of size.
#[derive(Clone, Debug)]
pub struct Sample {
    sorted_ns: Vec<u32>,
}

impl Sample {
    pub fn new(mut ns: Vec<u32>) -> Self {
        ns.sort_unstable();
        Sample { sorted_ns: ns }
    }

    pub fn median_ns(&self) -> u32 {
        self.quantile_ns(50)
    }

    /// The time that so many percent of the runs stay below.
    pub fn quantile_ns(&self, percent: usize) -> u32 {
        let last = self.sorted_ns.len().saturating_sub(1);
        let place = last * percent.min(100) / 100;
        self.sorted_ns.get(place).copied().unwrap_or(0)
    }

    pub fn runs(&self) -> usize {
        self.sorted_ns.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn quantiles_are_of_the_sorted_runs() {
        let sample = Sample::new(vec![5, 1, 4, 2, 3]);
        assert_eq!(sample.median_ns(), 3);
        assert_eq!(sample.quantile_ns(0), 1);
        assert_eq!(sample.quantile_ns(100), 5);
        assert_eq!(Sample::new(Vec::new()).median_ns(), 0);
    }
}
