//! Whether the packet path became slower than it was when its figures were
//! committed.
//!
//! Compared are multiples of bare redirect, never times: those differ between
//! machines. A case counts as slower only if it is so in each of several
//! measurements, since one alone may have met a disturbed machine.

use thiserror::Error;

use crate::{BenchError, Figure};

/// A multiple may be so many times the committed one.
pub const TOLERANCE: f64 = 1.20;
/// Measurements that have to agree before a case is called slower.
pub const ATTEMPTS: usize = 3;

/// Words of the cases that only a whole run has.
const LEFT_OUT: [&str; 6] = [
    "live frames",
    "new connection, ",
    "answered by ICMP",
    "many services",
    "full table",
    "one read of memory",
];

/// A case that is slower than the committed figure allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Slower {
    pub case: String,
    /// In bare redirects, as all that follow.
    pub committed: f64,
    /// Of each measurement.
    pub measured: Vec<f64>,
}

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum RegressionError {
    #[error(transparent)]
    Measure(#[from] BenchError),
    #[error(
        "the committed run has no case \"{0}\", which the short run measures; commit a new whole run"
    )]
    NotCommitted(String),
    #[error(
        "the short run does not measure \"{0}\", which the committed run has; commit a new whole \
         run if the case is gone or has another name, else let the short run measure it, or name \
         it among the cases that are left out"
    )]
    NotMeasured(String),
}

/// Compares measurements with the committed run, and measures again what seems
/// slower. What is slower each time is returned. `measured` sees every
/// measurement.
pub fn slower(
    committed: &[Figure],
    mut measure: impl FnMut() -> Result<Vec<Figure>, BenchError>,
    mut measured: impl FnMut(&[Figure]),
) -> Result<Vec<Slower>, RegressionError> {
    let mut suspects: Option<Vec<Slower>> = None;
    for _ in 0..ATTEMPTS {
        let figures = measure()?;
        measured(&figures);
        let over = over(committed, &figures)?;
        let confirmed = match suspects {
            None => over,
            Some(before) => confirmed(before, &over),
        };
        if confirmed.is_empty() {
            return Ok(confirmed);
        }
        suspects = Some(confirmed);
    }
    Ok(suspects.unwrap_or_default())
}

/// The cases of one measurement that are over the committed figures.
fn over(committed: &[Figure], measured: &[Figure]) -> Result<Vec<Slower>, RegressionError> {
    if let Some(missing) = committed
        .iter()
        .find(|figure| find(measured, &figure.case).is_none() && !is_left_out(&figure.case))
    {
        return Err(RegressionError::NotMeasured(missing.case.clone()));
    }
    let mut over = Vec::new();
    for figure in measured {
        let was = find(committed, &figure.case)
            .ok_or_else(|| RegressionError::NotCommitted(figure.case.clone()))?;
        if figure.multiple > was.multiple * TOLERANCE {
            over.push(Slower {
                case: figure.case.clone(),
                committed: was.multiple,
                measured: vec![figure.multiple],
            });
        }
    }
    Ok(over)
}

/// Those of before that are over again.
fn confirmed(before: Vec<Slower>, again: &[Slower]) -> Vec<Slower> {
    let pairs = before.into_iter().filter_map(|mut slower| {
        let found = again.iter().find(|other| other.case == slower.case)?;
        slower.measured.extend(&found.measured);
        Some(slower)
    });
    pairs.collect()
}

/// The figure of this case.
pub fn find<'a>(figures: &'a [Figure], case: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| figure.case == case)
}

fn is_left_out(case: &str) -> bool {
    LEFT_OUT.iter().any(|words| case.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(cases: &[(&str, f64)]) -> Vec<Figure> {
        let figure = |(case, multiple): &(&str, f64)| Figure {
            case: (*case).to_owned(),
            median_ns: multiple * 30.0,
            low_ns: multiple * 30.0,
            high_ns: multiple * 30.0,
            multiple: *multiple,
            runs: 1,
        };
        cases.iter().map(figure).collect()
    }

    /// What is slower when these are measured one after the other, and how
    /// many of them were asked for.
    fn judge(
        committed: &[(&str, f64)],
        runs: &[&[(&str, f64)]],
    ) -> (Result<Vec<Slower>, RegressionError>, usize) {
        let mut next = runs.iter();
        let mut seen = 0;
        let result = slower(
            &figures(committed),
            || Ok(figures(next.next().unwrap())),
            |_| seen += 1,
        );
        (result, seen)
    }

    #[test]
    fn a_fifth_is_tolerated_and_more_is_not() {
        let (result, seen) = judge(&[("a", 4.0)], &[&[("a", 4.8)]]);
        assert_eq!((result.unwrap(), seen), (Vec::new(), 1));
        let run: &[(&str, f64)] = &[("a", 4.81)];
        let (result, seen) = judge(&[("a", 4.0)], &[run, run, run]);
        let slower = Slower {
            case: "a".to_owned(),
            committed: 4.0,
            measured: vec![4.81; 3],
        };
        assert_eq!((result.unwrap(), seen), (vec![slower], 3));
    }

    #[test]
    fn a_case_is_slower_only_if_it_is_so_each_time() {
        let committed: &[(&str, f64)] = &[("a", 4.0), ("b", 2.0)];
        // Each is over once, none twice.
        let (result, seen) = judge(
            committed,
            &[&[("a", 9.0), ("b", 2.0)], &[("a", 4.0), ("b", 9.0)]],
        );
        assert_eq!((result.unwrap(), seen), (Vec::new(), 2));
        // One is over each time, the other in the first two.
        let (result, _) = judge(
            committed,
            &[
                &[("a", 9.0), ("b", 9.0)],
                &[("a", 8.0), ("b", 9.0)],
                &[("a", 7.0), ("b", 2.0)],
            ],
        );
        let slower = result.unwrap();
        assert_eq!(slower.len(), 1);
        assert_eq!(slower[0].case, "a");
        assert_eq!(slower[0].measured, [9.0, 8.0, 7.0]);
    }

    #[test]
    fn what_became_faster_is_no_regression() {
        let (result, seen) = judge(&[("a", 4.0)], &[&[("a", 1.0)]]);
        assert_eq!((result.unwrap(), seen), (Vec::new(), 1));
    }

    #[test]
    fn cases_that_one_side_lacks_are_named() {
        let (result, _) = judge(&[("a", 4.0)], &[&[("a", 4.0), ("b", 1.0)]]);
        let said = result.unwrap_err().to_string();
        assert!(said.contains("no case \"b\""), "{said}");
        let (result, _) = judge(&[("a", 4.0), ("b", 1.0)], &[&[("a", 4.0)]]);
        let said = result.unwrap_err().to_string();
        assert!(said.contains("does not measure \"b\""), "{said}");
    }

    #[test]
    fn what_only_a_whole_run_has_is_not_missed() {
        let whole: &[(&str, f64)] = &[
            ("a", 4.0),
            ("new connection, lc, 4096 servers", 1_495.0),
            ("established, full table, to the server", 4.2),
            ("not ours, many services", 1.2),
            ("answered by ICMP, or too often for that", 12.6),
            ("one read of memory at a random place", 7.0),
        ];
        let (result, _) = judge(whole, &[&[("a", 4.0)]]);
        assert_eq!(result.unwrap(), Vec::new());
    }
}
