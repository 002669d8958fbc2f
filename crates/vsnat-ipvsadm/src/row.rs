//! One row of a long table, written into memory that the next row uses again.
//!
//! A table of a million rows must be listed in a second: the formatting traits
//! of the standard library cost several times that, so the few forms that rows
//! need are written digit by digit.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest rows are those with names; others never make it grow.
const CAPACITY: usize = 160;

#[derive(Debug)]
pub(crate) struct Row {
    text: String,
    /// Where the current column begins.
    column: usize,
}

impl Row {
    pub(crate) fn new() -> Self {
        Row {
            text: String::with_capacity(CAPACITY),
            column: 0,
        }
    }

    /// Begins a new row.
    pub(crate) fn clear(&mut self) -> &mut Self {
        self.text.clear();
        self.column = 0;
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn decimal(&mut self, number: u64) -> &mut Self {
        if number >= 10 {
            self.decimal(number / 10);
        }
        self.digit((number % 10) as u8)
    }

    /// At least two digits.
    pub(crate) fn two_digits(&mut self, number: u64) -> &mut Self {
        if number < 10 {
            self.text.push('0');
        }
        self.decimal(number)
    }

    pub(crate) fn hex32(&mut self, number: u32) -> &mut Self {
        self.hex16((number >> 16) as u16).hex16(number as u16)
    }

    pub(crate) fn hex16(&mut self, number: u16) -> &mut Self {
        for shift in [12, 8, 4, 0] {
            self.digit((number >> shift & 0xf) as u8);
        }
        self
    }

    pub(crate) fn address(&mut self, address: Ipv4Addr) -> &mut Self {
        let [a, b, c, d] = address.octets().map(u64::from);
        self.decimal(a).text(".").decimal(b);
        self.text(".").decimal(c).text(".").decimal(d)
    }

    pub(crate) fn endpoint(&mut self, endpoint: SocketAddr) -> &mut Self {
        let port = u64::from(endpoint.port());
        match endpoint {
            SocketAddr::V4(endpoint) => self.address(*endpoint.ip()).text(":"),
            SocketAddr::V6(endpoint) => self.address6(*endpoint.ip()).text(":"),
        };
        self.decimal(port)
    }

    /// In brackets. Which zeroes are left out is for the standard library.
    fn address6(&mut self, address: Ipv6Addr) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "[{address}]");
        self
    }

    /// All digits of an IPv6 address, as the kernel writes it: in brackets.
    pub(crate) fn whole6(&mut self, address: Ipv6Addr) -> &mut Self {
        self.text.push('[');
        for (place, group) in address.segments().into_iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{colon}{group:04x}");
        }
        self.text("]")
    }

    /// Ends a column that is filled from the left, and the blank behind it.
    pub(crate) fn pad(&mut self, width: usize) -> &mut Self {
        let end = self.column + width;
        // As C's printf, which counts bytes.
        while self.text.len() < end {
            self.text.push(' ');
        }
        self.next_column()
    }

    /// Ends a column that is filled from the right, and the blank behind it.
    pub(crate) fn decimal_right(&mut self, number: u64, width: u32) -> &mut Self {
        let digits = number.checked_ilog10().unwrap_or(0) + 1;
        for _ in digits..width {
            self.text.push(' ');
        }
        self.decimal(number)
    }

    /// Ends a column, and the blank behind it.
    pub(crate) fn next_column(&mut self) -> &mut Self {
        self.text.push(' ');
        self.column = self.text.len();
        self
    }

    /// Ends the row.
    pub(crate) fn end(&mut self) -> &str {
        self.text.push('\n');
        &self.text
    }

    fn digit(&mut self, digit: u8) -> &mut Self {
        self.text.push(char::from(match digit {
            0..10 => b'0' + digit,
            digit => b'A' + (digit - 10),
        }));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded_and_grow_where_they_must() {
        let mut row = Row::new();
        row.text("ab").pad(3).text("abcd").pad(3);
        assert_eq!(row.decimal_right(42, 5).end(), "ab  abcd    42\n");
        assert_eq!(row.clear().text("x").pad(2).end(), "x  \n");
    }

    #[test]
    fn numbers_are_as_the_standard_library_writes_them() {
        let mut row = Row::new();
        for number in [0, 9, 10, 99, 100, 65_535, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(row.clear().decimal(number).end(), format!("{number}\n"));
            assert_eq!(
                row.clear().two_digits(number).end(),
                format!("{number:02}\n")
            );
            let right = row.clear().decimal_right(number, 7).end();
            assert_eq!(right, format!("{number:>7}\n"));
        }
        for number in [0, 0xf, 0x1234_abcd, u32::MAX] {
            assert_eq!(row.clear().hex32(number).end(), format!("{number:08X}\n"));
            let four = SocketAddr::new(Ipv4Addr::from_bits(number).into(), number as u16);
            assert_eq!(row.clear().endpoint(four).end(), format!("{four}\n"));
            let six = Ipv6Addr::from_bits(u128::from(number) << 64 | 1);
            let six = SocketAddr::new(six.into(), number as u16);
            assert_eq!(row.clear().endpoint(six).end(), format!("{six}\n"));
        }
    }
}
