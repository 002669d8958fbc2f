//! Whether a server serves.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server on the next link that needs longer than this is no help.
const PATIENCE: Duration = Duration::from_secs(1);

/// A way to find out; the reason of a failure is told to people.
pub(super) trait Checker: Send + Sync + 'static {
    fn check(&self, address: SocketAddr) -> impl Future<Output = Result<(), String>> + Send;
}

/// It accepts a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpConnect;

impl Checker for TcpConnect {
    async fn check(&self, address: SocketAddr) -> Result<(), String> {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_stream)) => Ok(()),
            Ok(Err(error)) => Err(format!("cannot connect: {error}")),
            Err(_) => Err(format!("no connection within {} s", PATIENCE.as_secs())),
        }
    }
}
