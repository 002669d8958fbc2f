//! What the kernel tells of a data plane by itself, whether a director runs or
//! not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aya::maps::{Array, Map, MapData};
use aya::programs::loaded_programs;
use vsnat_abi::map;
use vsnat_abi::sweep::Sweep;
use vsnat_lab::LabName;

/// A report of the sweeper, as its map holds it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Report(Sweep);

// SAFETY: integers only, without padding; every bit pattern is a value.
unsafe impl aya::Pod for Report {}

/// What the sweeper reports at this moment.
pub fn sweep(lab: &LabName) -> Sweep {
    let data = MapData::from_pin(pin(lab, map::SWEEP)).unwrap();
    let reports: Array<MapData, Report> = Map::Array(data).try_into().unwrap();
    reports.get(&0, 0).unwrap().0
}

/// Every program in the kernel that uses the words which most programs of this lab
/// share, by its number: attached, armed or held by a process.
pub fn programs(lab: &LabName) -> BTreeMap<u32, String> {
    let shared = MapData::from_pin(pin(lab, map::SHARED)).unwrap();
    let shared = shared.info().unwrap().id();
    let mut programs = BTreeMap::new();
    // A program that ends while they are listed cannot be asked any more.
    for program in loaded_programs().flatten() {
        let Ok(Some(maps)) = program.map_ids() else {
            continue;
        };
        if maps.contains(&shared) {
            let name = program.name_as_str().unwrap_or_default();
            programs.insert(program.id(), name.to_owned());
        }
    }
    programs
}

fn pin(lab: &LabName, map: &str) -> PathBuf {
    PathBuf::from(format!("/sys/fs/bpf/vsnat/{}/{map}", lab.director_name()))
}
