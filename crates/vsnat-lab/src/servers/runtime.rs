//! A thread in a namespace that runs one server's event loop until it is told
//! to stop.

use std::future::Future;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use crate::LabError;
use crate::namespace::Namespace;

/// A load generator opens hundreds of connections at once; the kernel cuts
/// this down to net.core.somaxconn.
const BACKLOG: u32 = 4096;

/// The thread of a running server. Dropping it stops the server.
#[derive(Debug)]
pub(crate) struct ServerThread {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), LabError>>>,
}

impl ServerThread {
    /// Runs in `namespace`: first `bind`, whose failure is returned from here,
    /// then the future that `serve` makes of what was bound, until stopped.
    pub fn start<B, Bind, Serve, Fut>(
        namespace: &Namespace,
        name: &str,
        bind: Bind,
        serve: Serve,
    ) -> Result<Self, LabError>
    where
        Bind: FnOnce() -> Result<B, LabError> + Send + 'static,
        Serve: FnOnce(B) -> Fut + Send + 'static,
        Fut: Future<Output = ()>,
    {
        let (stop, stopped) = oneshot::channel();
        let (report, bound) = mpsc::channel();
        let work = move || {
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(error) => return drop(report.send(Err(error))),
            };
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async move {
                let bound = match bind() {
                    Ok(bound) => bound,
                    Err(error) => return drop(report.send(Err(error))),
                };
                let _ = report.send(Ok(()));
                tokio::select! {
                    () = serve(bound) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = namespace.thread(name, work)?;
        match bound.recv() {
            Ok(Ok(())) => Ok(ServerThread {
                stop: Some(stop),
                thread: Some(thread),
            }),
            Ok(Err(error)) => Err(error),
            // The thread ended without a report: it did not reach the work.
            Err(mpsc::RecvError) => Err(why_it_ended(thread)),
        }
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Listens, inside a runtime.
pub(crate) fn listen(address: std::net::SocketAddrV4) -> Result<TcpListener, LabError> {
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address.into())?;
        socket.listen(BACKLOG)
    };
    listen().map_err(LabError::io(format!("listen on TCP {address}")))
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, LabError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(LabError::io("make an event loop"))
}

fn why_it_ended(thread: JoinHandle<Result<(), LabError>>) -> LabError {
    match thread.join() {
        Ok(Err(error)) => error,
        Ok(Ok(())) | Err(_) => LabError::Io {
            what: "start a server".to_owned(),
            source: std::io::Error::other("its thread ended"),
        },
    }
}
