//! What is printed when nothing is done.

use thiserror::Error;
use vsnat_api::CommandError;

use crate::fault::Fault;

/// Exit code of ipvsadm when the kernel refuses a change: its result is -1.
const EXIT_REFUSED: u8 = 255;

/// Exit code of ipvsadm when something to list is not there.
const EXIT_NOT_LISTED: u8 = 1;

/// Why a command line was not carried out, as ipvsadm says it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", self.stderr.trim_end())]
pub struct Refusal {
    /// The text for standard error, line end included.
    pub stderr: String,
    pub exit_code: u8,
    pub ends: Ends,
}

/// How far a refusal reaches when the line was one of many read by `-R`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The next line is still carried out.
    Line,
    /// ipvsadm exits on the spot; the lines before it stay done.
    Run,
}

impl Refusal {
    /// A service that was to be listed and is not there.
    pub(crate) fn not_listed() -> Self {
        Refusal {
            stderr: format!("{}\n", CommandError::NoSuchService),
            exit_code: EXIT_NOT_LISTED,
            ends: Ends::Line,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal {
            stderr: format!("{fault}\n"),
            exit_code: fault.exit_code(),
            ends: fault.ends(),
        }
    }
}

/// What ipvsadm prints when the director refused a change.
pub fn refusal_of(error: &CommandError) -> Refusal {
    Refusal {
        stderr: format!("{error}\n"),
        exit_code: EXIT_REFUSED,
        ends: Ends::Line,
    }
}
