//! What was measured.

use std::fs;

use serde::Serialize;
use vsnat_dataplane::AttachedBy;

use crate::path::goal::{self, Goal};
use crate::path::spread::Spread;
use crate::path::{Options, Row};

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Release of the kernel.
    pub kernel: String,
    /// How vsnat's programs were attached.
    pub attached_by: Option<String>,
    pub flows: u32,
    pub many: u32,
    /// Packets of a slice.
    pub packets: u32,
    pub repetitions: u32,
    pub figures: Vec<Figure>,
    pub goals: Vec<Goal>,
}

/// A row and its times.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub row: Row,
    pub name: String,
    /// Of a packet, the sender's share included.
    pub ns: Spread,
    /// Multiples of plain routing in the same turn.
    pub ratio: Spread,
    /// The same, without the sender's share of both.
    pub ratio_without_sender: Option<Spread>,
    pub slices_ns: Vec<f64>,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        attached_by: Option<AttachedBy>,
        slices: Vec<(Row, Vec<f64>)>,
    ) -> Self {
        let figures = figures(slices);
        Report {
            kernel: release(),
            attached_by: attached_by.map(|by| by.to_string()),
            flows: options.flows,
            many: options.many,
            packets: options.packets,
            repetitions: options.repetitions,
            goals: goal::goals(&figures),
            figures,
        }
    }

    pub fn is_met(&self) -> bool {
        self.goals.iter().all(|goal| goal.met)
    }
}

fn figures(slices: Vec<(Row, Vec<f64>)>) -> Vec<Figure> {
    let of = |wanted: Row| {
        let found = slices.iter().find(|(row, _)| *row == wanted);
        found.map_or(&[][..], |(_, slices)| slices)
    };
    let sender = of(Row::Sender);
    let figure = |(row, own): &(Row, Vec<f64>)| {
        let baseline = of(row.baseline());
        let bare = |slices: &[f64]| -> Vec<f64> {
            let pairs = slices.iter().zip(sender);
            pairs.map(|(slice, sender)| slice - sender).collect()
        };
        Some(Figure {
            row: *row,
            name: row.to_string(),
            ns: Spread::of(own)?,
            ratio: Spread::of_ratios(own, baseline)?,
            ratio_without_sender: Spread::of_ratios(&bare(own), &bare(baseline)),
            slices_ns: own.clone(),
        })
    };
    slices.iter().filter_map(figure).collect()
}

fn release() -> String {
    // Without it the report says less.
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::figures;
    use crate::path::Row;

    #[test]
    fn the_senders_share_is_taken_from_both() {
        let slices = vec![
            (Row::Sender, vec![500.0, 600.0]),
            (Row::Routing, vec![1_500.0, 1_600.0]),
            (Row::Vsnat, vec![1_400.0, 1_500.0]),
        ];
        let figures = figures(slices);
        let vsnat = &figures[2];
        assert_eq!(vsnat.ns.median, 1_450.0);
        let bare = vsnat.ratio_without_sender.unwrap();
        assert!((bare.median - 0.9).abs() < 1e-9);
        assert!(vsnat.ratio.median > bare.median);
    }
}
