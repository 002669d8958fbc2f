//! Reading an answer, in whatever pieces it comes, without keeping it.
//!
//! A head that comes whole is read where it lies. Only a line that is cut by
//! the end of a piece is kept until its rest comes.

/// Longer lines are not those of a server that is to be measured.
const LINE_MAX_BYTES: usize = 16 * 1024;
const HEAD_MAX_BYTES: usize = 64 * 1024;

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Reply {
    stage: Stage,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    head_bytes: usize,
    status: u16,
    framing: Framing,
    keeps: bool,
    document_bytes: u64,
    server: String,
    software: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Status,
    Headers,
    Body {
        left: u64,
    },
    ChunkSize,
    Chunk {
        left: u64,
    },
    /// The empty line behind a chunk.
    ChunkEnd,
    Trailers,
    UntilClose,
    Done,
}

/// How the end of the document is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    UntilClose,
    Length(u64),
    Chunked,
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
}

/// What came is not HTTP, or not as HTTP allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Reply {
    pub fn new() -> Self {
        Reply {
            stage: Stage::Status,
            line: Vec::new(),
            head_bytes: 0,
            status: 0,
            framing: Framing::UntilClose,
            keeps: true,
            document_bytes: 0,
            server: String::new(),
            software: String::new(),
        }
    }

    /// Makes ready for the next answer.
    pub fn clear(&mut self) {
        self.begin_head();
        self.document_bytes = 0;
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn document_bytes(&self) -> u64 {
        self.document_bytes
    }

    /// Whether the server keeps the connection.
    pub fn keeps(&self) -> bool {
        self.keeps && self.framing != Framing::UntilClose
    }

    /// The value of the header by which servers are told apart.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The value of the `Server` header, read only if `server_header` is none.
    pub fn software(&self) -> &str {
        &self.software
    }

    /// Takes the next piece. Bytes behind the end of an answer are a mistake,
    /// since nobody asked for more.
    pub fn take(
        &mut self,
        mut bytes: &[u8],
        server_header: Option<&str>,
    ) -> Result<Progress, Malformed> {
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Body { left } => {
                    let (rest, left) = self.skip(bytes, left);
                    self.stage = match left {
                        0 => Stage::Done,
                        left => Stage::Body { left },
                    };
                    rest
                }
                Stage::Chunk { left } => {
                    let (rest, left) = self.skip(bytes, left);
                    self.stage = match left {
                        0 => Stage::ChunkEnd,
                        left => Stage::Chunk { left },
                    };
                    rest
                }
                Stage::UntilClose => {
                    self.document_bytes += bytes.len() as u64;
                    &[]
                }
                Stage::Done => return Err(Malformed),
                Stage::Status
                | Stage::Headers
                | Stage::ChunkSize
                | Stage::ChunkEnd
                | Stage::Trailers => self.take_line(bytes, server_header)?,
            };
        }
        match self.stage {
            Stage::Done => Ok(Progress::Done),
            Stage::Status
            | Stage::Headers
            | Stage::Body { .. }
            | Stage::ChunkSize
            | Stage::Chunk { .. }
            | Stage::ChunkEnd
            | Stage::Trailers
            | Stage::UntilClose => Ok(Progress::More),
        }
    }

    /// The server closed: the end of a document whose length was not told, and
    /// of any other answer too early.
    pub fn end(&mut self) -> Progress {
        match self.stage {
            Stage::UntilClose | Stage::Done => Progress::Done,
            Stage::Status
            | Stage::Headers
            | Stage::Body { .. }
            | Stage::ChunkSize
            | Stage::Chunk { .. }
            | Stage::ChunkEnd
            | Stage::Trailers => Progress::More,
        }
    }

    fn begin_head(&mut self) {
        self.stage = Stage::Status;
        self.line.clear();
        self.head_bytes = 0;
        self.framing = Framing::UntilClose;
        self.keeps = true;
        self.server.clear();
    }

    /// Counts bytes of a document; gives the bytes behind it and how many of it
    /// are still to come.
    fn skip<'a>(&mut self, bytes: &'a [u8], left: u64) -> (&'a [u8], u64) {
        let here = left.min(bytes.len() as u64);
        self.document_bytes += here;
        (&bytes[here as usize..], left - here)
    }

    fn take_line<'a>(
        &mut self,
        bytes: &'a [u8],
        server_header: Option<&str>,
    ) -> Result<&'a [u8], Malformed> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let piece = &bytes[..end.unwrap_or(bytes.len())];
        self.head_bytes += piece.len() + 1;
        if self.line.len() + piece.len() > LINE_MAX_BYTES || self.head_bytes > HEAD_MAX_BYTES {
            return Err(Malformed);
        }
        let Some(end) = end else {
            self.line.extend_from_slice(piece);
            return Ok(&[]);
        };
        if self.line.is_empty() {
            self.understand(without_return(piece), server_header)?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(piece);
            self.understand(without_return(&line), server_header)?;
            line.clear();
            self.line = line;
        }
        Ok(&bytes[end + 1..])
    }

    fn understand(&mut self, line: &[u8], server_header: Option<&str>) -> Result<(), Malformed> {
        match self.stage {
            Stage::Status => self.understand_status(line),
            Stage::Headers if line.is_empty() => self.begin_document(),
            Stage::Headers => self.understand_header(line, server_header),
            Stage::ChunkSize => {
                self.head_bytes = 0;
                self.stage = match chunk_size(line).ok_or(Malformed)? {
                    0 => Stage::Trailers,
                    left => Stage::Chunk { left },
                };
                Ok(())
            }
            Stage::ChunkEnd if line.is_empty() => {
                self.stage = Stage::ChunkSize;
                Ok(())
            }
            Stage::Trailers => {
                if line.is_empty() {
                    self.stage = Stage::Done;
                }
                Ok(())
            }
            Stage::ChunkEnd
            | Stage::Body { .. }
            | Stage::Chunk { .. }
            | Stage::UntilClose
            | Stage::Done => Err(Malformed),
        }
    }

    fn understand_status(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let rest = line.strip_prefix(b"HTTP/1.").ok_or(Malformed)?;
        let [minor, b' ', a, b, c, after @ ..] = rest else {
            return Err(Malformed);
        };
        if !after.is_empty() && after[0] != b' ' {
            return Err(Malformed);
        }
        // HTTP/1.0 closes unless it says otherwise.
        self.keeps = match minor {
            b'0' => false,
            b'1' => true,
            _ => return Err(Malformed),
        };
        let status = decimal(&[*a, *b, *c]).ok_or(Malformed)?;
        self.status = status as u16;
        self.stage = Stage::Headers;
        match self.status {
            100..=599 => Ok(()),
            _ => Err(Malformed),
        }
    }

    fn understand_header(
        &mut self,
        line: &[u8],
        server_header: Option<&str>,
    ) -> Result<(), Malformed> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.ok_or(Malformed)?);
        let value = value[1..].trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = decimal(value).ok_or(Malformed)?;
            if self.framing != Framing::Chunked {
                self.framing = Framing::Length(length);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed);
            }
            self.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.keeps = match value {
                _ if value.eq_ignore_ascii_case(b"close") => false,
                _ if value.eq_ignore_ascii_case(b"keep-alive") => true,
                _ => self.keeps,
            };
        } else if name.eq_ignore_ascii_case(b"server") && self.software.is_empty() {
            self.software.push_str(&String::from_utf8_lossy(value));
        } else if server_header.is_some_and(|it| name.eq_ignore_ascii_case(it.as_bytes())) {
            self.server.clear();
            self.server.push_str(&String::from_utf8_lossy(value));
        }
        Ok(())
    }

    /// After the empty line behind the headers.
    fn begin_document(&mut self) -> Result<(), Malformed> {
        self.stage = match (self.status, self.framing) {
            // An interim answer: the one that was asked for follows.
            (100..=199, _) => {
                self.begin_head();
                Stage::Status
            }
            (204 | 304, _) | (_, Framing::Length(0)) => {
                self.framing = Framing::Length(0);
                Stage::Done
            }
            (_, Framing::Length(left)) => Stage::Body { left },
            (_, Framing::Chunked) => Stage::ChunkSize,
            (_, Framing::UntilClose) => Stage::UntilClose,
        };
        Ok(())
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    number(digits, 10)
}

/// The size at the beginning of a chunk; what follows a semicolon are
/// extensions, which mean nothing here.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    number(digits.trim_ascii(), 16)
}

fn number(digits: &[u8], base: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = char::from(*digit).to_digit(base)?;
        number.checked_mul(base.into())?.checked_add(digit.into())
    })
}
