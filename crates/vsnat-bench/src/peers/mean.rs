//! The mean of ratios.

/// The only fair one: twice and half make one. Of nothing it is nothing.
pub fn geometric(ratios: impl IntoIterator<Item = f64>) -> Option<f64> {
    let logarithms: Vec<f64> = ratios.into_iter().map(f64::ln).collect();
    if logarithms.is_empty() {
        return None;
    }
    let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
    Some(mean.exp())
}

#[cfg(test)]
mod tests {
    use super::geometric;

    #[test]
    fn twice_and_half_make_one() {
        let mean = geometric([2.0, 0.5, 1.0]).unwrap();
        assert!((mean - 1.0).abs() < 1e-9);
        assert_eq!(geometric([]), None);
    }
}
