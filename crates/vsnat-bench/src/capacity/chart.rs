//! The curve as an SVG figure.

use vsnat_lab::report::chart::{Anchor, Canvas, Mark, step};

use super::curve::Curve;
use super::quantity::{ByteRate, Units, grouped, grouped_down};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 540.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 900.0;
const TOP: f64 = 100.0;
const BOTTOM: f64 = 450.0;

/// The widest label of a point.
const LABEL: f64 = 270.0;

/// Apart for colour-blind readers and in print.
const CURVE: &str = "#0b62a4";
const FIRST: &str = "#c8500a";
const OTHER: &str = "#6b7280";

/// Draws the throughput over the number of servers; `subtitle` says what of.
pub fn svg(curve: &Curve, units: Units, subtitle: &str) -> String {
    const TITLE: &str = "What the director carries, by the number of servers";
    let mut canvas = Canvas::new(WIDTH, HEIGHT, TITLE);
    canvas.heading(LEFT, 38.0, TITLE);
    canvas.note(LEFT, 60.0, Anchor::Start, subtitle);
    axes(&mut canvas, curve, units);
    rise(&mut canvas, curve);
    levels(&mut canvas, curve, units);
    if !curve.beyond.is_empty() {
        let beyond: Vec<String> = curve
            .beyond
            .iter()
            .map(|part| format!("{} ({})", part.name, told(part.bytes_per_s, units)))
            .collect();
        let note = format!("Beyond the picture: {}", beyond.join(", "));
        canvas.note(LEFT, HEIGHT - 16.0, Anchor::Start, &note);
    }
    canvas.finish()
}

fn place(curve: &Curve, servers: f64, bytes_per_s: f64) -> (f64, f64) {
    let x = LEFT + servers / curve.servers_end * (RIGHT - LEFT);
    let y = BOTTOM - bytes_per_s / curve.bytes_per_s_end * (BOTTOM - TOP);
    (x, y)
}

fn axes(canvas: &mut Canvas, curve: &Curve, units: Units) {
    let unit = unit_of(curve.bytes_per_s_end, units);
    let rates = step(curve.bytes_per_s_end / unit) * unit;
    let mut rate = 0.0;
    while rate <= curve.bytes_per_s_end {
        let (_, y) = place(curve, 0.0, rate);
        canvas.grid_line((LEFT, y), (RIGHT, y));
        let number = ByteRate::new(rate).map_or_else(|| "0".to_owned(), |rate| rate.told(units));
        canvas.note(LEFT - 10.0, y + 4.5, Anchor::End, &number);
        rate += rates;
    }
    canvas.axis_line((LEFT, BOTTOM), (RIGHT, BOTTOM));
    // There are no fractions of a server to be put up.
    let servers = step(curve.servers_end).max(1.0);
    let mut number = 0.0;
    while number <= curve.servers_end {
        let (x, _) = place(curve, number, 0.0);
        canvas.axis_line((x, BOTTOM), (x, BOTTOM + 6.0));
        canvas.note(x, BOTTOM + 23.0, Anchor::Middle, &grouped(number));
        number += servers;
    }
    let middle = (LEFT + RIGHT) / 2.0;
    canvas.note(middle, BOTTOM + 46.0, Anchor::Middle, "real servers");
}

/// The curve, and how it would go on if nothing gave out.
fn rise(canvas: &mut Canvas, curve: &Curve) {
    let (corner, limit) = curve.corner();
    let turn = place(curve, corner, limit);
    let highest = curve.saturations.iter().max_by(|a, b| {
        let (a, b) = (a.bytes_per_s, b.bytes_per_s);
        a.total_cmp(&b)
    });
    if let Some(highest) = highest {
        let end = place(curve, highest.servers, highest.bytes_per_s);
        canvas.axis_line(turn, end);
    }
    canvas.thick_line(place(curve, 0.0, 0.0), turn, CURVE);
    canvas.thick_line(turn, place(curve, curve.servers_end, limit), CURVE);
}

fn levels(canvas: &mut Canvas, curve: &Curve, units: Units) {
    for part in &curve.saturations {
        let (x, y) = place(curve, part.servers, part.bytes_per_s);
        let (colour, mark) = match part.kind == curve.first {
            true => (FIRST, Mark::Disc),
            false => (OTHER, Mark::Ring),
        };
        if part.kind != curve.first {
            canvas.axis_line((LEFT, y), (x, y));
        }
        canvas.grid_line((x, y), (x, BOTTOM));
        canvas.mark((x, y), colour, mark);
        let label = format!(
            "{}: {}, {} servers",
            part.name,
            told(part.bytes_per_s, units),
            grouped_down(part.whole_servers)
        );
        // The curve rises to the right: there is room at the left above it, or
        // at the right below it.
        let (at, above, anchor) = match x - LEFT > LABEL {
            true => (x - 12.0, -12.0, Anchor::End),
            false => (x + 12.0, 20.0, Anchor::Start),
        };
        canvas.label(at, y + above, anchor, colour, &label);
    }
}

fn told(bytes_per_s: f64, units: Units) -> String {
    ByteRate::new(bytes_per_s).map_or_else(String::new, |rate| rate.told(units))
}

/// What the numbers at the axis are whole multiples of.
fn unit_of(bytes_per_s: f64, units: Units) -> f64 {
    let base = match units {
        Units::Decimal => 1_000_f64,
        Units::Binary => 1_024_f64,
    };
    base.powf(bytes_per_s.max(1.0).log(base).floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_told_in_round_numbers() {
        assert_eq!(unit_of(15e6, Units::Binary), 1_048_576.0);
        assert_eq!(unit_of(7.5e9, Units::Decimal), 1e9);
        assert_eq!(unit_of(0.5, Units::Decimal), 1.0);
    }
}
