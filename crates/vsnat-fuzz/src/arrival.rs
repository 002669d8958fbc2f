//! A frame that arrives, and how it is written down.

use std::fmt::{self, Write};

use vsnat_api::Side;

use crate::script::ScriptError;

/// Zero bytes behind the written ones end here: a frame of 64 KiB is the
/// largest there is.
const PAD_MAX: usize = 65_536;

/// Whether an accelerator sees the frame first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    None,
    Accelerator,
}

/// Whom the frame is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    Host,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub side: Side,
    pub front: Front,
    pub receiver: Receiver,
    /// Payload bytes of each segment, 0 for one packet.
    pub segment_size: u32,
    pub bytes: Vec<u8>,
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.side {
            Side::Outer => "outer",
            Side::Inner => "inner",
        })?;
        match self.front {
            Front::None => {}
            Front::Accelerator => f.write_str(" front")?,
        }
        match self.receiver {
            Receiver::Host => {}
            Receiver::Other => f.write_str(" other")?,
        }
        if self.segment_size > 0 {
            write!(f, " segments={}", self.segment_size)?;
        }
        let written = self.bytes.len() - trailing_zeros(&self.bytes);
        if written < self.bytes.len() {
            write!(f, " zeros={}", self.bytes.len() - written)?;
        }
        f.write_char(' ')?;
        for byte in &self.bytes[..written] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

fn trailing_zeros(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

/// Reads what [`Arrival`] shows of itself.
pub fn parse(text: &str) -> Result<Arrival, ScriptError> {
    let wrong = || ScriptError::new(text);
    let mut words = text.split_whitespace();
    let side = match words.next() {
        Some("outer") => Side::Outer,
        Some("inner") => Side::Inner,
        Some(_) | None => return Err(wrong()),
    };
    let mut arrival = Arrival {
        side,
        front: Front::None,
        receiver: Receiver::Host,
        segment_size: 0,
        bytes: Vec::new(),
    };
    let mut zeros = 0;
    for word in words {
        match word.split_once('=') {
            Some(("segments", size)) => {
                arrival.segment_size = size.parse().map_err(|_| wrong())?;
            }
            Some(("zeros", count)) => zeros = count.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
            None if word == "front" => arrival.front = Front::Accelerator,
            None if word == "other" => arrival.receiver = Receiver::Other,
            None => arrival.bytes = from_hex(word).ok_or_else(wrong)?,
        }
    }
    let length = arrival.bytes.len() + zeros;
    if length > PAD_MAX {
        return Err(wrong());
    }
    arrival.bytes.resize(length, 0);
    Ok(arrival)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}
