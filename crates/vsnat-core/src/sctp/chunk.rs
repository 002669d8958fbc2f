//! What an SCTP packet says: its first chunk, as IPVS looks at it.
//!
//! INIT, INIT ACK and SHUTDOWN COMPLETE are always alone in their packet, and
//! control chunks come before data (RFC 9260, section 6.10), so the first
//! chunk tells enough. There is one exception: an ABORT may be bundled behind
//! the chunks of a handshake's second half.

use super::HEADER_LEN as COMMON_HEADER_LEN;

/// Type, flags and length of a chunk.
pub const HEADER_LEN: u32 = 4;

// Types of chunks: RFC 9260, section 3.2, table 1. Those that are not here
// (SACK, HEARTBEAT, the ECN chunks, extensions) move no association.
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const ABORT: u8 = 6;
const SHUTDOWN: u8 = 7;
const SHUTDOWN_ACK: u8 = 8;
const ERROR: u8 = 9;
const COOKIE_ECHO: u8 = 10;
const COOKIE_ACK: u8 = 11;
const SHUTDOWN_COMPLETE: u8 = 14;

/// What an SCTP packet says, in the order of IPVS's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Data, and everything else that belongs to a running association.
    Data,
    Init,
    InitAck,
    CookieEcho,
    CookieAck,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    Error,
    Abort,
}

impl Event {
    /// Of the types of the first chunk and of the one behind it. The second is
    /// only asked for where [`abort_may_follow`] says so.
    #[inline(always)]
    pub const fn of(first: u8, second: Option<u8>) -> Event {
        if abort_may_follow(first) && matches!(second, Some(ABORT)) {
            return Event::Abort;
        }
        match first {
            INIT => Event::Init,
            INIT_ACK => Event::InitAck,
            ABORT => Event::Abort,
            SHUTDOWN => Event::Shutdown,
            SHUTDOWN_ACK => Event::ShutdownAck,
            ERROR => Event::Error,
            COOKIE_ECHO => Event::CookieEcho,
            COOKIE_ACK => Event::CookieAck,
            SHUTDOWN_COMPLETE => Event::ShutdownComplete,
            _ => Event::Data,
        }
    }
}

/// Whether a chunk of this type may have an ABORT behind it that counts.
#[inline(always)]
pub const fn abort_may_follow(first: u8) -> bool {
    first == COOKIE_ECHO || first == COOKIE_ACK
}

/// Distance of the second chunk from the start of the common header, if the
/// first one tells the truth about its length, `first_length` in host order.
/// There may be no packet at that distance.
#[inline(always)]
pub const fn second_chunk(first_length: u16) -> Option<u32> {
    if (first_length as u32) < HEADER_LEN {
        return None;
    }
    // Chunks begin at multiples of four bytes; the padding is not counted in
    // the length.
    Some(COMMON_HEADER_LEN + ((first_length as u32 + 3) & !3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_chunk_tells() {
        let known = [
            (INIT, Event::Init),
            (INIT_ACK, Event::InitAck),
            (ABORT, Event::Abort),
            (SHUTDOWN, Event::Shutdown),
            (SHUTDOWN_ACK, Event::ShutdownAck),
            (ERROR, Event::Error),
            (COOKIE_ECHO, Event::CookieEcho),
            (COOKIE_ACK, Event::CookieAck),
            (SHUTDOWN_COMPLETE, Event::ShutdownComplete),
        ];
        for first in 0..=u8::MAX {
            let expected = known.iter().find(|(number, _)| *number == first);
            let expected = expected.map_or(Event::Data, |(_, event)| *event);
            assert_eq!(Event::of(first, None), expected, "chunk type {first}");
        }
    }

    #[test]
    fn an_abort_outweighs_only_the_cookies_before_it() {
        for first in 0..=u8::MAX {
            let expected = match first {
                COOKIE_ECHO | COOKIE_ACK | ABORT => Event::Abort,
                _ => Event::of(first, None),
            };
            assert_eq!(Event::of(first, Some(ABORT)), expected);
            assert_eq!(Event::of(first, Some(INIT)), Event::of(first, None));
        }
    }

    #[test]
    fn the_second_chunk_is_behind_the_padding() {
        assert_eq!(second_chunk(0), None);
        assert_eq!(second_chunk(3), None);
        assert_eq!(second_chunk(4), Some(16));
        assert_eq!(second_chunk(5), Some(20));
        assert_eq!(second_chunk(8), Some(20));
        assert_eq!(second_chunk(u16::MAX), Some(12 + 65_536));
    }
}
