//! Bringing the tables to what the file asks for, without undoing what was
//! changed at run time.

use vsnat_api::{Command, CommandError};
use vsnat_config::{Desired, Running, describe, diff, merge};
use vsnat_dataplane::DataPlane;

/// A command of the reconciliation that was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub command: Command,
    pub error: CommandError,
}

/// What the tables hold now.
pub(crate) fn running(data_plane: &DataPlane) -> Desired {
    Desired::of_running(Running {
        services: &data_plane.services(),
        deny: &data_plane.deny(),
        marks: &data_plane.marks(),
        settings: &data_plane.settings(),
        timeouts: data_plane.timeouts(),
    })
}

/// Carries out what the file asks for where nobody has decided otherwise since
/// `applied`, the file's wish of last time, was carried out.
pub(crate) fn reconcile(
    data_plane: &mut DataPlane,
    applied: &Desired,
    file: &Desired,
) -> Vec<Refusal> {
    let actual = running(data_plane);
    let wanted = merge(&actual, applied, file);
    let mut refusals = Vec::new();
    for command in diff(&actual, &wanted) {
        tracing::info!("file: {}", describe(&command));
        if let Err(error) = data_plane.apply(&command) {
            refusals.push(Refusal { command, error });
        }
    }
    report_kept(&wanted, file);
    refusals
}

/// Tells what the next start would change to follow the file, and what it
/// would keep. Changes nothing.
pub(crate) fn compare(actual: &Desired, applied: &Desired, file: &Desired) {
    let wanted = merge(actual, applied, file);
    let changes = diff(actual, &wanted);
    match changes.is_empty() {
        true => tracing::info!("a restart changes no service, setting, rule or denied network"),
        false => tracing::info!("a restart carries out:"),
    }
    for command in changes {
        tracing::info!("  {}", describe(&command));
    }
    report_kept(&wanted, file);
}

/// Tells line by line what was changed at run time and stays, unlike the file.
fn report_kept(kept: &Desired, file: &Desired) {
    let differences = diff(file, kept);
    if differences.is_empty() {
        return;
    }
    tracing::warn!("changed at run time and kept, unlike the file:");
    for command in differences {
        tracing::warn!("  {}", describe(&command));
    }
}
