//! Attaching the programs: by TCX links where the kernel has them, by a clsact
//! filter where it has not.

use std::fmt;
use std::fs;
use std::io;
use std::mem;
use std::path::Path;
use std::process::Command;

use aya::Ebpf;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, tc};
use vsnat_api::Side;

use crate::AttachError;
use crate::kernel::error::{chain, program_reason};
use crate::kernel::load::{INNER, OUTER, classifier, program_of};
use crate::kernel::pins::{Pins, entries, interface_file, interface_of, unpin};

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachedBy {
    Tcx,
    Clsact,
}

impl fmt::Display for AttachedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            AttachedBy::Tcx => "tcx",
            AttachedBy::Clsact => "clsact",
        })
    }
}

/// Priority and handle of our filter: fixed, so that the next director can
/// replace it in place. The priority is the one the kernel gives by itself.
const PRIORITY: u16 = 49_152;
const HANDLE: TcHandle = TcHandle::new(0, 1);

pub(super) fn attach(
    ebpf: &mut Ebpf,
    pins: &Pins,
    interface: &str,
    side: Side,
) -> Result<AttachedBy, AttachError> {
    let name = program_of(side);
    let refused = |reason: String| AttachError::Refused {
        program: name,
        interface: interface.to_owned(),
        reason,
    };
    let program = classifier(ebpf, name).map_err(|error| refused(error.to_string()))?;
    if pins.clsact().join(interface_file(interface)).exists() {
        return replace_filter(program, interface).map_err(refused);
    }
    match by_tcx(
        program,
        &pins.links().join(interface_file(interface)),
        interface,
    ) {
        Ok(()) => Ok(AttachedBy::Tcx),
        Err(tcx) => by_clsact(program, pins, interface)
            .map_err(|clsact| refused(format!("{tcx}; by a clsact filter: {clsact}"))),
    }
}

pub(super) fn detach(pins: &Pins, interface: &str) -> Result<(), AttachError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| AttachError::Detach { path, source }
    };
    let link = pins.links().join(interface_file(interface));
    if link.exists() {
        fs::remove_file(&link).map_err(failed(&link))?;
    }
    let filter = pins.clsact().join(interface_file(interface));
    if filter.exists() {
        remove_filter(interface).map_err(failed(&filter))?;
        fs::remove_dir(&filter).map_err(failed(&filter))?;
    }
    let qdisc = pins.qdiscs().join(interface_file(interface));
    if qdisc.exists() {
        remove_qdisc(interface).map_err(failed(&qdisc))?;
        fs::remove_dir(&qdisc).map_err(failed(&qdisc))?;
    }
    Ok(())
}

pub(super) fn detach_all(pins: &Pins) -> Result<(), AttachError> {
    for folder in [pins.links(), pins.clsact(), pins.qdiscs()] {
        for interface in entries(&folder)
            .iter()
            .filter_map(|path| interface_of(path))
        {
            detach(pins, &interface)?;
        }
    }
    Ok(())
}

/// A pinned link gets the new program in one step; otherwise a link is made
/// and pinned.
fn by_tcx(program: &mut SchedClassifier, pin: &Path, interface: &str) -> Result<(), String> {
    if pin.exists() {
        if replace_link(program, pin).is_ok() {
            return Ok(());
        }
        // Its interface is gone: the link is dead, a new one takes its place.
        unpin(pin).map_err(|error| error.to_string())?;
    }
    let options = TcAttachOptions::TcxOrder(LinkOrder::default());
    let link = program
        .attach_with_options(interface, TcAttachType::Ingress, options)
        .and_then(|id| program.take_link(id));
    let link = link.map_err(|error| program_reason(&error))?;
    let link = FdLink::try_from(link).map_err(|error| chain(&error))?;
    link.pin(pin).map_err(|error| chain(&error))?;
    Ok(())
}

fn replace_link(program: &mut SchedClassifier, pin: &Path) -> Result<(), String> {
    let pinned = PinnedLink::from_pin(pin).map_err(|error| chain(&error))?;
    let link = SchedClassifierLink::try_from(FdLink::from(pinned));
    let link = link.map_err(|error| chain(&error))?;
    let replaced = program
        .attach_to_link(link)
        .and_then(|id| program.take_link(id));
    // The pin keeps the link; our descriptor of it may close.
    replaced.map(drop).map_err(|error| program_reason(&error))
}

fn by_clsact(
    program: &mut SchedClassifier,
    pins: &Pins,
    interface: &str,
) -> Result<AttachedBy, String> {
    let made = add_qdisc(interface)?;
    let options = TcAttachOptions::Netlink(NlOptions {
        priority: PRIORITY,
        handle: HANDLE,
        ..NlOptions::default()
    });
    let attached = program.attach_with_options(interface, TcAttachType::Ingress, options);
    keep(program, attached)?;
    let mut marks = vec![pins.clsact().join(interface_file(interface))];
    if made == Qdisc::Added {
        marks.push(pins.qdiscs().join(interface_file(interface)));
    }
    for mark in marks {
        fs::create_dir(&mark).map_err(|error| error.to_string())?;
    }
    Ok(AttachedBy::Clsact)
}

fn replace_filter(program: &mut SchedClassifier, interface: &str) -> Result<AttachedBy, String> {
    let link =
        SchedClassifierLink::attached(interface, TcAttachType::Ingress, PRIORITY, HANDLE, None);
    let link = link.map_err(|error| error.to_string())?;
    let attached = program.attach_to_link(link);
    keep(program, attached)?;
    Ok(AttachedBy::Clsact)
}

/// Dropping the link would remove the filter, which must outlive us.
fn keep(
    program: &mut SchedClassifier,
    attached: Result<tc::SchedClassifierLinkId, ProgramError>,
) -> Result<(), String> {
    let link = attached.and_then(|id| program.take_link(id));
    mem::forget(link.map_err(|error| program_reason(&error))?);
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Qdisc {
    Added,
    Found,
}

fn add_qdisc(interface: &str) -> Result<Qdisc, String> {
    match tc::qdisc_add_clsact(interface) {
        Ok(()) => Ok(Qdisc::Added),
        Err(error) => match io::Error::last_os_error().kind() {
            io::ErrorKind::AlreadyExists => Ok(Qdisc::Found),
            _ if chain(&error).contains("File exists") => Ok(Qdisc::Found),
            _ => Err(chain(&error)),
        },
    }
}

/// An interface that is gone took its filters along.
fn remove_filter(interface: &str) -> io::Result<()> {
    for program in [OUTER, INNER] {
        // The interface carries one of the two, or is gone.
        let _ = tc::qdisc_detach_program(interface, TcAttachType::Ingress, program);
    }
    Ok(())
}

fn remove_qdisc(interface: &str) -> io::Result<()> {
    let arguments = ["qdisc", "del", "dev", interface, "clsact"];
    let output = Command::new("tc").args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let gone = text.contains("Cannot find device") || text.contains("Invalid handle");
    if output.status.success() || gone {
        return Ok(());
    }
    Err(io::Error::other(text.trim().to_owned()))
}
