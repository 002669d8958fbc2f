//! FTP's helper: the daemon stands on the control connections of services that
//! have it.
//!
//! The packet path schedules, tracks and counts such a connection as any other,
//! but hands its packets to this host. Here the client is accepted under the
//! VIP, and the server is called under the client's own address and port. What
//! the two say goes through [`vsnat_ftp`]; the data connections that they speak
//! of are told to the packet path and never pass through here.

mod limits;
mod listener;
mod requests;
mod session;
mod socket;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time;

use crate::engine::{Engine, Gone};
use crate::ftp::limits::{CONTROLS, LAST_WORDS, LOOK_AGAIN};
use crate::ftp::listener::Listener;

/// The running helper.
pub(crate) struct Helper {
    task: JoinHandle<()>,
    ending: watch::Sender<Ending>,
    free: Arc<Semaphore>,
}

/// Whether the helper is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    No,
    Yes,
}

/// What the sessions of all services share.
#[derive(Clone)]
struct Shared {
    engine: Arc<Engine>,
    ending: watch::Receiver<Ending>,
    free: Arc<Semaphore>,
}

impl Helper {
    pub fn start(engine: &Arc<Engine>) -> Self {
        let (ending, told) = watch::channel(Ending::No);
        let free = Arc::new(Semaphore::new(CONTROLS));
        let shared = Shared {
            engine: Arc::clone(engine),
            ending: told,
            free: Arc::clone(&free),
        };
        Helper {
            task: tokio::spawn(follow(shared)),
            ending,
            free,
        }
    }

    /// Ends all control connections, each with a word to its client. Data
    /// connections go on.
    pub async fn end(&self) {
        self.task.abort();
        let _ = self.ending.send(Ending::Yes);
        let all = self.free.acquire_many(CONTROLS as u32);
        if time::timeout(LAST_WORDS, all).await.is_err() {
            tracing::warn!("FTP control connections that take no more words are cut");
        }
    }
}

/// Listens where services with the helper are, from when they come until they
/// go.
async fn follow(shared: Shared) {
    let mut listeners = Listeners::default();
    loop {
        match shared.engine.blocking(Engine::helped).await {
            Ok(wanted) => listeners.settle(&wanted, &shared).await,
            Err(Gone) => return,
        }
        let _ = time::timeout(LOOK_AGAIN, shared.engine.changed.notified()).await;
    }
}

#[derive(Default)]
struct Listeners {
    open: BTreeMap<SocketAddrV4, Listener>,
    /// The last failure of each, so that it is told once.
    failures: BTreeMap<SocketAddrV4, String>,
    led: Led,
}

/// Whether the host leads the servers' packets here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Led {
    #[default]
    No,
    Yes,
    /// It could not be made to; told once.
    Failed(String),
}

impl Listeners {
    async fn settle(&mut self, wanted: &[SocketAddrV4], shared: &Shared) {
        self.open.retain(|address, _| wanted.contains(address));
        self.failures.retain(|address, _| wanted.contains(address));
        if wanted.is_empty() || !self.lead(shared).await {
            return;
        }
        for address in wanted {
            if self.open.contains_key(address) {
                continue;
            }
            match Listener::open(*address, shared) {
                Ok(listener) => {
                    tracing::info!("FTP's helper listens on {address}");
                    self.failures.remove(address);
                    self.open.insert(*address, listener);
                }
                Err(error) => self.failed(*address, &error.to_string()),
            }
        }
    }

    /// Whether the servers' packets come here, as they must before a client is
    /// accepted.
    async fn lead(&mut self, shared: &Shared) -> bool {
        if self.led == Led::Yes {
            return true;
        }
        self.led = match shared.engine.blocking(Engine::divert).await {
            Ok(Ok(())) => {
                limits::allow_files();
                Led::Yes
            }
            Ok(Err(error)) => {
                let failed = Led::Failed(error.clone());
                if self.led != failed {
                    tracing::error!(
                        "FTP's helper cannot lead the servers' packets to this host: {error}; \
                         trying again"
                    );
                }
                failed
            }
            Err(Gone) => Led::No,
        };
        self.led == Led::Yes
    }

    fn failed(&mut self, address: SocketAddrV4, error: &str) {
        let last = self.failures.insert(address, error.to_owned());
        if last.as_deref() != Some(error) {
            tracing::error!(
                "FTP's helper cannot listen on {address}: {error}; if another program of this \
                 host listens there, end it. Trying again"
            );
        }
    }
}
