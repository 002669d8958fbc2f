//! The tables of the hashing schedulers, filled as IPVS fills them.
//!
//! Servers come newest first; resting ones keep their place, so that the
//! clients of the others stay where they are.

use vsnat_core::schedule::hash::{HASH_SLOTS, MAGLEV_KEY, MAGLEV_SLOTS, MAGLEV_STEP_KEY, sip_hash};

use crate::plane::order::Listed;

/// Servers a table of `mh` takes turns with: a weight counts up to 2^6 turns,
/// half of the bits of the table's size.
const MAGLEV_TURN_BITS: u32 = 6;

/// `sh`: each server fills as many slots in a row as it weighs, at least one,
/// over and over.
pub fn by_source(servers: &[Listed]) -> Vec<Option<Listed>> {
    let in_a_row = |server: &Listed| server.weight.max(1) as usize;
    fill(
        servers
            .iter()
            .flat_map(|s| std::iter::repeat_n(*s, in_a_row(s).min(HASH_SLOTS as usize))),
    )
}

/// `dh`: one slot each, over and over, whatever they weigh.
pub fn by_destination(servers: &[Listed]) -> Vec<Option<Listed>> {
    fill(servers.iter().copied())
}

fn fill(row: impl Iterator<Item = Listed> + Clone) -> Vec<Option<Listed>> {
    let mut filled: Vec<Option<Listed>> = row.cycle().take(HASH_SLOTS as usize).map(Some).collect();
    filled.resize(HASH_SLOTS as usize, None);
    filled
}

/// A server's walk through the table of `mh`.
struct Walk {
    server: Listed,
    at: u32,
    step: u32,
    turns: u32,
}

/// `mh`: every server walks through the table in an order of its own and takes
/// the next free slot, as many in a turn as its weight is worth.
pub fn maglev(servers: &[Listed]) -> Vec<Option<Listed>> {
    let mut table = vec![None; MAGLEV_SLOTS as usize];
    let mut walks = walks(servers);
    if walks.is_empty() {
        return table;
    }
    let mut free = MAGLEV_SLOTS;
    loop {
        for walk in &mut walks {
            for _ in 0..walk.turns {
                while table[walk.at as usize].is_some() {
                    walk.at = (walk.at + walk.step) % MAGLEV_SLOTS;
                }
                table[walk.at as usize] = Some(walk.server);
                free -= 1;
                if free == 0 {
                    return table;
                }
            }
        }
    }
}

/// Those that ever weighed anything. The last weight counts that was not zero,
/// so that a rest does not move anybody.
fn walks(servers: &[Listed]) -> Vec<Walk> {
    let weights = servers.iter().map(|s| s.last_weight);
    let step = weights.clone().fold(0, gcd).max(1);
    let largest = weights.max().unwrap_or(0) / step;
    let bits = u32::BITS - largest.leading_zeros();
    let shift = bits.saturating_sub(MAGLEV_TURN_BITS);
    let walk = |server: &Listed| {
        let value = server.address.wrapping_add(u32::from(server.port));
        Walk {
            server: *server,
            at: sip_hash(value, MAGLEV_KEY) % MAGLEV_SLOTS,
            step: sip_hash(value, MAGLEV_STEP_KEY) % (MAGLEV_SLOTS - 1) + 1,
            turns: ((server.last_weight / step) >> shift).max(1),
        }
    };
    let ever = servers.iter().filter(|s| s.last_weight > 0);
    ever.map(walk).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
