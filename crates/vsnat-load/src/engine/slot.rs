//! A place for one connection and the request on it.

use std::net::SocketAddr;
use std::time::Instant;

use socket2::Socket;

/// A connection, used again from request to request.
#[derive(Debug)]
pub(super) struct Slot<E> {
    pub socket: Option<Socket>,
    pub stage: Stage,
    /// Counts the sockets that this slot has had: tells an event of an earlier
    /// one apart.
    pub generation: u32,
    pub target: SocketAddr,
    pub began: Instant,
    /// When the connection stood.
    pub connected: Instant,
    /// In an open loop, when the request should have begun.
    pub due: Option<Instant>,
    pub deadline: Instant,
    pub first_byte: Option<Instant>,
    pub sent_bytes: usize,
    pub exchange: E,
}

/// How far the request of a slot has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No request; the connection, if there is one, is idle.
    Free,
    Connecting,
    Sending,
    Awaiting,
    /// Answered; the server is about to close.
    Closing,
}

impl Stage {}

impl<E> Slot<E> {
    pub fn new(target: SocketAddr, now: Instant, exchange: E) -> Self {
        Slot {
            socket: None,
            stage: Stage::Free,
            generation: 0,
            target,
            began: now,
            connected: now,
            due: None,
            deadline: now,
            first_byte: None,
            sent_bytes: 0,
            exchange,
        }
    }

    /// What events of this slot's present socket carry.
    pub fn token(&self, place: usize) -> u64 {
        u64::from(self.generation) << 32 | place as u64
    }

    pub fn is_of(&self, token: u64) -> bool {
        u64::from(self.generation) == token >> 32
    }

    /// From now on events of the present socket are those of an earlier one.
    pub fn drop_socket(&mut self) {
        self.socket = None;
        self.generation = self.generation.wrapping_add(1);
    }
}

/// The place that a token names.
pub(super) fn place(token: u64) -> usize {
    token as u32 as usize
}
