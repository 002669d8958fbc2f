//! INFORM: a client with an address of its own asks for the options.

use dhcproto::v4::MessageType;

use super::Server;
use crate::options::Granted;
use crate::{Action, Arrival, Request, answer};

impl Server {
    pub(super) fn inform(
        &mut self,
        index: usize,
        request: &Request,
        arrival: &Arrival,
    ) -> Vec<Action> {
        let network = &self.spaces[index].network;
        // Else anybody could have answers sent to others.
        let is_theirs = request.is_relayed() || arrival.source == request.ciaddr;
        if !is_theirs || !network.network.contains(&request.ciaddr) {
            return self.ignore();
        }
        let ack = MessageType::Ack;
        let answer = answer::grant(ack, request, arrival, network, Granted::OptionsOnly);
        self.counters.acks += 1;
        answer.into_iter().map(Action::Send).collect()
    }
}
