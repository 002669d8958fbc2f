//! Rates and times as an administrator writes and reads them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Bytes in a second, more than none.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ByteRate(f64);

/// Nanoseconds, more than none.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Nanoseconds(f64);

/// How rates are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// kB, MB, GB: thousands.
    Decimal,
    /// KiB, MiB, GiB: 1,024 each, as the original counts.
    Binary,
}

const DECIMAL: f64 = 1_000.0;
const BINARY: f64 = 1_024.0;
const BITS: f64 = 8.0;

/// Suffixes of rates, and the bytes of each. Small and large letters differ in
/// b and B only.
const RATE_UNITS: [(&str, f64); 12] = [
    ("b", 1.0 / BITS),
    ("kb", 1e3 / BITS),
    ("mb", 1e6 / BITS),
    ("gb", 1e9 / BITS),
    ("B", 1.0),
    ("kB", 1e3),
    ("mB", 1e6),
    ("gB", 1e9),
    ("kiB", BINARY),
    ("miB", BINARY * BINARY),
    ("giB", BINARY * BINARY * BINARY),
    ("tB", 1e12),
];

const TIME_UNITS: [(&str, f64); 5] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
];

impl ByteRate {
    pub fn new(bytes_per_s: f64) -> Option<Self> {
        is_amount(bytes_per_s).then_some(ByteRate(bytes_per_s))
    }

    pub fn of_bits(bits_per_s: f64) -> Option<Self> {
        Self::new(bits_per_s / BITS)
    }

    pub const fn bytes_per_s(self) -> f64 {
        self.0
    }

    /// With three digits that count: 14.3 MiB/s.
    pub fn told(self, units: Units) -> String {
        let (base, names) = match units {
            Units::Decimal => (DECIMAL, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"]),
            Units::Binary => (BINARY, ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"]),
        };
        scaled(self.0, base, &names)
    }

    /// As links are told: 10 Gbit/s.
    pub fn told_in_bits(self) -> String {
        let names = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
        scaled(self.0 * BITS, DECIMAL, &names)
    }
}

impl FromStr for ByteRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let advice = "write a rate in bytes like 300kB/s or 300KiB/s, or in bits like 10Gbit/s";
        let (number, unit) = split(text).ok_or(advice)?;
        let unit = unit.strip_suffix("/s").unwrap_or(unit);
        let unit = unit.strip_suffix("ps").unwrap_or(unit);
        let unit = unit.replace("bit", "b");
        // Whether bits or bytes is told by the case of the last letter alone.
        let last = unit.char_indices().last().map_or(0, |(at, _)| at);
        let (scale, letter) = unit.split_at(last);
        let unit = format!("{}{letter}", scale.to_ascii_lowercase());
        let bytes = factor(&RATE_UNITS, &unit).ok_or(advice)?;
        ByteRate::new(number * bytes).ok_or_else(|| advice.to_owned())
    }
}

impl Nanoseconds {
    pub fn new(ns: f64) -> Option<Self> {
        is_amount(ns).then_some(Nanoseconds(ns))
    }

    pub const fn ns(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Nanoseconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&scaled(self.0, DECIMAL, &["ns", "µs", "ms", "s"]))
    }
}

impl FromStr for Nanoseconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let advice = "write a time like 100us or 85.5ns";
        let (number, unit) = split(text).ok_or(advice)?;
        let ns = factor(&TIME_UNITS, unit).ok_or(advice)?;
        Nanoseconds::new(number * ns).ok_or_else(|| advice.to_owned())
    }
}

/// With thousands set apart, and three digits that count: 7,940,000.
pub fn grouped(number: f64) -> String {
    let rounding = rounding(number);
    set_apart((number / rounding).round() * rounding)
}

/// The same for things that are whole, and never more than there are.
pub fn grouped_down(number: u64) -> String {
    let number = number as f64;
    let rounding = rounding(number);
    set_apart((number / rounding).floor() * rounding)
}

