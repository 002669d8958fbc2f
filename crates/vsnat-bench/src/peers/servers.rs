//! The real servers: nginx with documents of several sizes, and an answerer of UDP.

use std::fs;
use std::net::{SocketAddrV4, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use vsnat_lab::servers::ServerProcess;
use vsnat_lab::{LabError, Namespace};

use super::PeersError;
use super::network::{ECHO_PORT, HTTP_PORT, Network};
use super::program::{self, Programs};
use super::rows::Document;

const CONFIG: &str = include_str!("nginx_server.conf");

/// Hundreds of clients ask at once, and none may wait for an answer that was lost.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// How soon an answerer sees that it is to end.
const POLL: Duration = Duration::from_millis(100);
/// Larger than any datagram.
const DATAGRAM_MAX_BYTES: usize = 65536;

/// All real servers. Dropping it stops them.
#[derive(Debug)]
pub struct Servers {
    _web: Vec<ServerProcess>,
    _echo: Vec<Echo>,
}

impl Servers {
    pub fn start(network: &Network, programs: &Programs) -> Result<Self, PeersError> {
        let folder = network.folder();
        let documents = folder.join("documents");
        write_documents(&documents)?;
        let mut web = Vec::new();
        let mut echo = Vec::new();
        for (namespace, address) in network.servers() {
            let folder = folder.join(format!("web-{address}"));
            let address = SocketAddrV4::new(address, HTTP_PORT);
            web.push(nginx(programs, &namespace, address, &folder, &documents)?);
            let address = SocketAddrV4::new(*address.ip(), ECHO_PORT);
            echo.push(Echo::start(&namespace, address)?);
        }
        Ok(Servers {
            _web: web,
            _echo: echo,
        })
    }
}

fn write_documents(folder: &Path) -> Result<(), PeersError> {
    let write = || {
        fs::create_dir_all(folder)?;
        for document in Document::ALL {
            let text = vec![b'v'; document.bytes() as usize];
            fs::write(folder.join(document.file()), text)?;
        }
        Ok::<(), std::io::Error>(())
    };
    write().map_err(PeersError::system(format!(
        "write documents into {}",
        folder.display()
    )))
}

fn nginx(
    programs: &Programs,
    namespace: &Namespace,
    address: SocketAddrV4,
    folder: &Path,
    documents: &Path,
) -> Result<ServerProcess, PeersError> {
    let config = program::filled(
        CONFIG,
        &[
            ("FOLDER", folder.display().to_string()),
            ("ADDRESS", address.to_string()),
            ("DOCUMENTS", documents.display().to_string()),
        ],
    );
    let config = program::configure(folder, "nginx.conf", &config)?;
    let mut nginx = programs.nginx(folder, &config);
    let started = ServerProcess::start(namespace, "nginx", &mut nginx, address, folder)?;
    Ok(started)
}

/// A thread that sends each datagram back. Dropping it stops it.
#[derive(Debug)]
struct Echo {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), LabError>>>,
}

impl Echo {
    fn start(namespace: &Namespace, address: SocketAddrV4) -> Result<Self, PeersError> {
        let socket = namespace.run(|| bind(address))??;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = namespace.thread("echo", move || answer(&socket, &seen))?;
        Ok(Echo {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddrV4) -> Result<UdpSocket, PeersError> {
    let failed = || PeersError::system::<std::io::Error>(format!("listen on UDP {address}"));
    let socket = UdpSocket::bind(address).map_err(failed())?;
    socket.set_read_timeout(Some(POLL)).map_err(failed())?;
    setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES).map_err(
        PeersError::system::<nix::Error>(format!("get buffers for UDP {address}")),
    )?;
    Ok(socket)
}

fn answer(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = vec![0; DATAGRAM_MAX_BYTES];
    while !stop.load(Ordering::Relaxed) {
        // Errors are timeouts, and those of earlier answers (ICMP).
        if let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], client);
        }
    }
}
