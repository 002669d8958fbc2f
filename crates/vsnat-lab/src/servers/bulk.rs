//! Long transfers with a digest at both ends.
//!
//! A client sends one line. `SEND n` makes the server send n bytes and close;
//! `TAKE n` makes it read n bytes and answer their digest. The bytes are a
//! fixed pseudo-random stream, so both ends know what must arrive.

use std::hash::{DefaultHasher, Hasher};
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream as BlockingStream};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::runtime::{ServerThread, listen};
use crate::LabError;
use crate::namespace::Namespace;

const CHUNK_BYTES: usize = 64 * 1024;

/// A running bulk server. Dropping it stops it.
#[derive(Debug)]
pub struct BulkServer {
    _thread: ServerThread,
}

impl BulkServer {
    pub fn start(
        namespace: &Namespace,
        name: &str,
        address: SocketAddrV4,
    ) -> Result<Self, LabError> {
        let thread = ServerThread::start(namespace, name, move || listen(address), accept)?;
        Ok(BulkServer { _thread: thread })
    }
}

/// Digest of a stream of bytes, however it is cut into pieces.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    hasher: DefaultHasher,
    bytes: u64,
}

impl Digest {
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn value(&self) -> u64 {
        self.hasher.finish()
    }
}

/// The stream that is sent: 64-bit words of a xorshift generator.
#[derive(Clone, Debug)]
pub struct Pattern {
    state: u64,
}

impl Default for Pattern {
    fn default() -> Self {
        Pattern {
            state: 0x9e37_79b9_7f4a_7c15,
        }
    }
}

impl Pattern {
    /// Fills a buffer, whose length is a multiple of eight, with what comes next.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for word in buffer.chunks_exact_mut(8) {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            word.copy_from_slice(&self.state.to_le_bytes());
        }
    }

    /// Digest of the first `bytes` bytes.
    pub fn digest(bytes: u64) -> u64 {
        let mut digest = Digest::default();
        let mut pattern = Pattern::default();
        let mut buffer = vec![0; CHUNK_BYTES];
        while digest.bytes() < bytes {
            pattern.fill(&mut buffer);
            digest.update(piece(&buffer, bytes - digest.bytes()));
        }
        digest.value()
    }
}

/// Receives `bytes` bytes from a bulk server at `target`; gives their digest.
/// To be called in the client's namespace.
pub fn download(target: SocketAddrV4, bytes: u64) -> Result<u64, LabError> {
    let what = || format!("download {bytes} bytes from {target}");
    let mut stream = BlockingStream::connect(target).map_err(LabError::io(what()))?;
    let line = format!("SEND {bytes}\n");
    stream
        .write_all(line.as_bytes())
        .map_err(LabError::io(what()))?;
    let mut digest = Digest::default();
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match stream.read(&mut buffer).map_err(LabError::io(what()))? {
            0 => break,
            length => digest.update(&buffer[..length]),
        }
    }
    if digest.bytes() != bytes {
        let source = std::io::Error::other(format!("only {} arrived", digest.bytes()));
        return Err(LabError::io(what())(source));
    }
    Ok(digest.value())
}

/// Sends `bytes` bytes to a bulk server at `target`; gives the digest that the
/// server computed. To be called in the client's namespace.
pub fn upload(target: SocketAddrV4, bytes: u64) -> Result<u64, LabError> {
    let what = || format!("upload {bytes} bytes to {target}");
    let exchange = || -> std::io::Result<String> {
        let mut stream = BlockingStream::connect(target)?;
        stream.write_all(format!("TAKE {bytes}\n").as_bytes())?;
        let mut pattern = Pattern::default();
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut sent = 0;
        while sent < bytes {
            pattern.fill(&mut buffer);
            let piece = piece(&buffer, bytes - sent);
            stream.write_all(piece)?;
            sent += piece.len() as u64;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(LabError::io(what()))?;
    u64::from_str_radix(answer.trim(), 16)
        .map_err(std::io::Error::other)
        .map_err(LabError::io(what()))
}

async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::task::spawn_local(converse(stream))),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// A conversation that breaks is noticed by the other end, which counts bytes.
async fn converse(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(CHUNK_BYTES, stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    match line.trim().split_once(' ') {
        Some(("SEND", bytes)) => send(stream.get_mut(), parse(bytes)?).await,
        Some(("TAKE", bytes)) => take(&mut stream, parse(bytes)?).await,
        Some(_) | None => Err(std::io::Error::other("neither SEND nor TAKE")),
    }
}

async fn send(stream: &mut TcpStream, bytes: u64) -> std::io::Result<()> {
    let mut pattern = Pattern::default();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut sent = 0;
    while sent < bytes {
        pattern.fill(&mut buffer);
        let piece = piece(&buffer, bytes - sent);
        stream.write_all(piece).await?;
        sent += piece.len() as u64;
    }
    stream.shutdown().await
}

async fn take(stream: &mut BufReader<TcpStream>, bytes: u64) -> std::io::Result<()> {
    let mut digest = Digest::default();
    let mut buffer = vec![0; CHUNK_BYTES];
    while digest.bytes() < bytes {
        match stream.read(&mut buffer).await? {
            0 => break,
            length => digest.update(&buffer[..length]),
        }
    }
    let answer = format!("{:016x}\n", digest.value());
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn piece(buffer: &[u8], left: u64) -> &[u8] {
    let length = usize::try_from(left).unwrap_or(usize::MAX);
    &buffer[..length.min(buffer.len())]
}

fn parse(bytes: &str) -> std::io::Result<u64> {
    bytes.parse().map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_does_not_depend_on_the_cuts() {
        let mut buffer = vec![0; 4096];
        Pattern::default().fill(&mut buffer);
        let mut whole = Digest::default();
        whole.update(&buffer);
        let mut pieces = Digest::default();
        let (mut rest, mut length) = (&buffer[..], 1);
        while !rest.is_empty() {
            let (piece, next) = rest.split_at(length.min(rest.len()));
            pieces.update(piece);
            (rest, length) = (next, length + 3);
        }
        assert_eq!(whole.value(), pieces.value());
        assert_eq!(whole.value(), Pattern::digest(4096));
        assert_ne!(whole.value(), Pattern::digest(4095));
    }
}
