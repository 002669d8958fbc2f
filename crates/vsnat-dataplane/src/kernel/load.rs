//! Loading the programs over new or over pinned maps.

use std::path::{Path, PathBuf};

use aya::maps::{Array, Map, MapData, ProgramArray};
use aya::programs::{Program, ProgramError, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};
use vsnat_abi::settings::Settings;
use vsnat_abi::table::{Info, STASH_REFILL, STASH_SHARE};
use vsnat_abi::{map, step};
use vsnat_api::Side;

use crate::kernel::error::{map_reason, program_reason};
use crate::kernel::maps::KernelMaps;
use crate::kernel::object::{self, Object};
use crate::kernel::pins::Pins;
use crate::kernel::trial;
use crate::kernel::{DataPlane, OpenOptions, Origin, ProgramInfo};
use crate::{Backend, Limits, OpenError, Plane, Timeouts};

pub(super) const OUTER: &str = "vsnat_outer";
pub(super) const INNER: &str = "vsnat_inner";
/// Go on where the two programs end that are attached.
const OUTER_EXPECTED: &str = "vsnat_outer_expected";
const OUTER_CHOOSE: &str = "vsnat_outer_choose";
const OUTER_OPEN: &str = "vsnat_outer_open";
const OUTER_SEND: &str = "vsnat_outer_send";
const OUTER_ALONE: &str = "vsnat_outer_alone";
const OUTER_REFUSE: &str = "vsnat_outer_refuse";
const OUTER_PART: &str = "vsnat_outer_part";
const OUTER_ERROR: &str = "vsnat_outer_error";
const INNER_ERROR: &str = "vsnat_inner_error";
const INNER_REST: &str = "vsnat_inner_rest";
const INNER_PART: &str = "vsnat_inner_part";
const INNER_EXPECTED: &str = "vsnat_inner_expected";
const HAND_OVER: &str = "vsnat_hand_over";
const OUTER_SIX: &str = "vsnat_outer_six";
const INNER_SIX: &str = "vsnat_inner_six";
const OUTER_SIX_ERROR: &str = "vsnat_outer_six_error";
const INNER_SIX_ERROR: &str = "vsnat_inner_six_error";
const SIX_OUT: &str = "vsnat_six_out";
const SIX_ERROR_OUT: &str = "vsnat_six_error_out";
const PROGRAMS: [&str; 22] = [
    OUTER,
    OUTER_EXPECTED,
    OUTER_CHOOSE,
    OUTER_OPEN,
    OUTER_SEND,
    OUTER_ALONE,
    OUTER_REFUSE,
    OUTER_PART,
    OUTER_ERROR,
    INNER,
    INNER_REST,
    INNER_PART,
    INNER_ERROR,
    INNER_EXPECTED,
    HAND_OVER,
    OUTER_SIX,
    INNER_SIX,
    OUTER_SIX_ERROR,
    INNER_SIX_ERROR,
    SIX_OUT,
    SIX_ERROR_OUT,
    ARM,
];
const ARM: &str = "vsnat_arm";
/// In front of TC. Loaded when an interface gets them.
const XDP_OUTER: &str = "vsnat_xdp_outer";
const XDP_INNER: &str = "vsnat_xdp_inner";
const ACCELERATORS: [&str; 2] = [XDP_OUTER, XDP_INNER];

const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Maps that are pinned: all of them. While a director takes over, its programs
/// and those of the one before it work hand in hand on one packet; a map that
/// they did not share would lose what the first of them leaves to the next.
pub(super) const PINNED: [&str; 35] = [
    map::FLOWS4,
    map::RECENT,
    map::SLOTS,
    map::FREE,
    map::STASH,
    map::DECISION,
    map::SHARED,
    map::SERVICE_KEYS,
    map::SERVER_KEYS,
    map::EXPECTED,
    map::SERVICES,
    map::VIEWS,
    map::CURSORS,
    map::RING,
    map::DESTS,
    map::DEST_COUNTS,
    map::DEST_STATS,
    map::HOPS,
    map::CLIENT_WAYS,
    map::MARKS,
    map::LOCALITY,
    map::FRAGMENTS,
    map::STEPS,
    map::SETTINGS,
    map::FILTERS,
    map::DENY,
    map::COUNTERS,
    map::SWEEP,
    map::SWEEP_TIMER,
    map::LINKS,
    map::INFO,
    map::ADDRESSES6,
    map::STAND_INS,
    map::FREE6,
    map::DENY6,
];

/// As its map holds it: words, in the order of the fields.
type InfoWords = [u32; 6];

pub(super) fn open(options: &OpenOptions) -> Result<(DataPlane, Origin), OpenError> {
    let object = object::read(options.object.as_deref())?;
    if !Path::new(BTF).exists() {
        return Err(OpenError::NoBtf);
    }
    let pins = Pins::new(&options.name);
    let adopted = is_adopted(&pins, &options.limits)?;
    pins.prepare()?;
    let opened = load_over(options, &object, &pins, adopted);
    if opened.is_err() && !adopted {
        // Half a data plane must not be left behind; the first error counts.
        let _ = pins.remove();
    }
    opened
}

