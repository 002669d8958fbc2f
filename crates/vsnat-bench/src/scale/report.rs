//! What was measured, and whether it is what was wanted.

use serde::Serialize;

/// What a figure shall be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    Below(f64),
    AtLeast(f64),
    Exactly(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Met,
    NotMet,
    /// Told for what it explains.
    NoGoal,
}

impl Goal {
    fn judge(self, value: f64) -> Verdict {
        let is_met = match self {
            Goal::Below(limit) => value < limit,
            Goal::AtLeast(limit) => value >= limit,
            Goal::Exactly(wanted) => value == wanted,
        };
        match is_met {
            true => Verdict::Met,
            false => Verdict::NotMet,
        }
    }
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub case: String,
    pub value: f64,
    pub unit: &'static str,
    pub goal: Option<Goal>,
    pub verdict: Verdict,
}

/// The figures so far; each is told as soon as it is there.
pub(super) struct Report<'a> {
    rows: Vec<Row>,
    tell: &'a mut (dyn FnMut(&Row) + Send),
}

impl<'a> Report<'a> {
    pub fn new(tell: &'a mut (dyn FnMut(&Row) + Send)) -> Self {
        Report {
            rows: Vec::new(),
            tell,
        }
    }

    pub fn figure(&mut self, case: impl Into<String>, value: f64, unit: &'static str) {
        self.add(case.into(), value, unit, None);
    }

    pub fn goal(&mut self, case: impl Into<String>, value: f64, unit: &'static str, goal: Goal) {
        self.add(case.into(), value, unit, Some(goal));
    }

    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    fn add(&mut self, case: String, value: f64, unit: &'static str, goal: Option<Goal>) {
        let row = Row {
            case,
            value,
            unit,
            goal,
            verdict: goal.map_or(Verdict::NoGoal, |goal| goal.judge(value)),
        };
        (self.tell)(&row);
        self.rows.push(row);
    }
}

/// The middle one, or what lies between the two middle ones.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    match (values.get(low), values.get(high)) {
        (Some(low), Some(high)) => (low + high) / 2.0,
        (_, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_not() {
        let mut seen = Vec::new();
        let mut tell = |row: &Row| seen.push(row.verdict);
        let mut report = Report::new(&mut tell);
        report.goal("bytes", 319.9, "B", Goal::Below(320.0));
        report.goal("bytes", 320.0, "B", Goal::Below(320.0));
        report.goal("share", 0.9, "", Goal::AtLeast(0.9));
        report.goal("lost", 1.0, "", Goal::Exactly(0.0));
        report.figure("rate", 7.0, "/s");
        assert_eq!(report.into_rows().len(), 5);
        let [met, not_met] = [Verdict::Met, Verdict::NotMet];
        assert_eq!(seen, [met, not_met, met, not_met, Verdict::NoGoal]);
    }
}
