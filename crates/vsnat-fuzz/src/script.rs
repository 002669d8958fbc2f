//! What happens to a director, one act a line.

use std::fmt;

use thiserror::Error;

use crate::act::Act;

/// A line that is no act.
#[derive(Debug, Error)]
#[error("`{line}` is no act of a script; the acts are those that `vsnat_fuzz::act` lists")]
pub struct ScriptError {
    line: String,
}

impl ScriptError {
    pub(crate) fn new(line: &str) -> Self {
        ScriptError {
            line: line.to_owned(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    pub acts: Vec<Act>,
}

impl Script {
    pub fn parse(text: &str) -> Result<Script, ScriptError> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let acts = lines.map(Act::parse).collect::<Result<_, _>>()?;
        Ok(Script { acts })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.acts.iter().try_for_each(|act| writeln!(f, "{act}"))
    }
}