/// Loads the programs once, for their sizes alone.
pub fn program_infos(object: Option<PathBuf>) -> Result<Vec<ProgramInfo>, OpenError> {
    let object = object::read(object.as_deref())?;
    let mut ebpf = load(&object, &Limits::default(), None)?;
    load_programs(&mut ebpf)?;
    for name in ACCELERATORS {
        let loaded = xdp(&mut ebpf, name);
        loaded.map_err(|reason| OpenError::Program {
            program: name.to_owned(),
            reason,
        })?;
    }
    let info = |name: &&str| {
        let info = match ebpf.program(name)? {
            Program::SchedClassifier(program) => program.info(),
            Program::Xdp(program) => program.info(),
            _ => return None,
        };
        let info = info.ok()?;
        Some(ProgramInfo {
            name: (*name).to_owned(),
            verified_instructions: info.verified_instruction_count()?,
            bytes: info.size_translated()?,
        })
    };
    Ok(PROGRAMS
        .iter()
        .chain(&ACCELERATORS)
        .filter_map(info)
        .collect())
}

pub(super) fn program_of(side: Side) -> &'static str {
    match side {
        Side::Outer => OUTER,
        Side::Inner => INNER,
    }
}

pub(super) fn xdp_of(side: Side) -> &'static str {
    match side {
        Side::Outer => XDP_OUTER,
        Side::Inner => XDP_INNER,
    }
}

/// An XDP program, loaded.
pub(super) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp, String> {
    let Some(program) = ebpf.program_mut(name) else {
        return Err(format!("the eBPF object has no program {name}"));
    };
    let program: Result<&mut Xdp, ProgramError> = program.try_into();
    let program = program.map_err(|error| program_reason(&error))?;
    if program.fd().is_err() {
        program.load().map_err(|error| program_reason(&error))?;
    }
    Ok(program)
}

pub(super) fn classifier<'a>(
    ebpf: &'a mut Ebpf,
    name: &str,
) -> Result<&'a mut SchedClassifier, OpenError> {
    let missing = |reason: String| OpenError::Program {
        program: name.to_owned(),
        reason,
    };
    let Some(program) = ebpf.program_mut(name) else {
        return Err(missing("the eBPF object has no such program".to_owned()));
    };
    program
        .try_into()
        .map_err(|error| missing(program_reason(&error)))
}

/// Whether a finished data plane is pinned, and of our layout and size.
fn is_adopted(pins: &Pins, limits: &Limits) -> Result<bool, OpenError> {
    if !pins.exist() {
        return Ok(false);
    }
    let found = match pins.map(map::INFO).exists() {
        true => read_info(pins)?,
        false => Info::default(),
    };
    if found.abi_version == 0 {
        // Whoever made or removed it died before the end: its maps must not be
        // mixed with new ones.
        let removed = pins.remove();
        removed.map_err(|error| OpenError::Map {
            map: map::INFO,
            reason: error.to_string(),
        })?;
        return Ok(false);
    }
    let wanted = limits.info();
    if found == wanted {
        return Ok(true);
    }
    Err(OpenError::OtherLayout {
        name: pins.name.clone(),
        found: describe(&found),
        wanted: describe(&wanted),
    })
}

fn describe(info: &Info) -> String {
    format!(
        "with layout {} for {} connections, {} services and {} servers",
        info.abi_version, info.connections, info.services, info.servers
    )
}

fn read_info(pins: &Pins) -> Result<Info, OpenError> {
    let failed = |reason: String| OpenError::Map {
        map: map::INFO,
        reason,
    };
    let data = MapData::from_pin(pins.map(map::INFO));
    let data = data.map_err(|error| failed(map_reason(&error)))?;
    let array: Result<Array<MapData, InfoWords>, _> = Map::Array(data).try_into();
    let array = array.map_err(|error| failed(map_reason(&error)))?;
    let words = array
        .get(&0, 0)
        .map_err(|error| failed(map_reason(&error)))?;
    let [
        abi_version,
        connections,
        services,
        servers,
        ring_entries,
        zero,
    ] = words;
    Ok(Info {
        abi_version,
        connections,
        services,
        servers,
        ring_entries,
        zero,
    })
}

fn load_over(
    options: &OpenOptions,
    object: &Object,
    pins: &Pins,
    adopted: bool,
) -> Result<(DataPlane, Origin), OpenError> {
    let mut ebpf = load(object, &options.limits, Some(pins))?;
    load_programs(&mut ebpf)?;
    link_steps(&mut ebpf)?;
    let maps = KernelMaps::new(&mut ebpf, &options.limits)?;
    let running = maps.memory().sweep.read(0).map_or(0, |sweep| sweep.version);
    let mut plane = Plane::new(maps);
    if !adopted {
        let memory = *plane.backend().memory();
        memory.settings.write(0, first_settings(&options.limits));
        plane.set_timeouts(&Timeouts::default());
    }
    arm(&mut ebpf)?;
    // Written last: a data plane without it was never finished.
    plane
        .backend()
        .memory()
        .info
        .write(0, options.limits.info());
    let origin = if adopted {
        Origin::Adopted {
            running,
            loaded: object.version,
        }
    } else {
        Origin::Loaded
    };
    let data_plane = DataPlane {
        plane,
        ebpf,
        pins: pins.clone(),
        version: object.version,
        lanes: Vec::new(),
        accelerations: Vec::new(),
    };
    Ok((data_plane, origin))
}

