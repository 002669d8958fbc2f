//! Numbers as people read them.

/// With thousands set apart: 100,000.
pub(super) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With two decimals and thousands set apart: 1,234.57.
pub(super) fn decimal(number: f64) -> String {
    let rounded = format!("{:.2}", number.abs());
    let (integer, fraction) = rounded.split_once('.').unwrap_or((&rounded, "00"));
    let sign = if number < 0.0 { "-" } else { "" };
    let integer = integer.parse().map_or_else(|_| integer.to_owned(), whole);
    format!("{sign}{integer}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1234567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(whole(number), text);
        }
        assert_eq!(decimal(1234.567), "1,234.57");
        assert_eq!(decimal(-0.5), "-0.50");
    }
}
