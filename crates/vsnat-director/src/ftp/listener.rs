//! The clients of one service.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time;

use crate::ftp::{Shared, session, socket};

/// After a failure of the host, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

const TOO_MANY: &[u8] = b"421 Too many connections; try again later.\r\n";

/// Listens until it is dropped. The sessions go on.
pub struct Listener {
    task: JoinHandle<()>,
}

/// A service whose clients are served.
pub struct Service {
    pub address: SocketAddrV4,
    /// Whether it was told what to do about encryption.
    told_of_tls: AtomicBool,
}

impl Listener {
    pub fn open(address: SocketAddrV4, shared: &Shared) -> io::Result<Self> {
        let listener = socket::listen(address)?;
        let service = Arc::new(Service {
            address,
            told_of_tls: AtomicBool::new(false),
        });
        Ok(Listener {
            task: tokio::spawn(accept(listener, service, shared.clone())),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    /// Says once what makes data connections work that nobody can read of.
    pub fn tell_of_tls(&self) {
        if self.told_of_tls.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            "a client of {} encrypts its control connection, so its data connections cannot be \
             read there: make the service persistent, give the servers a fixed range of passive \
             ports, and have them announce {} in passive mode; see docs/ftp.md",
            self.address,
            self.address.ip()
        );
    }
}

async fn accept(listener: TcpListener, service: Arc<Service>, shared: Shared) {
    loop {
        match listener.accept().await {
            Ok((stream, SocketAddr::V4(client))) => {
                admit(stream, client, &service, &shared);
            }
            Ok((_, SocketAddr::V6(_))) => {}
            Err(error) => {
                tracing::debug!("accepting on {}: {error}", service.address);
                time::sleep(PAUSE).await;
            }
        }
    }
}

fn admit(stream: TcpStream, client: SocketAddrV4, service: &Arc<Service>, shared: &Shared) {
    let Ok(place) = Arc::clone(&shared.free).try_acquire_owned() else {
        tracing::warn!("{client} is refused: too many FTP control connections");
        // What does not fit into an empty buffer is not worth waiting for.
        let _ = stream.try_write(TOO_MANY);
        return;
    };
    let (service, shared) = (Arc::clone(service), shared.clone());
    tokio::spawn(async move {
        session::serve(stream, client, &service, shared).await;
        drop(place);
    });
}
