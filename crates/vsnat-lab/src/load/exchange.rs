//! One HTTP request and its answer, with as few system calls as there can be.

use std::io;
use std::net::SocketAddrV4;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Connections, SourcePool};
use crate::servers::SERVER_HEADER;

/// Holds the whole answer of a lab's server in one read.
const BUFFER_BYTES: usize = 16 * 1024;
/// Heads longer than this are not those of a lab's server.
const HEAD_MAX_BYTES: usize = 8 * 1024;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Connect,
    Timeout,
    /// The connection broke, or what came was not HTTP.
    Broken,
    /// An HTTP status other than 200.
    Status,
    /// A document of an unexpected length.
    Length,
}

/// What an answer measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub received_bytes: usize,
    pub document_bytes: usize,
}

/// A worker's connection and buffers, used again from request to request.
#[derive(Debug)]
pub(super) struct Exchange {
    connections: Connections,
    stream: Option<TcpStream>,
    head: Vec<u8>,
    buffer: Vec<u8>,
    server: String,
}

/// What the head of an answer says.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    length: usize,
    content_length: Option<usize>,
    status: u16,
}

impl Exchange {
    pub fn new(connections: Connections) -> Self {
        Exchange {
            connections,
            stream: None,
            head: Vec::with_capacity(HEAD_MAX_BYTES),
            buffer: vec![0; BUFFER_BYTES],
            server: String::new(),
        }
    }

    /// The server that gave the last answer, by its own name.
    pub fn server(&self) -> &str {
        &self.server
    }

    pub fn forget_connection(&mut self) {
        self.stream = None;
    }

    pub async fn ask(
        &mut self,
        target: SocketAddrV4,
        sources: &SourcePool,
    ) -> Result<Answer, Failure> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(target, sources)
                .await
                .map_err(|_| Failure::Connect)?,
        };
        let request: &[u8] = match self.connections {
            Connections::OnePerRequest => {
                b"GET / HTTP/1.1\r\nHost: virtual\r\nConnection: close\r\n\r\n"
            }
            Connections::KeptAlive => b"GET / HTTP/1.1\r\nHost: virtual\r\n\r\n",
        };
        stream
            .write_all(request)
            .await
            .map_err(|_| Failure::Broken)?;
        let answer = match self.connections {
            Connections::OnePerRequest => self.read_to_close(&mut stream).await?,
            Connections::KeptAlive => {
                let answer = self.read_by_length(&mut stream).await?;
                self.stream = Some(stream);
                answer
            }
        };
        Ok(answer)
    }

    /// Reads until the server closes: it is the server's side then that keeps
    /// the closed connection for a while, not the client's.
    async fn read_to_close(&mut self, stream: &mut TcpStream) -> Result<Answer, Failure> {
        let (head, mut received_bytes) = self.read_head(stream).await?;
        loop {
            match stream.read(&mut self.buffer).await {
                Ok(0) => break,
                Ok(length) => received_bytes += length,
                Err(_) => return Err(Failure::Broken),
            }
        }
        let document_bytes = received_bytes - head.length;
        match head.content_length {
            Some(promised) if promised != document_bytes => Err(Failure::Length),
            Some(_) | None => Ok(Answer {
                received_bytes,
                document_bytes,
            }),
        }
    }

    async fn read_by_length(&mut self, stream: &mut TcpStream) -> Result<Answer, Failure> {
        let (head, mut received_bytes) = self.read_head(stream).await?;
        let document_bytes = head.content_length.ok_or(Failure::Broken)?;
        while received_bytes < head.length + document_bytes {
            match stream.read(&mut self.buffer).await {
                Ok(length @ 1..) => received_bytes += length,
                Ok(0) | Err(_) => return Err(Failure::Broken),
            }
        }
        Ok(Answer {
            received_bytes,
            document_bytes: received_bytes - head.length,
        })
    }

    /// Reads until the head is complete; gives it and all bytes read so far.
    async fn read_head(&mut self, stream: &mut TcpStream) -> Result<(Head, usize), Failure> {
        self.head.clear();
        loop {
            match stream.read(&mut self.buffer).await {
                Ok(length @ 1..) => self.head.extend_from_slice(&self.buffer[..length]),
                Ok(0) | Err(_) => return Err(Failure::Broken),
            }
            if let Some(end) = end_of_head(&self.head) {
                let head = parse(&self.head[..end], &mut self.server).ok_or(Failure::Broken)?;
                return match head.status {
                    200 => Ok((head, self.head.len())),
                    _ => Err(Failure::Status),
                };
            }
            if self.head.len() > HEAD_MAX_BYTES {
                return Err(Failure::Broken);
            }
        }
    }
}

async fn connect(target: SocketAddrV4, sources: &SourcePool) -> io::Result<TcpStream> {
    let source = sources.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let socket = TcpSocket::new_v4()?;
    // A source of long ago may still be waiting out its time here.
    socket.set_reuseaddr(true)?;
    socket.bind(source.into())?;
    socket.connect(target.into()).await
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let blank = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    blank.map(|start| start + 4)
}

fn parse(head: &[u8], server: &mut String) -> Option<Head> {
    let text = str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut parsed = Head {
        length: head.len(),
        content_length: None,
        status,
    };
    server.clear();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            parsed.content_length = Some(value.trim().parse().ok()?);
        } else if name.eq_ignore_ascii_case(SERVER_HEADER) {
            server.push_str(value.trim());
        }
    }
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_understood_whatever_its_case() {
        let text = b"HTTP/1.1 200 OK\r\nX-Real-Server: server3\r\ncontent-Length: 4100\r\n\r\nrest";
        let end = end_of_head(text).unwrap();
        let mut server = "old".to_owned();
        let head = parse(&text[..end], &mut server).unwrap();
        assert_eq!((head.status, head.content_length), (200, Some(4100)));
        assert_eq!(head.length, text.len() - 4);
        assert_eq!(server, "server3");
    }

    #[test]
    fn an_incomplete_head_has_no_end() {
        assert_eq!(end_of_head(b"HTTP/1.1 200 OK\r\nA: b\r\n"), None);
        assert!(parse(b"nonsense\r\n\r\n", &mut String::new()).is_none());
    }
}
