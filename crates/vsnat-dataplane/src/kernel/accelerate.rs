//! XDP in front of TC: which interfaces have it, and why.
//!
//! TC alone is complete, so nothing here is needed for a packet to arrive. A
//! frame can be redirected only to an interface whose driver sends what never
//! was an skb; which those are stands in the table of links, and the programs
//! leave all other packets to TC. The table is looked over again and again,
//! since a driver may lose or gain the ability (a veth does with its peer).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::Ebpf;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::{XdpLink, XdpMode};
use aya::programs::{ProgramError, Xdp};
use vsnat_abi::link::{LINKS, Link, can, link_place};
use vsnat_api::{Attach, Side};

use crate::kernel::attach::index_of;
use crate::kernel::error::{chain, program_reason};
use crate::kernel::features::{Features, features, mac};
use crate::kernel::load::{self, xdp_of};
use crate::kernel::pins::{Pins, interface_file, unpin};
use crate::{AttachError, Region};

/// An interface of the director, and what is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub interface: String,
    pub side: Side,
    pub attach: Attach,
    /// Why `auto` means TC here, whatever the driver can do.
    pub obstacle: Option<String>,
}

/// Who runs the program in front of TC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunBy {
    Driver,
    /// The kernel, for any interface.
    Kernel,
}

/// What became of a [`Lane`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceleration {
    pub interface: String,
    /// `None`: TC alone.
    pub run_by: Option<RunBy>,
    pub why: String,
}

/// The kernel does not say what drivers can do.
const SILENT: &str = "this kernel does not tell what its driver can do (Linux 6.3 does)";

/// Brings every lane to what is asked for it. An interface that is asked for
/// XDP by name and cannot have it is an error, and the lanes stay as they were
/// as far as they were not brought there already.
pub(super) fn accelerate(
    ebpf: &mut Ebpf,
    pins: &Pins,
    lanes: &[Lane],
    links: &Region<Link>,
) -> Result<Vec<Acceleration>, AttachError> {
    let mut results = Vec::new();
    for lane in lanes {
        results.push(one(ebpf, pins, lane)?);
    }
    let silent = lanes.iter().find(|lane| !sends(lane, RunBy::Driver));
    if let Some(silent) = silent {
        let interface = &silent.interface;
        for (lane, result) in lanes.iter().zip(&mut results) {
            if lane.attach == Attach::Auto && result.run_by.is_some() {
                leave(pins, lane)?;
                result.run_by = None;
                result.why = format!("{interface} cannot send what XDP redirects to it");
            }
        }
    }
    look(lanes, &results, links);
    Ok(results)
}

/// Writes the table of links as the interfaces are now.
pub(super) fn look(lanes: &[Lane], results: &[Acceleration], links: &Region<Link>) {
    let mut wanted = vec![Link::default(); LINKS as usize];
    let generic = results.iter().any(|r| r.run_by == Some(RunBy::Kernel));
    for (lane, result) in lanes.iter().zip(results) {
        let (Ok(index), Ok(mac)) = (index_of(&lane.interface), mac(&lane.interface)) else {
            continue;
        };
        let mut state = u64::from(index);
        if result.run_by.is_some() {
            state |= can::RECEIVE;
        }
        // What the kernel runs, the kernel sends, to any interface.
        let from = if generic {
            RunBy::Kernel
        } else {
            RunBy::Driver
        };
        if sends(lane, from) {
            state |= can::SEND;
        }
        let place = &mut wanted[link_place(index) as usize];
        if *place == Link::default() {
            *place = Link { state, mac };
        }
    }
    for (place, wanted) in (0..LINKS).zip(wanted) {
        if links.read(place) == Some(wanted) {
            continue;
        }
        // A frame must not meet one interface's MAC and the state of another.
        for value in [Link { state: 0, ..wanted }, wanted] {
            links.write(place, value);
        }
    }
}

/// Whether what is redirected to an interface goes out there.
fn sends(lane: &Lane, run_by: RunBy) -> bool {
    if run_by == RunBy::Kernel {
        return true;
    }
    match feature(&lane.interface) {
        Ok(Some(features)) => features.sends(),
        // Whoever asks for XDP by name on a kernel that does not tell, knows.
        Ok(None) => lane.attach == Attach::Xdp,
        Err(_) => false,
    }
}

fn feature(interface: &str) -> io::Result<Option<Features>> {
    features(index_of(interface)?)
}

