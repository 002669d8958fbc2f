//! A small HTTP server on the loopback interface, a thread for each
//! connection, that answers as a test wants it to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use vsnat_load::{Amount, Drive, HttpPlan, HttpRequest, LoadPlan};

/// What a server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub connections: AtomicU64,
    pub requests: AtomicU64,
}

/// Answers one request; `number` counts all requests of the server. Returns
/// whether the connection stays open.
pub type Answering = dyn Fn(u64, &mut TcpStream) -> bool + Send + Sync;

/// Two threads that ask one server for its document.
pub fn plan(address: SocketAddr, drive: Drive, amount: Amount) -> HttpPlan {
    let mut load = LoadPlan::new(vec![address], drive, amount);
    load.threads = 2;
    load.timeout = Duration::from_secs(10);
    let request = HttpRequest {
        host: "virtual".to_owned(),
        path: "/".to_owned(),
    };
    HttpPlan::new(load, request)
}

pub struct Site {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    ends: Arc<AtomicBool>,
}

impl Site {
    pub fn start(answering: impl Fn(u64, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Site {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            ends: Arc::default(),
        };
        let (seen, ends) = (site.seen.clone(), site.ends.clone());
        let answering: Arc<Answering> = Arc::new(answering);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, answering) = (seen.clone(), answering.clone());
                seen.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || serve(stream.unwrap(), &seen, &*answering));
            }
        });
        site
    }

    /// Sends a document with its length and closes where the client asked for it.
    pub fn of_length(bytes: usize) -> Self {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: {bytes}\r\n\r\n{}",
            "x".repeat(bytes)
        );
        Site::start(move |_, stream| stream.write_all(answer.as_bytes()).is_ok())
    }

    pub fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, seen: &Seen, answering: &Answering) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut closes = false;
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => closes |= line == "Connection: close\r\n",
            }
        }
        let number = seen.requests.fetch_add(1, Ordering::SeqCst);
        if !answering(number, &mut writer) || closes {
            return;
        }
    }
}
