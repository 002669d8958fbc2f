//! `vsnat run`: from options to a director that has ended.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use vsnat_config::{Config, DirectorName};

use crate::api::socket::{ApiSocket, SocketError};
use crate::dhcp::{self, DhcpError};
use crate::lock::{LockError, NameLock};
use crate::netns::{self, Namespace, NetnsError};
use crate::paths::Paths;
use crate::privilege::{self, PrivilegeError};
use crate::record::{Record, RecordError};
use crate::restore::{self, RestoreError};
use crate::serve::{Signals, serve};
use crate::start::{Setup, StartError, start};

/// What a director is run with.
#[derive(Clone, Debug)]
pub struct RunOptions {
    pub config: Config,
    /// Where the configuration was read from; SIGHUP looks at it again.
    pub config_path: Option<PathBuf>,
    /// Instead of the name in the file.
    pub name: Option<DirectorName>,
    /// Instead of the name's own socket.
    pub socket: Option<PathBuf>,
    /// The named network namespace to work in.
    pub netns: Option<String>,
    /// An eBPF object instead of the embedded one.
    pub object: Option<PathBuf>,
}

/// How a director ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The data plane forwards on; the next daemon adopts it.
    LeftForwarding,
    /// The host is as it was found.
    Removed,
}

/// Why a director did not start, or did not end well.
#[derive(Debug, Error)]
pub enum RunError {
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(
        "director {name} lives in another network namespace ({place}); take it down there first \
         (vsnat down --name {name}), or give this one another --name"
    )]
    Elsewhere { name: DirectorName, place: String },
    #[error(
        "director {other} works in this network namespace already, and its VIPs, masquerade and \
         forwarding would be mixed with those of {name}; take it down first (vsnat down --name \
         {other}), or give {name} a namespace of its own by --netns"
    )]
    Occupied { name: DirectorName, other: String },
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Dhcp(#[from] DhcpError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot run the daemon's tasks: {0}")]
    Runtime(#[from] io::Error),
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// Runs a director until it is told to end.
///
/// Enters the network namespace on the calling thread and for good: call this
/// before any other thread is started.
pub fn run(options: RunOptions) -> Result<Ending, RunError> {
    privilege::check()?;
    let namespace = netns::enter(options.netns.as_deref())?;
    let name = options.name.unwrap_or(options.config.name.clone());
    let paths = Paths::of(&name).with_socket(options.socket);
    let lock = NameLock::take(name.as_str(), &paths)?;
    let setup = Setup {
        config: options.config,
        name,
        paths: paths.clone(),
        namespace,
        object: options.object,
    };
    let result = run_locked(setup, options.config_path);
    // Nothing of a director is there, so nothing of its lock should be.
    if !paths.record.exists() {
        lock.forget();
    }
    result
}

fn run_locked(setup: Setup, config_path: Option<PathBuf>) -> Result<Ending, RunError> {
    not_elsewhere(&setup.name, &setup.paths, &setup.namespace)?;
    alone_here(&setup.name, &setup.paths, &setup.namespace)?;
    let (_socket, listener) = ApiSocket::bind(&setup.paths.socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // From here on Ctrl-C waits until the start is complete, and is then obeyed
    // in good order.
    let signals = Signals::listen(&runtime)?;

    let dhcp = dhcp::open(&setup.config, &setup.paths.leases)?;
    let engine = start(setup)?;
    let dhcp = dhcp.map(dhcp::Opened::serve).transpose()?;
    tracing::info!(
        "director {} serves; its API is at {}",
        engine.setup.name,
        engine.setup.paths.socket.display()
    );
    let ending = runtime.block_on(serve(engine, dhcp, listener, signals, config_path))??;
    Ok(ending)
}

/// What two directors change of one host could not be told apart when one of
/// them is taken down.
fn alone_here(name: &DirectorName, paths: &Paths, here: &Namespace) -> Result<(), RunError> {
    match Record::others_in(here, &paths.record).into_iter().next() {
        None => Ok(()),
        Some(other) => Err(RunError::Occupied {
            name: name.clone(),
            other,
        }),
    }
}

/// A director that was not taken down may have lived in another namespace. If
/// that one is gone, so is all that was changed in it.
fn not_elsewhere(name: &DirectorName, paths: &Paths, here: &Namespace) -> Result<(), RunError> {
    let Some(record) = Record::load(&paths.record)? else {
        return Ok(());
    };
    if record.namespace.cookie == here.cookie {
        return Ok(());
    }
    if let Some(place) = netns::find(record.namespace.cookie) {
        let name = name.clone();
        let place = place.display().to_string();
        return Err(RunError::Elsewhere { name, place });
    }
    tracing::warn!("the network namespace of the last director {name} is gone; starting afresh");
    restore::remove_leftovers(name, paths)?;
    Ok(())
}
