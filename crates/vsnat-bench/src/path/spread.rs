//! The middle of many measurements, and how far they lie apart.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    /// A tenth lies below.
    pub low: f64,
    /// A tenth lies above.
    pub high: f64,
}

impl Spread {
    /// Of nothing it is nothing.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Spread {
            median: quantile(&sorted, 0.5)?,
            low: quantile(&sorted, 0.1)?,
            high: quantile(&sorted, 0.9)?,
        })
    }

    /// Of the quotients of what was measured side by side: what disturbed both
    /// is in neither.
    pub fn of_ratios(values: &[f64], baseline: &[f64]) -> Option<Self> {
        let pairs = values.iter().zip(baseline);
        let ratios: Vec<f64> = pairs.map(|(value, base)| value / base).collect();
        Self::of(&ratios)
    }
}

/// Between the two values next to the place.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let (low, high) = (sorted.get(below)?, sorted.get(above)?);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_middle_and_the_tenths() {
        let values: Vec<f64> = (0..=10).rev().map(f64::from).collect();
        let spread = Spread::of(&values).unwrap();
        assert_eq!((spread.low, spread.median, spread.high), (1.0, 5.0, 9.0));
        assert_eq!(Spread::of(&[1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        // The machine was twice as slow in the second round.
        let spread = Spread::of_ratios(&[90.0, 180.0, 95.0], &[100.0, 200.0, 100.0]).unwrap();
        assert_eq!((spread.low, spread.median), (0.9, 0.9));
    }
}