fn one(ebpf: &mut Ebpf, pins: &Pins, lane: &Lane) -> Result<Acceleration, AttachError> {
    let told = |run_by: Option<RunBy>, why: &str| Acceleration {
        interface: lane.interface.clone(),
        run_by,
        why: why.to_owned(),
    };
    let refused = |reason: String| AttachError::NotAccelerated {
        program: xdp_of(lane.side),
        interface: lane.interface.clone(),
        reason,
    };
    match lane.attach {
        Attach::Tc => {
            leave(pins, lane)?;
            Ok(told(None, "asked for"))
        }
        Attach::Xdp => {
            put(ebpf, pins, lane, RunBy::Driver).map_err(|reason| {
                refused(format!(
                    "{reason}; write attach = \"auto\" or \"tc\" for it"
                ))
            })?;
            Ok(told(Some(RunBy::Driver), "asked for"))
        }
        Attach::XdpGeneric => {
            put(ebpf, pins, lane, RunBy::Kernel).map_err(refused)?;
            Ok(told(Some(RunBy::Kernel), "asked for"))
        }
        Attach::Auto => {
            let obstacle = obstacle(lane);
            let result = match obstacle {
                Some(obstacle) => Err(obstacle),
                None => put(ebpf, pins, lane, RunBy::Driver),
            };
            match result {
                Ok(()) => Ok(told(Some(RunBy::Driver), "its driver runs XDP")),
                Err(why) => {
                    leave(pins, lane)?;
                    Ok(told(None, &why))
                }
            }
        }
    }
}

/// Why `auto` does not even try.
fn obstacle(lane: &Lane) -> Option<String> {
    if lane.obstacle.is_some() {
        return lane.obstacle.clone();
    }
    match feature(&lane.interface) {
        Ok(Some(features)) if features.is_native() => None,
        Ok(Some(_)) => Some("its driver has no native XDP".to_owned()),
        Ok(None) => Some(SILENT.to_owned()),
        Err(error) => Some(format!("its driver cannot be asked: {error}")),
    }
}

/// Takes XDP off a lane.
fn leave(pins: &Pins, lane: &Lane) -> Result<(), AttachError> {
    let Ok(index) = index_of(&lane.interface) else {
        return Ok(());
    };
    let file = interface_file(&lane.interface, index);
    for path in [pins.xdp().join(&file), pins.xdp_generic().join(&file)] {
        remove(&path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), AttachError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AttachError::Detach {
            path: path.to_owned(),
            source: error,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Puts the program of a side in front of TC. A pinned link gets it in one
/// step; one of the other mode has to go first.
fn put(ebpf: &mut Ebpf, pins: &Pins, lane: &Lane, run_by: RunBy) -> Result<(), String> {
    let index = index_of(&lane.interface).map_err(|error| error.to_string())?;
    let program = load::xdp(ebpf, xdp_of(lane.side))?;
    let file = interface_file(&lane.interface, index);
    let (own, other, mode) = match run_by {
        RunBy::Driver => (pins.xdp(), pins.xdp_generic(), XdpMode::Driver),
        RunBy::Kernel => (pins.xdp_generic(), pins.xdp(), XdpMode::Skb),
    };
    unpin(&other.join(&file)).map_err(|error| error.to_string())?;
    let pin = own.join(&file);
    if pin.exists() {
        if replace(program, &pin).is_ok() {
            return Ok(());
        }
        // A link that cannot be updated is dead: a new one takes its place.
        unpin(&pin).map_err(|error| error.to_string())?;
    }
    make(program, index, mode, pin)
}

fn replace(program: &mut Xdp, pin: &Path) -> Result<(), String> {
    let pinned = PinnedLink::from_pin(pin).map_err(|error| chain(&error))?;
    let link = XdpLink::try_from(FdLink::from(pinned)).map_err(|error| chain(&error))?;
    let replaced = program
        .attach_to_link(link)
        .and_then(|id| program.take_link(id));
    // The pin keeps the link; our descriptor of it may close.
    replaced.map(drop).map_err(|error| program_reason(&error))
}

fn make(program: &mut Xdp, index: u32, mode: XdpMode, pin: PathBuf) -> Result<(), String> {
    let link = program
        .attach_to_if_index(index, mode)
        .and_then(|id| program.take_link(id));
    let link = link.map_err(|error| refusal(&error))?;
    let link = FdLink::try_from(link).map_err(|error| chain(&error))?;
    link.pin(pin).map_err(|error| chain(&error))?;
    Ok(())
}

/// What a driver means by its error.
fn refusal(error: &ProgramError) -> String {
    let code = match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        _ => None,
    };
    match code {
        Some(libc::EOPNOTSUPP) => {
            "its driver has no native XDP, or not as it is set now".to_owned()
        }
        Some(libc::EBUSY | libc::EEXIST) => "another XDP program is attached to it".to_owned(),
        Some(libc::ERANGE | libc::EINVAL | libc::E2BIG | libc::ENOSPC) => format!(
            "its driver refuses native XDP as it is set now, mostly for its MTU, its queues or LRO \
             ({}); the kernel's log may say more",
            chain(error)
        ),
        _ => program_reason(error),
    }
}
