//! The figures: the comparison of VS and RS that the original shows, with its
//! own points, and the unheld runs.

use super::chart::{Anchor, Canvas, Mark, ROUTED_COLOUR, RS_COLOUR, VS_COLOUR, step};
use super::number::{decimal, whole};
use super::{Report, Run, Target};
use crate::experiment::original::{self, OriginalRun};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 584.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 900.0;
const TOP: f64 = 156.0;
const BOTTOM: f64 = 516.0;

/// Distance of a value's label from its point, above and below.
const ABOVE: f64 = -13.0;
const BELOW: f64 = 22.0;

/// Number of requests across, on a logarithmic scale; requests/s upwards.
struct Axes {
    first_exponent: f64,
    last_exponent: f64,
    top_value: f64,
}

impl Axes {
    fn place(&self, requests: u64, requests_per_s: f64) -> (f64, f64) {
        // Half a decade of room at either end.
        let span = self.last_exponent - self.first_exponent + 0.7;
        let along = (requests.max(1) as f64).log10() - self.first_exponent + 0.35;
        let x = LEFT + along / span * (RIGHT - LEFT);
        let y = BOTTOM - requests_per_s / self.top_value * (BOTTOM - TOP);
        (x, y)
    }
}

/// Requests per second against the number of requests, for both.
pub fn comparison(report: &Report) -> String {
    let (vs, rs) = (report.table_runs(Target::Vs), report.table_runs(Target::Rs));
    let axes = axes(&vs, &rs);
    let mut canvas = Canvas::new(WIDTH, HEIGHT, "Comparison of VS and RS");
    canvas.heading(LEFT, 38.0, "Comparison of VS and RS");
    let unit = "Requests per second by number of requests";
    canvas.note(LEFT, 60.0, Anchor::Start, unit);
    canvas.note(LEFT, 79.0, Anchor::Start, &subtitle(report));
    legend(&mut canvas, report.servers.len());
    draw_axes(&mut canvas, &axes);
    quote(&mut canvas, &axes, &original::VS, VS_COLOUR);
    quote(&mut canvas, &axes, &original::RS, RS_COLOUR);
    measured(&mut canvas, &axes, &vs, VS_COLOUR);
    measured(&mut canvas, &axes, &rs, RS_COLOUR);
    canvas.finish()
}

/// The unheld runs of both paths, each a point, with their medians.
pub fn unheld(report: &Report) -> String {
    const ROUTED_Y: f64 = 110.0;
    const VS_Y: f64 = 180.0;
    const AXIS_Y: f64 = 225.0;
    const NAMES: f64 = 220.0;
    let rows = [
        (Target::Routed, "plain routing", ROUTED_Y, ROUTED_COLOUR),
        (Target::Vs, "through the director", VS_Y, VS_COLOUR),
    ];
    let runs = |target| report.comparison_runs(target);
    let most = [Target::Routed, Target::Vs]
        .into_iter()
        .flat_map(runs)
        .map(|run| run.requests_per_s)
        .fold(0.0, f64::max);
    let step = step(most);
    let top = (most / step).ceil().max(1.0) * step;
    let across = |rate: f64| NAMES + rate / top * (RIGHT - NAMES);

    let mut canvas = Canvas::new(WIDTH, 280.0, "Unheld: the director against plain routing");
    canvas.heading(LEFT, 38.0, "Through the director, and by plain routing");
    let note = "Unheld servers; each point a run, the bar their median.";
    canvas.note(LEFT, 60.0, Anchor::Start, note);
    let mut tick = 0.0;
    while tick <= top {
        let x = across(tick);
        canvas.grid_line((x, 80.0), (x, AXIS_Y));
        canvas.note(x, AXIS_Y + 20.0, Anchor::Middle, &whole(tick as u64));
        tick += step;
    }
    canvas.axis_line((NAMES, AXIS_Y), (RIGHT, AXIS_Y));
    canvas.note(RIGHT, AXIS_Y + 42.0, Anchor::End, "requests per second");
    for (target, name, y, colour) in rows {
        canvas.label(NAMES - 14.0, y + 5.0, Anchor::End, colour, name);
        for run in runs(target) {
            canvas.mark((across(run.requests_per_s), y), colour, Mark::Ring);
        }
    }
    if let Some(medians) = report.comparison() {
        let values = [
            (
                ROUTED_Y,
                ROUTED_COLOUR,
                medians.routed_median_requests_per_s,
            ),
            (VS_Y, VS_COLOUR, medians.vs_median_requests_per_s),
        ];
        for (y, colour, value) in values {
            let x = across(value);
            canvas.thick_line((x, y - 14.0), (x, y + 14.0), colour);
            canvas.label(x, y - 20.0, Anchor::Middle, colour, &decimal(value));
        }
    }
    canvas.finish()
}

