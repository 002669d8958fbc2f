//! Bringing a new order of servers into force by one store.

use std::sync::atomic::{Ordering, fence};

use vsnat_abi::service::{VIEWS_PER_SERVICE, View, scheduler, scheduler_flag};
use vsnat_api::CommandError;

use crate::Backend;
use crate::plane::order::{Listed, Standing, order, standing};
use crate::plane::{Known, Plane};

/// How long a service waits for room that is about to become free: as many
/// rounds of a few milliseconds.
const ROOM_ROUNDS: u32 = 50;
const ROOM_ROUND: std::time::Duration = std::time::Duration::from_millis(2);

impl<B: Backend> Plane<B> {
    /// Writes ring and view of a service and switches to them. The caller's
    /// copy of the service is up to date afterwards.
    pub(super) fn publish(
        &mut self,
        known: &mut Known,
        standing: Standing,
    ) -> Result<(), CommandError> {
        let memory = *self.backend.memory();
        let order = order(known.scheduler, &self.listed(known), standing);
        let first = self.room(order.entries.len() as u32)?;
        for (at, entry) in (first..).zip(&order.entries) {
            memory.ring.write(at, *entry);
        }
        let number = (known.view + 1) % VIEWS_PER_SERVICE;
        let index = known.index * VIEWS_PER_SERVICE + number;
        let view = View {
            ring: first,
            flags: u32::from(known.flags.bits()) | self.limits_of(known),
            anchor: match order.view.scheduler {
                // What was remembered before this scheduler was chosen is void.
                scheduler::LBLC | scheduler::LBLCR => match standing.bound {
                    0 => self.backend.now_ns(),
                    bound => bound,
                },
                _ => order.view.anchor,
            },
            cursor_base: memory.cursors.read(known.index).unwrap_or(0),
            ..order.view
        };
        memory.views.write(index, view);
        fence(Ordering::Release);
        if let Some(service) = memory.services.at(known.index) {
            // SAFETY: a valid element; the reader follows this one word.
            unsafe { (&raw mut (*service).view).write_volatile(u64::from(index)) }
        }
        known.view = number;
        let now_ns = self.backend.now_ns();
        self.space
            .replace(known.index, first, order.entries.len() as u32, now_ns);
        Ok(())
    }

    /// Whether the view in force lists the servers of the service.
    pub(super) fn is_published(&self, known: &Known) -> bool {
        let memory = self.backend.memory();
        let index = known.index * VIEWS_PER_SERVICE + known.view;
        let in_force = memory
            .services
            .read(known.index)
            .map(|service| service.view);
        let Some(view) = memory.views.read(index) else {
            return false;
        };
        let wanted = order(known.scheduler, &self.listed(known), Standing::default());
        let written = (view.ring..).take(view.ring_entries as usize);
        in_force == Some(u64::from(index))
            && wanted.view.scheduler == view.scheduler
            && written
                .map(|at| memory.ring.read(at).unwrap_or(0))
                .eq(wanted.entries)
    }

    /// Where the scheduler of a service stands now.
    pub(super) fn standing(&self, known: &Known) -> Standing {
        let memory = self.backend.memory();
        let index = known.index * VIEWS_PER_SERVICE + known.view;
        let Some(view) = memory.views.read(index) else {
            return Standing::default();
        };
        let cursor = memory.cursors.read(known.index).unwrap_or(0);
        let picks = cursor.wrapping_sub(view.cursor_base);
        standing(&view, |at| memory.ring.read(at).unwrap_or(0), picks)
    }

    fn limits_of(&self, known: &Known) -> u32 {
        let dests = self.backend.memory().dests;
        let is_limited = |index: &u32| dests.read(*index).is_some_and(|dest| dest.upper != 0);
        match known.dests.iter().any(is_limited) {
            true => scheduler_flag::LIMITED,
            false => 0,
        }
    }

    fn listed(&self, known: &Known) -> Vec<Listed> {
        let dests = self.backend.memory().dests;
        let listed = |index: &u32| {
            let dest = dests.read(*index)?;
            Some(Listed {
                dest: *index,
                weight: dest.weight,
                last_weight: dest.last_weight,
                address: self.hashed(dest.address),
                port: dest.port.host(),
            })
        };
        known.dests.iter().filter_map(listed).collect()
    }

    fn room(&mut self, len: u32) -> Result<u32, CommandError> {
        for _ in 0..ROOM_ROUNDS {
            let now_ns = self.backend.now_ns();
            if let Some(first) = self.space.find(len, now_ns) {
                return Ok(first);
            }
            std::thread::sleep(ROOM_ROUND);
        }
        let end = self.backend.memory().ring.len();
        Err(CommandError::Failed {
            message: format!(
                "the order of this service's servers takes {len} entries, and of {end} too few are \
                 free: many different weights under wrr take many; use fewer, or raise \
                 [limits] servers and restart the director"
            ),
        })
    }
}
