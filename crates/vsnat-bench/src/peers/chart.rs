//! The comparison as a picture: a line for each row, a mark for each peer.

use vsnat_lab::report::chart::{Anchor, Canvas, Mark};

use super::peer::Peer;
use super::report::{Measured, Report};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 230.0;
const RIGHT: f64 = 970.0;
const TOP: f64 = 140.0;
const ROW_HEIGHT: f64 = 44.0;
/// Marks of one row stand below each other, so that none hides another.
const STAGGER: f64 = 6.5;

/// Ratios outside are drawn at the edge.
const LEAST: f64 = 0.2;
const MOST: f64 = 2.0;
const TICKS: [f64; 8] = [0.2, 0.3, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0];

/// The throughput of every row and peer, in plain routing's.
pub fn throughput(report: &Report) -> String {
    let bottom = TOP + ROW_HEIGHT * report.rows.len() as f64;
    let mut canvas = Canvas::new(WIDTH, bottom + 70.0, "Throughput of vsnat and its peers");
    canvas.heading(24.0, 38.0, "Throughput of vsnat and its peers");
    let note = format!(
        "In that of plain routing over the same links, logarithmic; median of {} repetitions of \
         {} ms, the bar their 10 … 90 %.",
        report.repetitions, report.run_ms
    );
    canvas.note(24.0, 60.0, Anchor::Start, &note);
    let note = "The last figure of a row: how many connections, or sockets, ask at a time.";
    canvas.note(24.0, 78.0, Anchor::Start, note);
    let peers: Vec<Peer> = drawn(report).collect();
    legend(&mut canvas, &peers);
    axis(&mut canvas, bottom);
    for (place, row) in report.rows.iter().enumerate() {
        let y = TOP + ROW_HEIGHT * (place as f64 + 0.5);
        draw_row(&mut canvas, row, &peers, y);
    }
    canvas.note(
        (LEFT + RIGHT) / 2.0,
        bottom + 48.0,
        Anchor::Middle,
        "left of 1 slower than plain routing, right of it faster",
    );
    canvas.finish()
}

/// All directors: plain routing is what they are told in.
fn drawn(report: &Report) -> impl Iterator<Item = Peer> {
    let peers = report.peers.iter().copied();
    peers.filter(|peer| !matches!(peer, Peer::Plain | Peer::PlainXdp))
}

fn legend(canvas: &mut Canvas, peers: &[Peer]) {
    for (place, peer) in peers.iter().enumerate() {
        let x = 32.0 + 150.0 * place as f64;
        canvas.mark((x, 106.0), colour(*peer), mark(*peer));
        canvas.label(
            x + 14.0,
            111.0,
            Anchor::Start,
            colour(*peer),
            &peer.to_string(),
        );
    }
}

fn axis(canvas: &mut Canvas, bottom: f64) {
    for tick in TICKS {
        let x = across(tick);
        match tick == 1.0 {
            true => canvas.axis_line((x, TOP), (x, bottom)),
            false => canvas.grid_line((x, TOP), (x, bottom)),
        }
        canvas.note(x, bottom + 22.0, Anchor::Middle, &tick.to_string());
    }
}

fn draw_row(canvas: &mut Canvas, row: &Measured, peers: &[Peer], y: f64) {
    canvas.note(LEFT - 14.0, y + 4.5, Anchor::End, &row.name);
    let edge = y + ROW_HEIGHT / 2.0;
    canvas.grid_line((LEFT, edge), (RIGHT, edge));
    let first = y - STAGGER * (peers.len().saturating_sub(1)) as f64 / 2.0;
    for (place, peer) in peers.iter().enumerate() {
        let Some(ratio) = row.throughput(*peer, peer.floor()) else {
            continue;
        };
        let y = first + STAGGER * place as f64;
        let colour = colour(*peer);
        canvas.thick_line((across(ratio.low), y), (across(ratio.high), y), colour);
        canvas.mark((across(ratio.median), y), colour, mark(*peer));
    }
}

fn across(ratio: f64) -> f64 {
    let along = (ratio.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LEFT + along * (RIGHT - LEFT)
}

/// Colours that stay apart for colour-blind readers and in print.
const fn colour(peer: Peer) -> &'static str {
    match peer {
        Peer::VsnatTc => "#0b62a4",
        Peer::VsnatXdp => "#56b4e9",
        Peer::Nftables => "#c8500a",
        Peer::Haproxy => "#00845c",
        Peer::Nginx => "#a44a86",
        Peer::Plain | Peer::PlainXdp => "#6b7280",
    }
}

/// Ours are filled.
const fn mark(peer: Peer) -> Mark {
    match peer {
        Peer::VsnatTc | Peer::VsnatXdp => Mark::Disc,
        Peer::Plain | Peer::PlainXdp | Peer::Nftables | Peer::Haproxy | Peer::Nginx => Mark::Ring,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lies_between_the_edges_and_nothing_outside() {
        assert_eq!(across(LEAST / 2.0), LEFT);
        assert_eq!(across(MOST * 2.0), RIGHT);
        assert!(across(1.0) > LEFT && across(1.0) < RIGHT);
        assert!(across(0.5) < across(0.75));
    }
}
