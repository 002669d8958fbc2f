//! Attaching the programs: by TCX links where the kernel has them, by a clsact
//! filter where it has not.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fmt;
use std::fs;
use std::io;
use std::mem;
use std::path::Path;
use std::process::{Command, Output};

use aya::Ebpf;
use aya::programs::links::{FdLink, Link, PinnedLink};
use aya::programs::tc::{
    self as aya_tc, NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle,
};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use vsnat_api::Side;

use crate::AttachError;
use crate::kernel::error::{chain, program_reason};
use crate::kernel::load::{classifier, program_of};
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
    attach_program(ebpf, pins, interface, program_of(side))
}

pub(super) fn attach_program(
    ebpf: &mut Ebpf,
    pins: &Pins,
    interface: &str,
    name: &'static str,
) -> Result<AttachedBy, AttachError> {
    let refused = |reason: String| AttachError::Refused {
        program: name,
        interface: interface.to_owned(),
        reason,
    };
    let index = index_of(interface).map_err(|error| refused(error.to_string()))?;
    let program = classifier(ebpf, name).map_err(|error| refused(error.to_string()))?;
    forget_predecessors(pins, interface, index).map_err(|error| refused(error.to_string()))?;
    let file = interface_file(interface, index);
    if pins.clsact().join(&file).exists() {
        return by_clsact(program, pins, interface, &file).map_err(refused);
    }
    match by_tcx(program, &pins.links().join(&file), interface) {
        Ok(()) => Ok(AttachedBy::Tcx),
        Err(tcx) => by_clsact(program, pins, interface, &file)
            .map_err(|clsact| refused(format!("{tcx}; by a clsact filter: {clsact}"))),
    }
}

pub(super) fn detach(pins: &Pins, interface: &str) -> Result<(), AttachError> {
    for (name, index) in attached(pins) {
        if name == interface {
            detach_one(pins, &name, index, index_of(interface).ok())?;
        }
    }
    Ok(())
}

pub(super) fn detach_all(pins: &Pins) -> Result<(), AttachError> {
    for (name, index) in attached(pins) {
        detach_one(pins, &name, index, index_of(&name).ok())?;
    }
    Ok(())
}

pub(super) fn index_of(interface: &str) -> io::Result<u32> {
    let name = CString::new(interface)?;
    // SAFETY: a terminated string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Every interface that a pin or a mark names.
fn attached(pins: &Pins) -> BTreeSet<(String, u32)> {
    let folders = pins.folders();
    let files = folders.iter().flat_map(|folder| entries(folder));
    files.filter_map(|path| interface_of(&path)).collect()
}

/// What was attached to an interface that had this name before: it is gone,
/// and took its filters along.
fn forget_predecessors(pins: &Pins, interface: &str, index: u32) -> Result<(), AttachError> {
    for (name, old) in attached(pins) {
        if name == interface && old != index {
            detach_one(pins, &name, old, Some(index))?;
        }
    }
    Ok(())
}

/// Detaches from the interface of this name and index. Filters are looked for
/// only where that very interface is still here: another one of the name, or
/// in another namespace, is none of our business.
fn detach_one(
    pins: &Pins,
    interface: &str,
    index: u32,
    here: Option<u32>,
) -> Result<(), AttachError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| AttachError::Detach { path, source }
    };
    let file = interface_file(interface, index);
    let is_here = here == Some(index);
    for folder in [pins.xdp(), pins.xdp_generic(), pins.links()] {
        let link = folder.join(&file);
        if link.exists() {
            fs::remove_file(&link).map_err(failed(&link))?;
        }
    }
    let filter = pins.clsact().join(&file);
    if filter.exists() {
        if is_here {
            remove_filter(interface);
        }
        fs::remove_dir(&filter).map_err(failed(&filter))?;
    }
    let qdisc = pins.qdiscs().join(&file);
    if qdisc.exists() {
        if is_here {
            remove_qdisc(interface).map_err(failed(&qdisc))?;
        }
        fs::remove_dir(&qdisc).map_err(failed(&qdisc))?;
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
        // A link that cannot be updated is dead: a new one takes its place.
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

/// The marks come first: whoever finds one knows that a filter may be there.
fn by_clsact(
    program: &mut SchedClassifier,
    pins: &Pins,
    interface: &str,
    file: &str,
) -> Result<AttachedBy, String> {
    mark(&pins.clsact().join(file))?;
    if add_qdisc(interface)? == Qdisc::Added {
        mark(&pins.qdiscs().join(file))?;
    }
    if replace_filter(program, interface).is_ok() {
        return Ok(AttachedBy::Clsact);
    }
    let options = TcAttachOptions::Netlink(NlOptions {
        priority: PRIORITY,
        handle: HANDLE,
        ..NlOptions::default()
    });
    let attached = program.attach_with_options(interface, TcAttachType::Ingress, options);
    keep(program, attached)?;
    Ok(AttachedBy::Clsact)
}

fn mark(path: &Path) -> Result<(), String> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn our_filter(interface: &str) -> io::Result<SchedClassifierLink> {
    SchedClassifierLink::attached(interface, TcAttachType::Ingress, PRIORITY, HANDLE, None)
}

fn replace_filter(program: &mut SchedClassifier, interface: &str) -> Result<(), String> {
    let link = our_filter(interface).map_err(|error| error.to_string())?;
    let attached = program.attach_to_link(link);
    keep(program, attached)
}

/// Dropping the link would remove the filter, which must outlive us.
fn keep(
    program: &mut SchedClassifier,
    attached: Result<aya_tc::SchedClassifierLinkId, ProgramError>,
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
    match aya_tc::qdisc_add_clsact(interface) {
        Ok(()) => Ok(Qdisc::Added),
        Err(error) => match io::Error::last_os_error().kind() {
            io::ErrorKind::AlreadyExists => Ok(Qdisc::Found),
            _ if chain(&error).contains("File exists") => Ok(Qdisc::Found),
            _ => Err(chain(&error)),
        },
    }
}

/// By priority and handle: names are shared by all directors.
fn remove_filter(interface: &str) {
    if let Ok(link) = our_filter(interface) {
        // A filter that is gone already needs no removing.
        let _ = link.detach();
    }
}

/// Only while nobody else uses it: a qdisc takes all its filters along.
fn remove_qdisc(interface: &str) -> io::Result<()> {
    for hook in ["ingress", "egress"] {
        let filters = tc(&["filter", "show", "dev", interface, hook])?;
        if !filters.stdout.is_empty() {
            return Ok(());
        }
    }
    let deleted = tc(&["qdisc", "del", "dev", interface, "clsact"])?;
    let text = String::from_utf8_lossy(&deleted.stderr);
    let gone = text.contains("Cannot find device") || text.contains("Invalid handle");
    if deleted.status.success() || gone {
        return Ok(());
    }
    Err(io::Error::other(text.trim().to_owned()))
}

fn tc(arguments: &[&str]) -> io::Result<Output> {
    Command::new("tc").args(arguments).output()
}