/// A small table on many CPUs must not be spread over their stashes.
fn first_settings(limits: &Limits) -> Settings {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let share = limits.connections / STASH_SHARE / cpus;
    Settings {
        stash_refill: share.clamp(1, STASH_REFILL),
        recent_mask: limits.recent_cells() - 1,
        ..Settings::default()
    }
}

fn load(object: &Object, limits: &Limits, pins: Option<&Pins>) -> Result<Ebpf, OpenError> {
    let mut loader = EbpfLoader::new();
    loader.override_global("PROGRAM_VERSION", &object.version, true);
    for (name, entries) in [
        (map::FLOWS4, limits.flows()),
        (map::RECENT, limits.recent_cells()),
        (map::SLOTS, limits.connections),
        (map::FREE, limits.connections),
        (map::SERVICE_KEYS, limits.services),
        (map::SERVER_KEYS, limits.server_keys()),
        (map::SERVICES, limits.services),
        (map::VIEWS, limits.views()),
        (map::CURSORS, limits.services),
        (map::RING, limits.ring_entries()),
        (map::DESTS, limits.servers),
        (map::DEST_COUNTS, limits.servers),
        (map::DEST_STATS, limits.servers),
    ] {
        loader.map_max_entries(name, entries);
    }
    if let Some(pins) = pins {
        for name in PINNED {
            loader.map_pin_path(name, pins.map(name));
        }
    }
    Ok(loader.load(&object.bytes)?)
}

fn load_programs(ebpf: &mut Ebpf) -> Result<(), OpenError> {
    for name in PROGRAMS {
        let loaded = classifier(ebpf, name)?.load();
        loaded.map_err(|error| OpenError::Program {
            program: name.to_owned(),
            reason: program_reason(&error),
        })?;
    }
    Ok(())
}

/// Tells the programs what they go on with. The map's pin keeps its entries; a
/// program that is still attached goes on with the new ones,
/// whose layout is the same.
fn link_steps(ebpf: &mut Ebpf) -> Result<(), OpenError> {
    let failed = |reason: String| OpenError::Map {
        map: map::STEPS,
        reason,
    };
    for (step, name) in [
        (step::OUTER_EXPECTED, OUTER_EXPECTED),
        (step::OUTER_CHOOSE, OUTER_CHOOSE),
        (step::OUTER_OPEN, OUTER_OPEN),
        (step::OUTER_SEND, OUTER_SEND),
        (step::OUTER_ALONE, OUTER_ALONE),
        (step::OUTER_REFUSE, OUTER_REFUSE),
        (step::OUTER_PART, OUTER_PART),
        (step::OUTER_ERROR, OUTER_ERROR),
        (step::INNER_ERROR, INNER_ERROR),
        (step::INNER_REST, INNER_REST),
        (step::INNER_PART, INNER_PART),
        (step::INNER_EXPECTED, INNER_EXPECTED),
        (step::HAND_OVER, HAND_OVER),
        (step::OUTER_SIX, OUTER_SIX),
        (step::INNER_SIX, INNER_SIX),
        (step::OUTER_SIX_ERROR, OUTER_SIX_ERROR),
        (step::INNER_SIX_ERROR, INNER_SIX_ERROR),
        (step::SIX_OUT, SIX_OUT),
        (step::SIX_ERROR_OUT, SIX_ERROR_OUT),
        (step::OUTER, OUTER),
        (step::INNER, INNER),
    ] {
        let program = classifier(ebpf, name)?.fd();
        let program = program.and_then(|fd| Ok(fd.try_clone()?));
        let program = program.map_err(|error| failed(program_reason(&error)))?;
        let Some(steps) = ebpf.map_mut(map::STEPS) else {
            return Err(failed("the eBPF object has no such map".to_owned()));
        };
        let steps: Result<ProgramArray<_>, _> = steps.try_into();
        let mut steps = steps.map_err(|error| failed(map_reason(&error)))?;
        let set = steps.set(step, &program, 0);
        set.map_err(|error| failed(map_reason(&error)))?;
    }
    Ok(())
}

/// Starts the sweeper, or hands a running one over to this program.
fn arm(ebpf: &mut Ebpf) -> Result<(), OpenError> {
    let result = trial::run_empty(classifier(ebpf, ARM)?);
    let answer = result.map_err(|reason| OpenError::Program {
        program: ARM.to_owned(),
        reason,
    })?;
    match answer {
        0 => Ok(()),
        error => Err(OpenError::Sweeper(error)),
    }
}
