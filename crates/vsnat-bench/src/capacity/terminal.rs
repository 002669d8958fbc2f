//! The curve in characters.

use super::curve::{Curve, MARKS, Saturation};
use super::quantity::{ByteRate, Units, grouped, grouped_down};

const WIDTH: usize = 56;
const HEIGHT: usize = 12;
/// Of the rates at the left.
const MARGIN: usize = 12;

const CURVE: char = '●';
/// Where another part would give out.
const LEVEL: char = '┄';
const CORNER: char = '◆';

/// Draws the curve, with a line for each part that gives out.
pub fn terminal(curve: &Curve, units: Units) -> String {
    let mut rows = vec![[' '; WIDTH]; HEIGHT];
    let mut labels = vec![String::new(); HEIGHT];
    for (column, row) in points(curve).enumerate() {
        rows[row][column] = CURVE;
    }
    for part in &curve.saturations {
        let row = row_of(curve, part.bytes_per_s);
        let until = column_of(curve, part.servers);
        for place in &mut rows[row][..until] {
            if *place != CURVE {
                *place = LEVEL;
            }
        }
        rows[row][until] = CORNER;
        if !labels[row].is_empty() {
            labels[row].push_str("; ");
        }
        labels[row].push_str(&label(part));
    }
    let mut text = String::new();
    for (index, (row, label)) in rows.iter().zip(&labels).enumerate() {
        let level = curve
            .saturations
            .iter()
            .find(|part| row_of(curve, part.bytes_per_s) == index)
            .and_then(|part| ByteRate::new(part.bytes_per_s))
            .map_or_else(String::new, |rate| rate.told(units));
        let row: String = row.iter().collect();
        let line = format!("{level:>MARGIN$} │{row} {label}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&servers_axis(curve));
    text
}

/// The row of the curve, column by column.
fn points(curve: &Curve) -> impl Iterator<Item = usize> {
    (0..WIDTH).map(|column| {
        let servers = curve.servers_end * (column as f64 + 0.5) / WIDTH as f64;
        row_of(curve, curve.bytes_per_s(servers))
    })
}

fn label(part: &Saturation) -> String {
    let servers = grouped_down(part.whole_servers);
    format!("{}: {servers} servers", part.name)
}

fn servers_axis(curve: &Curve) -> String {
    const BETWEEN: usize = WIDTH / MARKS as usize;
    let mut axis = format!("{:>MARGIN$} └", "0");
    let mut numbers = format!("{:>MARGIN$}  ", "servers");
    for column in 0..=WIDTH {
        let is_mark = column > 0 && column.is_multiple_of(BETWEEN);
        axis.push(if is_mark { '┴' } else { '─' });
        if is_mark {
            let number = grouped(curve.servers_end * column as f64 / WIDTH as f64);
            numbers.push_str(&format!("{number:>BETWEEN$}"));
        }
    }
    format!("{axis}\n{numbers}\n")
}

fn row_of(curve: &Curve, bytes_per_s: f64) -> usize {
    let height = bytes_per_s / curve.bytes_per_s_end * HEIGHT as f64;
    (HEIGHT - 1).saturating_sub(height as usize)
}

fn column_of(curve: &Curve, servers: f64) -> usize {
    let column = servers / curve.servers_end * WIDTH as f64;
    (column as usize).min(WIDTH - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::{PacketPrice, Plan, Traffic};

    #[test]
    fn each_part_has_its_level_and_corner() {
        let plan = Plan {
            price: PacketPrice {
                to_client_ns: 1e6,
                to_server_ns: 1e6,
            },
            traffic: Traffic {
                packet_bytes: 1_500,
                packets_back: 0.0,
                connection: None,
            },
            cpus: 2,
            outer_link_bytes_per_s: ByteRate::new(2e6),
            inner_link_bytes_per_s: None,
            server_bytes_per_s: ByteRate::new(1e5).unwrap(),
            servers: None,
        };
        let curve = Curve::new(&plan, &plan.answer());
        let text = terminal(&curve, Units::Decimal);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), HEIGHT + 2, "{text}");
        let levels = [
            (1, "3 MB/s", "◆", "all CPUs: 30 servers"),
            (5, "1.95 MB/s", "●◆●", "outer link: 19 servers"),
            (6, "1.50 MB/s", "●◆●", "one CPU: 15 servers"),
        ];
        for (row, rate, corner, label) in levels {
            let row = rows[row];
            assert!(row.trim_start().starts_with(rate), "{text}");
            assert!(row.contains(corner) && row.ends_with(label), "{text}");
        }
        assert!(rows[HEIGHT + 1].ends_with("40"), "{text}");
    }
}
