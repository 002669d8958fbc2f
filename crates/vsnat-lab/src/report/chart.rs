//! The few pieces of SVG that the figures are made of.

use std::fmt::Write as _;

/// Colours that stay apart for colour-blind readers and in print.
pub(super) const VS_COLOUR: &str = "#0b62a4";
pub(super) const RS_COLOUR: &str = "#c8500a";
pub(super) const ROUTED_COLOUR: &str = "#6b7280";
const INK: &str = "#1f2937";
const QUIET: &str = "#6b7280";
const GRID: &str = "#e5e7eb";

const FONT: &str = "system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif";

/// How a text is placed on its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// What marks a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Disc,
    /// Hollow: a figure quoted, not measured.
    Ring,
}

/// A drawing under way.
#[derive(Debug)]
pub struct Canvas {
    text: String,
}

impl Canvas {
    pub fn new(width: f64, height: f64, description: &str) -> Self {
        let description = escape(description);
        Canvas {
            text: format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
                 width=\"{width}\" height=\"{height}\" font-family=\"{FONT}\" role=\"img\">\n\
                 <title>{description}</title>\n\
                 <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
            ),
        }
    }

    pub fn heading(&mut self, x: f64, y: f64, text: &str) {
        self.write(
            x,
            y,
            Anchor::Start,
            INK,
            "font-size=\"20\" font-weight=\"600\"",
            text,
        );
    }

    pub fn note(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        self.write(x, y, anchor, QUIET, "font-size=\"13\"", text);
    }

    pub fn label(&mut self, x: f64, y: f64, anchor: Anchor, colour: &str, text: &str) {
        self.write(
            x,
            y,
            anchor,
            colour,
            "font-size=\"13\" font-weight=\"600\"",
            text,
        );
    }

    /// A text that runs upwards, for the vertical axis.
    pub fn upward(&mut self, x: f64, y: f64, text: &str) {
        let turn = format!("font-size=\"13\" transform=\"rotate(-90 {x:.1} {y:.1})\"");
        self.write(x, y, Anchor::Middle, INK, &turn, text);
    }

    pub fn grid_line(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.stroke(from, to, GRID, "stroke-width=\"1\"");
    }

    pub fn axis_line(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.stroke(from, to, QUIET, "stroke-width=\"1.2\"");
    }

    pub fn thick_line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        self.stroke(
            from,
            to,
            colour,
            "stroke-width=\"3\" stroke-linecap=\"round\"",
        );
    }

    /// Points joined by a line: solid between discs, dashed between rings.
    pub fn series(&mut self, points: &[(f64, f64)], colour: &str, mark: Mark) {
        let dashes = match mark {
            Mark::Disc => "stroke-width=\"2.5\"",
            Mark::Ring => "stroke-width=\"1.5\" stroke-dasharray=\"5 5\"",
        };
        for pair in points.windows(2) {
            self.stroke(pair[0], pair[1], colour, dashes);
        }
        for point in points {
            self.mark(*point, colour, mark);
        }
    }

    pub fn mark(&mut self, (x, y): (f64, f64), colour: &str, mark: Mark) {
        let fill = match mark {
            Mark::Disc => colour,
            Mark::Ring => "#ffffff",
        };
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            self.text,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{fill}\" stroke=\"{colour}\" \
             stroke-width=\"2\"/>"
        );
    }

    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn write(&mut self, x: f64, y: f64, anchor: Anchor, colour: &str, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        let _ = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\" \
             {style}>{text}</text>"
        );
    }

    fn stroke(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, style: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.text,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{colour}\" {style}/>"
        );
    }
}

/// Text as it may stand in SVG and HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A round step that divides `most` into about five parts.
pub fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fits = steps.into_iter().find(|step| step * power >= rough);
    fits.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        let cases = [
            (1000.0, 200.0),
            (290.0, 100.0),
            (13.0, 5.0),
            (12_300.0, 2500.0),
        ];
        for (most, expected) in cases {
            assert_eq!(step(most), expected, "{most}");
        }
    }

    #[test]
    fn markup_in_text_is_harmless() {
        assert_eq!(escape("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
    }
}
