//! Which option goes with which command.

use crate::fault::Fault;
use crate::table::{COMMANDS, CommandId, GROUPS, Group, OptionId};

/// The options of a line, at most one of each group.
#[derive(Debug, Default)]
pub(crate) struct Given(Vec<OptionId>);

impl Given {
    pub(crate) fn has(&self, option: OptionId) -> bool {
        self.0.contains(&option)
    }

    pub(crate) fn has_any(&self, options: &[OptionId]) -> bool {
        options.iter().any(|option| self.has(*option))
    }

    /// Adds an option unless its group has one.
    pub(crate) fn add(&mut self, option: OptionId, group: &'static Group) -> Result<(), Fault> {
        if self.has_any(group.options) {
            return Err(Fault::Multiple { option: group.name });
        }
        self.0.push(option);
        Ok(())
    }

    /// The first fault by ipvsadm's table, in the order of its groups.
    pub(crate) fn check(&self, command: CommandId) -> Result<(), Fault> {
        let Some(column) = COMMANDS.iter().position(|(id, _)| *id == command) else {
            // Help and version are answered before their options are read.
            return Ok(());
        };
        let command = COMMANDS[column].1;
        let mut exclusive = None;
        for group in GROUPS {
            let option = group.name;
            let rule = group.rules.as_bytes().get(column).copied();
            match (self.has_any(group.options), rule) {
                (false, Some(b'+')) => return Err(Fault::Missing { option, command }),
                (true, Some(b'x')) => return Err(Fault::Illegal { option, command }),
                (true, Some(b'1')) => match exclusive.replace(option) {
                    Some(other) => {
                        return Err(Fault::Conflict {
                            option,
                            other,
                            command,
                        });
                    }
                    None => continue,
                },
                _ => continue,
            }
        }
        self.check_list(command)
    }

    /// Formats that the other listings do not have.
    fn check_list(&self, command: &str) -> Result<(), Fault> {
        use OptionId::{Connection, Daemon, PersistentConn, Rate, Stats, Thresholds, Timeout};

        if command != "list" {
            return Ok(());
        }
        let other_listing = self.has_any(&[Connection, Timeout, Daemon]);
        let format = self.has_any(&[Stats, Rate, Thresholds]);
        let setting = self.has_any(&[Timeout, Daemon]);
        if other_listing && format || setting && self.has(PersistentConn) {
            return Err(Fault::ListConflict);
        }
        Ok(())
    }
}
