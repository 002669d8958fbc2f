//! Which loads are measured, and why these.
//!
//! | rows | why |
//! | --- | --- |
//! | keep-alive, 64 B, 1 / 32 / 512 connections | what a packet costs on connections that stand: alone (latency), busy, and with many flows |
//! | keep-alive, 4 KB, 32 | a page, as most are |
//! | keep-alive, 64 KB, 1 / 32 | segments and their offload |
//! | keep-alive, 1 MB, 32 | large documents to many |
//! | per request, 64 B, 1 / 32 / 512 | what opening and closing costs, which is a director's own work |
//! | per request, 4 KB and 64 KB, 32 | the same, with something to carry |
//! | UDP, 64 B, 1 / 32 / 512 | question and answer, as DNS |
//! | bulk, 1 MB, 1 | how fast one connection goes |
//!
//! Left out: 512 connections with large documents, where memory is measured and not
//! the director; 1 MB with a connection for each, where opening is lost in the noise.

use std::fmt;

use serde::Serialize;

/// What the real servers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "u32")]
pub enum Document {
    Bytes64,
    Kilobytes4,
    Kilobytes64,
    Megabyte,
}

impl Document {
    pub const ALL: [Document; 4] = [
        Document::Bytes64,
        Document::Kilobytes4,
        Document::Kilobytes64,
        Document::Megabyte,
    ];

    pub const fn bytes(self) -> u32 {
        match self {
            Document::Bytes64 => 64,
            Document::Kilobytes4 => 4 << 10,
            Document::Kilobytes64 => 64 << 10,
            Document::Megabyte => 1 << 20,
        }
    }

    pub const fn file(self) -> &'static str {
        match self {
            Document::Bytes64 => "64b",
            Document::Kilobytes4 => "4k",
            Document::Kilobytes64 => "64k",
            Document::Megabyte => "1m",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Document::Bytes64 => "64 B",
            Document::Kilobytes4 => "4 KB",
            Document::Kilobytes64 => "64 KB",
            Document::Megabyte => "1 MB",
        }
    }
}

impl From<Document> for u32 {
    fn from(document: Document) -> u32 {
        document.bytes()
    }
}

/// How the load comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// HTTP, one connection for all requests of a client.
    KeepAlive,
    /// HTTP, a connection for each request.
    PerRequest,
    /// A datagram, and one back.
    Udp,
}

/// One load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub manner: Manner,
    /// Requests under way at a time.
    pub connections: u16,
    /// What is asked for; of UDP, what is sent and comes back.
    #[serde(rename = "bytes")]
    pub document: Document,
}

const fn row(manner: Manner, connections: u16, document: Document) -> Row {
    Row {
        manner,
        connections,
        document,
    }
}

/// All rows, in the order of the table.
pub const ROWS: [Row; 16] = [
    row(Manner::KeepAlive, 1, Document::Bytes64),
    row(Manner::KeepAlive, 32, Document::Bytes64),
    row(Manner::KeepAlive, 512, Document::Bytes64),
    row(Manner::KeepAlive, 32, Document::Kilobytes4),
    row(Manner::KeepAlive, 1, Document::Kilobytes64),
    row(Manner::KeepAlive, 32, Document::Kilobytes64),
    row(Manner::KeepAlive, 32, Document::Megabyte),
    row(Manner::PerRequest, 1, Document::Bytes64),
    row(Manner::PerRequest, 32, Document::Bytes64),
    row(Manner::PerRequest, 512, Document::Bytes64),
    row(Manner::PerRequest, 32, Document::Kilobytes4),
    row(Manner::PerRequest, 32, Document::Kilobytes64),
    row(Manner::Udp, 1, Document::Bytes64),
    row(Manner::Udp, 32, Document::Bytes64),
    row(Manner::Udp, 512, Document::Bytes64),
    row(Manner::KeepAlive, 1, Document::Megabyte),
];

impl Row {
    /// Whether what counts is bytes rather than requests.
    pub fn is_bulk(self) -> bool {
        match self.document {
            Document::Megabyte => true,
            Document::Bytes64 | Document::Kilobytes4 | Document::Kilobytes64 => false,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manner = match self.manner {
            Manner::KeepAlive => "keep-alive",
            Manner::PerRequest => "per request",
            Manner::Udp => "UDP",
        };
        let bulk = match (self.is_bulk(), self.connections) {
            (true, 1) => "bulk, ",
            (true, _) | (false, _) => "",
        };
        let text = format!(
            "{bulk}{manner}, {}, {}",
            self.document.name(),
            self.connections
        );
        f.pad(&text)
    }
}

/// The rows whose name contains a text.
pub fn matching(filter: &str) -> Vec<Row> {
    let named = |row: &Row| row.to_string().contains(filter);
    ROWS.into_iter().filter(named).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_rows_have_one_name() {
        let names: BTreeSet<String> = ROWS.iter().map(Row::to_string).collect();
        assert_eq!(names.len(), ROWS.len());
    }

    #[test]
    fn rows_are_chosen_by_a_part_of_their_name() {
        assert_eq!(matching("").len(), ROWS.len());
        assert_eq!(matching("per request, 64 B, 1").len(), 1);
        assert_eq!(matching("UDP").len(), 3);
        assert!(matching("nothing of this").is_empty());
    }
}
