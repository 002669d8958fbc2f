//! A server that echoes: each message comes back as `NAME CLIENT:PORT
//! MESSAGE`, as the UDP echo server does it.
//!
//! One thread receives and answers; what it answers is in `conversation`.

use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use super::conversation::Peer;
use super::socket::RawSocket;
use crate::namespace::Namespace;
use crate::{Cancel, LabError};

/// How long a stopped server may take to notice.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a server has seen since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SctpCounts {
    /// Associations whose cookie came back.
    pub associations: u64,
    /// Messages echoed, each counted once.
    pub messages: u64,
    pub shutdowns: u64,
    pub aborts: u64,
    /// Packets dropped because of a wrong CRC32c.
    pub bad_checksums: u64,
    /// Packets dropped because of a wrong verification tag or cookie, or cut
    /// short.
    pub refused: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub associations: AtomicU64,
    pub messages: AtomicU64,
    pub shutdowns: AtomicU64,
    pub aborts: AtomicU64,
    pub bad_checksums: AtomicU64,
    pub refused: AtomicU64,
}

impl Counters {
    pub fn read(&self) -> SctpCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SctpCounts {
            associations: read(&self.associations),
            messages: read(&self.messages),
            shutdowns: read(&self.shutdowns),
            aborts: read(&self.aborts),
            bad_checksums: read(&self.bad_checksums),
            refused: read(&self.refused),
        }
    }
}

/// A running server in a namespace. Dropping it stops it.
#[derive(Debug)]
pub struct SctpServer {
    cancel: Cancel,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<Result<(), LabError>>>,
}

impl SctpServer {
    /// Returns when the server can be spoken to.
    pub fn start(
        namespace: &Namespace,
        name: &str,
        address: SocketAddrV4,
    ) -> Result<Self, LabError> {
        let (report, bound) = mpsc::channel();
        let counters = Arc::new(Counters::default());
        let cancel = Cancel::default();
        let mut peer = Peer::new(name, address.port(), Arc::clone(&counters));
        let raised = cancel.clone();
        let work = move || match listen(address) {
            Ok(mut socket) => {
                let _ = report.send(Ok(()));
                // A broken socket is noticed by the clients.
                let _ = serve(&mut socket, &mut peer, &raised);
            }
            Err(error) => drop(report.send(Err(error))),
        };
        let thread = namespace.thread(name, work)?;
        match bound.recv() {
            Ok(Ok(())) => Ok(SctpServer {
                cancel,
                counters,
                thread: Some(thread),
            }),
            Ok(Err(error)) => Err(error),
            // The thread ended without a report: it did not reach the work.
            Err(mpsc::RecvError) => Err(why_it_ended(thread)),
        }
    }

    pub fn counts(&self) -> SctpCounts {
        self.counters.read()
    }
}

impl Drop for SctpServer {
    fn drop(&mut self) {
        self.cancel.raise();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Is a server in the namespace of the caller until `cancel` is raised; gives
/// what it has seen.
pub fn run_server(
    address: SocketAddrV4,
    name: &str,
    cancel: &Cancel,
) -> Result<SctpCounts, LabError> {
    let counters = Arc::new(Counters::default());
    let mut socket = listen(address)?;
    let mut peer = Peer::new(name, address.port(), Arc::clone(&counters));
    serve(&mut socket, &mut peer, cancel)?;
    Ok(counters.read())
}

fn listen(address: SocketAddrV4) -> Result<RawSocket, LabError> {
    RawSocket::bind(*address.ip(), PATIENCE)
        .map_err(LabError::io(format!("listen on SCTP {address}")))
}

fn serve(socket: &mut RawSocket, peer: &mut Peer, cancel: &Cancel) -> Result<(), LabError> {
    while !cancel.is_raised() {
        let packet = socket
            .receive()
            .map_err(LabError::io("receive an SCTP packet"))?;
        let Some((sender, packet)) = packet else {
            continue;
        };
        if let Some(answer) = peer.answer(sender, packet) {
            // An answer that cannot be sent is as one that was lost.
            let _ = socket.send(sender, &answer);
        }
    }
    Ok(())
}

fn why_it_ended(thread: JoinHandle<Result<(), LabError>>) -> LabError {
    match thread.join() {
        Ok(Err(error)) => error,
        Ok(Ok(())) | Err(_) => LabError::Io {
            what: "start an SCTP server".to_owned(),
            source: std::io::Error::other("its thread ended"),
        },
    }
}