fn axes(vs: &[&Run], rs: &[&Run]) -> Axes {
    let runs = || vs.iter().chain(rs);
    let quoted = || original::VS.iter().chain(&original::RS);
    let rates = runs()
        .map(|run| run.requests_per_s)
        .chain(quoted().map(|run| run.requests_per_s));
    let most = rates.fold(0.0, f64::max);
    let requests = || {
        runs()
            .map(|run| run.requests)
            .chain(quoted().map(|run| run.requests))
    };
    let exponent = |requests: Option<u64>| (requests.unwrap_or(1).max(1) as f64).log10();
    // Room for the label above the highest point.
    let most = most * 1.08;
    let step = step(most);
    Axes {
        first_exponent: exponent(requests().min()).floor(),
        last_exponent: exponent(requests().max()).ceil(),
        top_value: (most / step).ceil().max(1.0) * step,
    }
}

fn subtitle(report: &Report) -> String {
    let held = match report.per_request_ms {
        Some(per_request_ms) => format!("held to {per_request_ms:.2} ms a request, one at a time"),
        None => "not held".to_owned(),
    };
    format!(
        "{} real servers ({}), {held}; {} requests under way",
        report.servers.len(),
        report.server,
        report.concurrency
    )
}

fn legend(canvas: &mut Canvas, servers: usize) {
    let virtual_server = format!("VS: virtual server over {servers} real servers");
    let entries = [
        (VS_COLOUR, Mark::Disc, virtual_server.as_str()),
        (RS_COLOUR, Mark::Disc, "RS: one real server alone"),
        (VS_COLOUR, Mark::Ring, "VS, original experiment"),
        (RS_COLOUR, Mark::Ring, "RS, original experiment"),
    ];
    for (index, (colour, mark, text)) in entries.into_iter().enumerate() {
        let x = LEFT + 8.0 + 330.0 * (index / 2) as f64;
        let y = 106.0 + 22.0 * (index % 2) as f64;
        canvas.series(&[(x, y), (x + 34.0, y)], colour, mark);
        canvas.note(x + 50.0, y + 4.5, Anchor::Start, text);
    }
}

fn draw_axes(canvas: &mut Canvas, axes: &Axes) {
    let step = step(axes.top_value);
    let mut value = 0.0;
    while value <= axes.top_value {
        let (_, y) = axes.place(1, value);
        canvas.grid_line((LEFT, y), (RIGHT, y));
        canvas.note(LEFT - 10.0, y + 4.5, Anchor::End, &whole(value as u64));
        value += step;
    }
    canvas.axis_line((LEFT, BOTTOM), (RIGHT, BOTTOM));
    let mut exponent = axes.first_exponent;
    while exponent <= axes.last_exponent {
        let requests = 10_f64.powf(exponent) as u64;
        let (x, _) = axes.place(requests, 0.0);
        canvas.axis_line((x, BOTTOM), (x, BOTTOM + 6.0));
        canvas.note(x, BOTTOM + 23.0, Anchor::Middle, &whole(requests));
        exponent += 1.0;
    }
    let middle = (LEFT + RIGHT) / 2.0;
    canvas.note(
        middle,
        BOTTOM + 48.0,
        Anchor::Middle,
        "number of requests (logarithmic)",
    );
    canvas.upward(24.0, (TOP + BOTTOM) / 2.0, "requests per second");
}

fn measured(canvas: &mut Canvas, axes: &Axes, runs: &[&Run], colour: &str) {
    let points: Vec<(f64, f64)> = runs
        .iter()
        .map(|run| axes.place(run.requests, run.requests_per_s))
        .collect();
    canvas.series(&points, colour, Mark::Disc);
    for ((x, y), run) in points.into_iter().zip(runs) {
        let value = decimal(run.requests_per_s);
        canvas.label(x, y + ABOVE, Anchor::Middle, colour, &value);
    }
}

fn quote(canvas: &mut Canvas, axes: &Axes, runs: &[OriginalRun], colour: &str) {
    let points: Vec<(f64, f64)> = runs
        .iter()
        .map(|run| axes.place(run.requests, run.requests_per_s))
        .collect();
    canvas.series(&points, colour, Mark::Ring);
    for ((x, y), run) in points.into_iter().zip(runs) {
        // At the right of the last, where nothing was measured; otherwise
        // below, or at the left where the axis is too near.
        let value = decimal(run.requests_per_s);
        let below = y + BELOW;
        let (x, y, anchor) = match (run.requests == 100_000, below < BOTTOM - 4.0) {
            (true, _) => (x + 12.0, y + 4.5, Anchor::Start),
            (false, true) => (x, below, Anchor::Middle),
            (false, false) => (x - 12.0, y + 4.5, Anchor::End),
        };
        canvas.note(x, y, anchor, &value);
    }
}
