//! What a test sees of a model besides its tables: the steps that a packet
//! takes, what another CPU does between two of them, and whether every slot is
//! in somebody's hands.

use vsnat_core::ahead::{self, Frame};
use vsnat_core::way::Step;
use vsnat_core::{Tables, Verdict};

use super::{Model, ModelPacket};

type Act = Box<dyn FnMut(&mut Model, Step) + Send>;

/// What happens between two steps of a packet.
#[derive(Default)]
pub(super) struct Between(Option<Act>);

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Between")
    }
}

impl Model {
    /// Whenever a packet goes on to another step this is called first, as
    /// another CPU may act then. Packets that it sends itself go undisturbed.
    pub fn between_steps(&mut self, act: impl FnMut(&mut Model, Step) + Send + 'static) {
        self.between = Between(Some(Box::new(act)));
    }

    pub(super) fn disturb(&mut self, step: Step) {
        let Some(mut act) = self.between.0.take() else {
            return;
        };
        // What one step leaves to the next is in a place of the CPU's own.
        let decision = self.decision.read(0);
        act(self, step);
        if let Some(decision) = decision {
            self.decision.write(0, decision);
        }
        self.between = Between(Some(act));
    }

    /// Chance begins anew: what is drawn from here on is decided by `seed`.
    pub fn draw_from(&mut self, seed: u64) {
        self.chance = seed | 1;
    }

    /// A frame from the clients, where an accelerator stands in front.
    pub fn outer_ahead(&mut self, packet: &mut ModelPacket) -> Option<Verdict> {
        ahead::outer(packet, self)
    }

    /// A frame from the servers, where an accelerator stands in front.
    pub fn inner_ahead(&mut self, packet: &mut ModelPacket) -> Option<Verdict> {
        ahead::inner(packet, self)
    }

    /// Slots that wait to be used: in the queue, in the stash, or never used.
    pub fn waiting_slots(&self) -> usize {
        let stashed = Tables::stash(self).map_or(0, |stash| stash.count() as usize);
        let used = Tables::shared(self).map_or(0, |shared| shared.fresh() as usize);
        let capacity = self.memory.slots.len() as usize;
        self.free.len() + stashed + capacity.saturating_sub(used)
    }
}

impl Frame for ModelPacket {
    /// Every link of a model sends what is redirected to it.
    fn may_leave_by(&self, _ifindex: u32) -> bool {
        true
    }
}
