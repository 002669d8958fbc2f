//! What the whole path is to reach.

use serde::Serialize;

use crate::path::spread::Spread;
use crate::path::{Figure, Row};

/// vsnat, in multiples of plain routing: it leaves out what it does not need
/// of the stack.
const VSNAT_MOST: f64 = 0.95;
/// Of what vsnat passes up, which plain routing then carries.
const NOT_OURS_MOST: f64 = 1.05;
/// Over so many flows that hardly one is in a cache.
const MANY_MOST: f64 = 1.15;
/// In multiples of another director: not even a slow turn is above.
const OTHERS_MOST: f64 = 1.0;

/// A bound, and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Goal {
    pub what: String,
    pub measured: f64,
    pub most: f64,
    pub met: bool,
}

impl Goal {
    fn new(what: String, measured: f64, most: f64) -> Self {
        Goal {
            what,
            measured,
            most,
            met: measured <= most,
        }
    }
}

/// The goals of the rows that there are.
pub fn goals(figures: &[Figure]) -> Vec<Goal> {
    let of = |row: Row| figures.iter().find(|figure| figure.row == row);
    let bounds = [
        (Row::Vsnat, VSNAT_MOST),
        (Row::VsnatReplies, VSNAT_MOST),
        (Row::NotOurs, NOT_OURS_MOST),
        (Row::VsnatMany, MANY_MOST),
    ];
    let mut goals = Vec::new();
    for (row, most) in bounds {
        if let Some(figure) = of(row) {
            let what = format!("{row} ÷ {}", row.baseline());
            goals.push(Goal::new(what, figure.ratio.median, most));
        }
    }
    let pairs = [
        (Row::Vsnat, Row::Nftables),
        (Row::VsnatReplies, Row::NftablesReplies),
        (Row::Vsnat, Row::Ipvs),
        (Row::VsnatReplies, Row::IpvsReplies),
    ];
    for (own, other) in pairs {
        let (Some(ours), Some(theirs)) = (of(own), of(other)) else {
            continue;
        };
        if let Some(ratio) = Spread::of_ratios(&ours.slices_ns, &theirs.slices_ns) {
            let what = format!("{own} ÷ {other}, in the slow tenth");
            goals.push(Goal::new(what, ratio.high, OTHERS_MOST));
        }
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::goals;
    use crate::path::{Figure, Row, Spread};

    fn figure(row: Row, ratio: f64, slices_ns: &[f64]) -> Figure {
        let spread = |value| Spread {
            median: value,
            low: value,
            high: value,
        };
        Figure {
            row,
            name: row.to_string(),
            ns: Spread::of(slices_ns).unwrap(),
            ratio: spread(ratio),
            ratio_without_sender: None,
            slices_ns: slices_ns.to_vec(),
        }
    }

    #[test]
    fn bounds_hold_for_the_rows_that_there_are() {
        let figures = [
            figure(Row::Vsnat, 0.9, &[90.0; 20]),
            figure(Row::NotOurs, 1.06, &[106.0; 20]),
        ];
        let goals = goals(&figures);
        let met: Vec<bool> = goals.iter().map(|goal| goal.met).collect();
        assert_eq!(met, [true, false]);
    }

    #[test]
    fn below_another_director_means_in_slow_turns_too() {
        let mut ours = vec![90.0; 20];
        let theirs = figure(Row::Nftables, 1.2, &[100.0; 20]);
        let goals_of = |ours: &[f64]| goals(&[figure(Row::Vsnat, 0.9, ours), theirs.clone()]);
        assert!(goals_of(&ours)[1].met);
        ours[..4].fill(101.0);
        assert!(!goals_of(&ours)[1].met);
    }
}
