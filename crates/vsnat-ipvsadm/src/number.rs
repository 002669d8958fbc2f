//! Numbers as C reads and ipvsadm prints them.

use std::ops::RangeInclusive;

use crate::Figures;

/// A decimal number by the rules of `strtol`: leading blanks and a sign are
/// part of it, anything behind it is not.
pub(crate) fn in_range(text: &str, range: RangeInclusive<i64>) -> Option<i64> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    // `str::parse` takes a sign, no blank and no trailing character.
    let number = text.parse().ok()?;
    range.contains(&number).then_some(number)
}

/// As [`in_range`], for numbers of 32 bits.
pub(crate) fn in_range_u32(text: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let wide = i64::from(*range.start())..=i64::from(*range.end());
    in_range(text, wide).and_then(|number| u32::try_from(number).ok())
}

/// A counter in nine columns; a longer one grows, with a blank before it.
pub(crate) fn counter(count: u64, figures: Figures) -> String {
    match figures {
        Figures::Exact => format!(" {count:>8}"),
        Figures::Rounded => rounded(count),
    }
}

/// Bounds and units of ipvsadm: each unit is used while it needs no more than
/// eight figures.
fn rounded(count: u64) -> String {
    const MILLION: u64 = 1_000_000;
    match count {
        ..100_000_000 => format!("{count:>9}"),
        100_000_000..1_000_000_000 => format!("{:>8}K", count / 1_000),
        1_000_000_000..100_000_000_000 => format!("{:>8}M", count / MILLION),
        100_000_000_000..100_000_000_000_000 => format!("{:>8}G", count / (1_000 * MILLION)),
        100_000_000_000_000.. => format!("{:>8}T", count / (MILLION * MILLION)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_change_unit_where_eight_figures_end() {
        let cases = [
            (0, "        0"),
            (99_999_999, " 99999999"),
            (100_000_000, "  100000K"),
            (999_999_999, "  999999K"),
            (1_000_000_000, "    1000M"),
            (99_999_999_999, "   99999M"),
            (100_000_000_000, "     100G"),
            (100_000_000_000_000, "     100T"),
            (u64::MAX, "18446744T"),
        ];
        for (count, text) in cases {
            assert_eq!(counter(count, Figures::Rounded), text);
        }
    }

    #[test]
    fn exact_counters_are_never_cut() {
        assert_eq!(counter(12, Figures::Exact), "       12");
        assert_eq!(counter(100_000_000, Figures::Exact), " 100000000");
        assert_eq!(counter(u64::MAX, Figures::Exact), " 18446744073709551615");
    }

    #[test]
    fn numbers_are_read_as_strtol_reads_them() {
        assert_eq!(in_range("081", 0..=65535), Some(81));
        assert_eq!(in_range(" +7", 0..=65535), Some(7));
        assert_eq!(in_range("7 ", 0..=65535), None);
        assert_eq!(in_range("", 0..=65535), None);
        assert_eq!(in_range("65536", 0..=65535), None);
        assert_eq!(in_range("-1", 0..=65535), None);
        assert_eq!(in_range("99999999999999999999", 0..=65535), None);
    }
}
