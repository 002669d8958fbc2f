//! Established traffic that should not suffer: connections that are opened
//! before the flood and never closed.

use std::fmt;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::scale::ScaleError;
use crate::scale::flood::cpu::{self, ATTACKED};
use crate::scale::flood::network::{self, Network};

/// Connections of either kind.
const CONNECTIONS: usize = 8;
/// A request and its answer, small as an API's.
const MESSAGE: usize = 64;
const BLOCK: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// A request, and when it is answered the next.
    Requests,
    /// As much as goes.
    Bulk,
}

impl Traffic {
    pub const ALL: [Traffic; 2] = [Traffic::Requests, Traffic::Bulk];

    pub fn port(self) -> u16 {
        match self {
            Traffic::Requests => 5_001,
            Traffic::Bulk => 5_002,
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Traffic::Requests => "/s",
            Traffic::Bulk => "B/s",
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Traffic::Requests => "requests on open connections",
            Traffic::Bulk => "bulk transfer",
        })
    }
}

/// Client and server at work.
pub struct Victim {
    units: Arc<AtomicU64>,
    streams: Vec<TcpStream>,
}

impl Victim {
    pub fn start(network: &Network, traffic: Traffic) -> Result<Self, ScaleError> {
        let listener = network.server.run(|| {
            cpu::stay_on(ATTACKED)?;
            let listener = TcpListener::bind(network::server(traffic));
            let listener = listener.map_err(ScaleError::io("listen in the server's namespace"))?;
            thread::Builder::new()
                .name("server".to_owned())
                .spawn({
                    let listener = listener.try_clone();
                    move || listener.map(|listener| serve(&listener, traffic))
                })
                .map_err(ScaleError::io("start the server"))?;
            Ok::<TcpListener, ScaleError>(listener)
        })??;
        let victim = network.client.run(|| {
            cpu::stay_on(ATTACKED)?;
            Victim::connect(traffic)
        })??;
        // Its work goes on; nobody else is let in.
        drop(listener);
        Ok(victim)
    }

    fn connect(traffic: Traffic) -> Result<Self, ScaleError> {
        let units = Arc::new(AtomicU64::new(0));
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(network::service(traffic));
            let stream = stream.map_err(ScaleError::io("connect to the service"))?;
            stream
                .set_nodelay(true)
                .map_err(ScaleError::io("prepare a connection"))?;
            streams.push(stream);
        }
        for share in shares(&streams, traffic)? {
            let units = Arc::clone(&units);
            thread::Builder::new()
                .name("client".to_owned())
                .spawn(move || match traffic {
                    Traffic::Requests => ask(share, &units),
                    Traffic::Bulk => fetch(share, &units),
                })
                .map_err(ScaleError::io("start a client"))?;
        }
        Ok(Victim { units, streams })
    }

    /// What was transferred so far.
    pub fn units(&self) -> f64 {
        self.units.load(Ordering::Relaxed) as f64
    }

    /// All threads end with their connections.
    pub fn end(self) -> Result<(), ScaleError> {
        for stream in &self.streams {
            // The other side may have closed it already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        Ok(())
    }
}

/// The connections of each thread: requests go round by round, bulk needs no
/// order.
fn shares(streams: &[TcpStream], traffic: Traffic) -> Result<Vec<Vec<TcpStream>>, ScaleError> {
    let size = match traffic {
        Traffic::Requests => streams.len(),
        Traffic::Bulk => 1,
    };
    let copies = |share: &[TcpStream]| share.iter().map(TcpStream::try_clone).collect();
    let shares: std::io::Result<Vec<Vec<TcpStream>>> = streams.chunks(size).map(copies).collect();
    shares.map_err(ScaleError::io("share the connections"))
}

fn serve(listener: &TcpListener, traffic: Traffic) {
    let mut streams = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        let _ = stream.set_nodelay(true);
        streams.push(stream);
        if streams.len() == CONNECTIONS {
            break;
        }
    }
    match traffic {
        Traffic::Requests => answer(streams),
        Traffic::Bulk => streams.into_iter().for_each(|stream| {
            thread::spawn(move || pour(stream));
        }),
    }
    // The flood finds somebody who listens, for as long as the traffic lasts.
    while listener.accept().is_ok() {}
}

/// Whoever ends the connections ends these loops.
fn ask(mut streams: Vec<TcpStream>, units: &AtomicU64) {
    let mut message = [7; MESSAGE];
    loop {
        for stream in &mut streams {
            if stream.write_all(&message).is_err() {
                return;
            }
        }
        for stream in &mut streams {
            if stream.read_exact(&mut message).is_err() {
                return;
            }
            units.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn answer(mut streams: Vec<TcpStream>) {
    let mut message = [0; MESSAGE];
    loop {
        for stream in &mut streams {
            let answered = stream
                .read_exact(&mut message)
                .and_then(|()| stream.write_all(&message));
            if answered.is_err() {
                return;
            }
        }
    }
}

fn fetch(streams: Vec<TcpStream>, units: &AtomicU64) {
    let mut block = vec![0; BLOCK];
    for mut stream in streams {
        while let Ok(read @ 1..) = stream.read(&mut block) {
            units.fetch_add(read as u64, Ordering::Relaxed);
        }
    }
}

fn pour(mut stream: TcpStream) {
    let block = vec![7; BLOCK];
    while stream.write_all(&block).is_ok() {}
}