/// What the third digit stands for.
fn rounding(number: f64) -> f64 {
    10_f64.powf((number.max(1.0).log10().floor() - 2.0).max(0.0))
}

fn set_apart(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn is_amount(number: f64) -> bool {
    number.is_finite() && number > 0.0
}

/// A number and the unit behind it.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

fn factor(units: &[(&str, f64)], unit: &str) -> Option<f64> {
    let found = units.iter().find(|(name, _)| *name == unit);
    found.map(|(_, factor)| *factor)
}

fn scaled(number: f64, base: f64, names: &[&str]) -> String {
    let mut number = number;
    let mut names = names.iter();
    let mut name = names.next();
    // What would be rounded up to the base is told in the next unit.
    while number >= base - 0.5 {
        let Some(next) = names.next() else { break };
        number /= base;
        name = Some(next);
    }
    let decimals = match number {
        n if n >= 99.95 || is_whole(n) => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.decimals$} {}", name.copied().unwrap_or_default())
}

fn is_whole(number: f64) -> bool {
    (number - number.round()).abs() < 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_bytes_and_bits() {
        let cases = [
            ("300kB/s", 300e3),
            ("300KB/s", 300e3),
            ("300 KiB/s", 307_200.0),
            ("1.5MB", 1.5e6),
            ("10Gbit/s", 1.25e9),
            ("10Gbps", 1.25e9),
            ("10Gb/s", 1.25e9),
            ("100Mbit", 12.5e6),
            ("8bit/s", 1.0),
            ("2B/s", 2.0),
            ("1GiB/s", 1_073_741_824.0),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse::<ByteRate>(), Ok(ByteRate(bytes)), "{text}");
        }
        for text in [
            "",
            "300",
            "kB/s",
            "0kB/s",
            "-1kB/s",
            "1.2.3kB/s",
            "5 apples",
            "nan",
            "5é",
        ] {
            let said = text.parse::<ByteRate>().unwrap_err();
            assert!(said.contains("300kB/s"), "{text}: {said}");
        }
    }

    #[test]
    fn times_are_read() {
        let cases = [
            ("100us", 100_000.0),
            ("100µs", 100_000.0),
            ("85.5ns", 85.5),
            ("1 ms", 1e6),
        ];
        for (text, ns) in cases {
            assert_eq!(text.parse::<Nanoseconds>(), Ok(Nanoseconds(ns)), "{text}");
        }
        for text in ["", "100", "us", "0ns", "1h"] {
            assert!(text.parse::<Nanoseconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn three_digits_are_told() {
        let told = |bytes| ByteRate(bytes).told(Units::Decimal);
        assert_eq!(told(15e6), "15 MB/s");
        assert_eq!(told(999.7), "1.00 kB/s");
        assert_eq!(told(1_234_567.0), "1.23 MB/s");
        assert_eq!(told(122e6), "122 MB/s");
        assert_eq!(told(9e15), "9000 TB/s");
        assert_eq!(ByteRate(15e6).told(Units::Binary), "14.3 MiB/s");
        assert_eq!(ByteRate(307_200.0).told(Units::Binary), "300 KiB/s");
        assert_eq!(ByteRate(1.25e9).told_in_bits(), "10 Gbit/s");
        assert_eq!(Nanoseconds(100_000.0).to_string(), "100 µs");
        assert_eq!(Nanoseconds(126.0).to_string(), "126 ns");
        assert_eq!(Nanoseconds(1_464.0).to_string(), "1.46 µs");
        assert_eq!(grouped(7_936_507.9), "7,940,000");
        assert_eq!(grouped(10_000.0), "10,000");
        assert_eq!(grouped(48.0), "48");
        assert_eq!(grouped(0.4), "0");
        assert_eq!(grouped_down(37_559), "37,500");
        assert_eq!(grouped_down(999), "999");
    }
}
