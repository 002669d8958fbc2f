//! Where an association is, as far as IPVS follows it.
//!
//! One nibble for each state, one word for each direction and event, as for
//! TCP. Read the rows with the handshake in mind: INIT, INIT ACK, COOKIE ECHO,
//! COOKIE ACK; and with the end: SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE.
//! The server decides: what it says moves an association whatever the client
//! has said, and few words of the client move one that the server has begun.

use vsnat_abi::flow::Direction;

use super::chunk::Event;

pub const NONE: u32 = 0;
/// The client has sent one INIT.
pub const INIT1: u32 = 1;
/// The client has sent it again, or more.
pub const INIT: u32 = 2;
/// The server has answered with a cookie (INIT ACK).
pub const COOKIE_SENT: u32 = 3;
/// The client has brought it back (COOKIE ECHO).
pub const COOKIE_REPLIED: u32 = 4;
/// The server opens: it waits for a cookie of the client.
pub const COOKIE_WAIT: u32 = 5;
/// The server opens: the client has sent its cookie.
pub const COOKIE: u32 = 6;
/// The server opens: it has brought the cookie back.
pub const COOKIE_ECHOED: u32 = 7;
pub const ESTABLISHED: u32 = 8;
/// The server has begun to end it.
pub const SHUTDOWN_SENT: u32 = 9;
/// The client has begun to end it.
pub const SHUTDOWN_RECEIVED: u32 = 10;
/// The server has acknowledged the end.
pub const SHUTDOWN_ACK_SENT: u32 = 11;
/// The server has refused a client.
pub const REJECTED: u32 = 12;
pub const CLOSED: u32 = 13;

const NO: u64 = NONE as u64;
const I1: u64 = INIT1 as u64;
const IN: u64 = INIT as u64;
const CS: u64 = COOKIE_SENT as u64;
const CR: u64 = COOKIE_REPLIED as u64;
const CW: u64 = COOKIE_WAIT as u64;
const CO: u64 = COOKIE as u64;
const CE: u64 = COOKIE_ECHOED as u64;
const ES: u64 = ESTABLISHED as u64;
const SS: u64 = SHUTDOWN_SENT as u64;
const SR: u64 = SHUTDOWN_RECEIVED as u64;
const SA: u64 = SHUTDOWN_ACK_SENT as u64;
const RJ: u64 = REJECTED as u64;
const CL: u64 = CLOSED as u64;

/// Next states in the order NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL. The two
/// numbers that are no states lead to NONE.
const fn row(next: [u64; 14]) -> u64 {
    let mut word = NO;
    let mut from = 0;
    while from < 14 {
        word |= next[from] << (4 * from);
        from += 1;
    }
    word
}

// From the client.

// Data without a history is taken as established; else data moves nothing: it
// may be bundled with the COOKIE ECHO, or underway when an end has begun.
const IN_DATA: u64 = row([ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
// Opens, and opens again what was closed or refused. The second INIT gets the
// longer timeout. Once the server has spoken, an INIT is a late copy.
const IN_INIT: u64 = row([I1, IN, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, IN, IN]);
// Answers an opening of the server: after its INIT this is the client's
// cookie; before we have seen one, its INIT is taken as missed.
const IN_INIT_ACK: u64 = row([CW, CW, CW, CS, CR, CO, CO, CE, ES, SS, SR, SA, RJ, CL]);
// The third step, if the server's cookie was seen. Without one it counts as
// another attempt to open.
const IN_COOKIE_ECHO: u64 = row([CR, IN, IN, CR, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
// The last step of an opening by the server.
const IN_COOKIE_ACK: u64 = row([ES, I1, IN, CS, CR, CW, CO, ES, ES, SS, SR, SA, RJ, CL]);
// Begins the end, but only of what is established.
const IN_SHUTDOWN: u64 = row([SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL]);
// Answers the server's SHUTDOWN, and what is left to say does not matter.
const IN_SHUTDOWN_ACK: u64 = row([CL, IN, IN, CS, CR, CW, CO, CE, ES, CL, SR, CL, RJ, CL]);
// The last word after the server's SHUTDOWN ACK; also an end before the
// server has spoken at all.
const IN_SHUTDOWN_COMPLETE: u64 = row([CL, CL, CL, CS, CR, CW, CO, CE, ES, SS, SR, CL, RJ, CL]);
// Ends an opening by the server whose cookie the client finds stale; else an
// error may be one that both survive.
const IN_ERROR: u64 = row([CL, I1, IN, CS, CR, CW, CO, CL, ES, SS, SR, SA, RJ, CL]);
// Always the end. To the server's INIT it is a refusal, which may be repeated.
const IN_ABORT: u64 = row([CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL]);

// From the server.

// As from the client.
const OUT_DATA: u64 = row([ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
// The server opens, also over anything unfinished or ended. In an established
// association it is a restart, which ends in the same place.
const OUT_INIT: u64 = row([CW, CW, CW, CW, CW, CW, CW, CW, ES, CW, CW, CW, CW, CW]);
// The second step: the server's cookie. A late copy does not undo the third.
const OUT_INIT_ACK: u64 = row([CS, CS, CS, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
// The server brings the client's cookie back: the opening is its own.
const OUT_COOKIE_ECHO: u64 = row([CE, CE, CE, CE, CE, CE, CE, CE, ES, SS, SR, SA, RJ, CL]);
// The last step: whatever was missed before, the server has an association.
const OUT_COOKIE_ACK: u64 = row([ES, ES, ES, ES, ES, ES, ES, ES, ES, SS, SR, SA, RJ, CL]);
// The server begins the end; it would not without an association. If the
// client began it, both did, and the client's stays.
const OUT_SHUTDOWN: u64 = row([SS, SS, SS, SS, SS, SS, SS, SS, SS, SS, SR, SA, RJ, CL]);
// The server agrees to the end, or answers one that we have not seen. While
// the server opens, and in an association that nobody has begun to end, it is
// out of the blue.
const OUT_SHUTDOWN_ACK: u64 = row([SA, SA, SA, SA, SA, CW, CO, CE, ES, SA, SA, SA, RJ, CL]);
// To a client whose SHUTDOWN ACK came late or twice: it ends nothing that has
// not ended.
const OUT_SHUTDOWN_COMPLETE: u64 = row([CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
// Before the last step of the client's opening it is the end of it (a stale
// cookie, an address that cannot be resolved); later both may survive it.
const OUT_ERROR: u64 = row([CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
// Always the end. To the first INIT it is a refusal, which is soon forgotten,
// so that the next attempt may go to another server.
const OUT_ABORT: u64 = row([CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL]);

/// The state after an SCTP packet.
#[inline(always)]
pub const fn sctp_next(from: u32, direction: Direction, event: Event) -> u32 {
    let row = match (direction, event) {
        (Direction::Forward, Event::Data) => IN_DATA,
        (Direction::Forward, Event::Init) => IN_INIT,
        (Direction::Forward, Event::InitAck) => IN_INIT_ACK,
        (Direction::Forward, Event::CookieEcho) => IN_COOKIE_ECHO,
        (Direction::Forward, Event::CookieAck) => IN_COOKIE_ACK,
        (Direction::Forward, Event::Shutdown) => IN_SHUTDOWN,
        (Direction::Forward, Event::ShutdownAck) => IN_SHUTDOWN_ACK,
        (Direction::Forward, Event::ShutdownComplete) => IN_SHUTDOWN_COMPLETE,
        (Direction::Forward, Event::Error) => IN_ERROR,
        (Direction::Forward, Event::Abort) => IN_ABORT,
        (Direction::Reply, Event::Data) => OUT_DATA,
        (Direction::Reply, Event::Init) => OUT_INIT,
        (Direction::Reply, Event::InitAck) => OUT_INIT_ACK,
        (Direction::Reply, Event::CookieEcho) => OUT_COOKIE_ECHO,
        (Direction::Reply, Event::CookieAck) => OUT_COOKIE_ACK,
        (Direction::Reply, Event::Shutdown) => OUT_SHUTDOWN,
        (Direction::Reply, Event::ShutdownAck) => OUT_SHUTDOWN_ACK,
        (Direction::Reply, Event::ShutdownComplete) => OUT_SHUTDOWN_COMPLETE,
        (Direction::Reply, Event::Error) => OUT_ERROR,
        (Direction::Reply, Event::Abort) => OUT_ABORT,
    };
    (row >> ((from & 0xf) * 4)) as u32 & 0xf
}

#[cfg(test)]
mod tests {
    use vsnat_abi::settings::DEFAULT_SCTP_TIMEOUTS_MS;

    use super::*;

    const NAMES: [&str; 14] = [
        "NO", "I1", "IN", "CS", "CR", "CW", "CO", "CE", "ES", "SS", "SR", "SA", "RJ", "CL",
    ];

    /// The order of the columns.
    const EVENTS: [Event; 10] = [
        Event::Data,
        Event::Init,
        Event::InitAck,
        Event::CookieEcho,
        Event::CookieAck,
        Event::Shutdown,
        Event::ShutdownAck,
        Event::ShutdownComplete,
        Event::Error,
        Event::Abort,
    ];

    /// IPVS's table, line by line: from, then what the client's and what the
    /// server's events lead to.
    const TABLE: [&str; 14] = [
        "NO | ES I1 CW CR ES SR CL CL CL CL | ES CW CS CE ES SS SA CL CL CL",
        "I1 | I1 IN CW IN I1 I1 IN CL I1 CL | I1 CW CS CE ES SS SA I1 CL RJ",
        "IN | IN IN CW IN IN IN IN CL IN CL | IN CW CS CE ES SS SA IN CL CL",
        "CS | CS CS CS CR CS CS CS CS CS CL | CS CW CS CE ES SS SA CS CL CL",
        "CR | CR CR CR CR CR CR CR CR CR CL | CR CW CR CE ES SS SA CR CL CL",
        "CW | CW CW CO CW CW CW CW CW CW RJ | CW CW CW CE ES SS CW CW CW CL",
        "CO | CO CO CO CO CO CO CO CO CO CL | CO CW CO CE ES SS CO CO CO CL",
        "CE | CE CE CE CE ES CE CE CE CL CL | CE CW CE CE ES SS CE CE CE CL",
        "ES | ES ES ES ES ES SR ES ES ES CL | ES ES ES ES ES SS ES ES ES CL",
        "SS | SS SS SS SS SS SS CL SS SS CL | SS CW SS SS SS SS SA SS SS CL",
        "SR | SR SR SR SR SR SR SR SR SR CL | SR CW SR SR SR SR SA SR SR CL",
        "SA | SA SA SA SA SA SA CL CL SA CL | SA CW SA SA SA SA SA SA SA CL",
        "RJ | RJ IN RJ RJ RJ RJ RJ RJ RJ CL | RJ CW RJ RJ RJ RJ RJ RJ RJ CL",
        "CL | CL IN CL CL CL CL CL CL CL CL | CL CW CL CL CL CL CL CL CL CL",
    ];

    fn number(name: &str) -> u32 {
        NAMES.iter().position(|known| *known == name).unwrap() as u32
    }

    #[test]
    fn every_transition_is_the_one_of_ipvs() {
        let mut compared = 0;
        for (from, line) in TABLE.iter().enumerate() {
            let mut parts = line.split(" | ");
            assert_eq!(parts.next(), Some(NAMES[from]));
            for direction in [Direction::Forward, Direction::Reply] {
                let mut columns = parts.next().unwrap().split(' ');
                for event in EVENTS {
                    let expected = columns.next().unwrap();
                    let next = sctp_next(from as u32, direction, event);
                    assert_eq!(
                        next,
                        number(expected),
                        "from {}, {direction:?} {event:?}",
                        NAMES[from]
                    );
                    compared += 1;
                }
                assert_eq!(columns.next(), None);
            }
            assert_eq!(parts.next(), None);
        }
        assert_eq!(compared, 280);
    }

    fn walk(steps: &[(Direction, Event, u32)]) {
        let mut state = NONE;
        for (direction, event, expected) in steps {
            state = sctp_next(state, *direction, *event);
            assert_eq!(state, *expected, "after {direction:?} {event:?}");
        }
    }

    #[test]
    fn an_association_is_opened_used_and_ended() {
        use Direction::{Forward, Reply};
        walk(&[
            (Forward, Event::Init, INIT1),
            (Forward, Event::Init, INIT),
            (Reply, Event::InitAck, COOKIE_SENT),
            (Forward, Event::CookieEcho, COOKIE_REPLIED),
            (Reply, Event::CookieAck, ESTABLISHED),
            (Forward, Event::Data, ESTABLISHED),
            (Reply, Event::Data, ESTABLISHED),
            (Forward, Event::Shutdown, SHUTDOWN_RECEIVED),
            (Reply, Event::ShutdownAck, SHUTDOWN_ACK_SENT),
            (Forward, Event::ShutdownComplete, CLOSED),
            (Forward, Event::Init, INIT),
        ]);
    }

    #[test]
    fn a_refused_client_may_try_again() {
        use Direction::{Forward, Reply};
        walk(&[
            (Forward, Event::Init, INIT1),
            (Reply, Event::Abort, REJECTED),
            (Forward, Event::Init, INIT),
        ]);
    }

    #[test]
    fn the_timeouts_are_those_of_ipvs() {
        for (state, timeout) in DEFAULT_SCTP_TIMEOUTS_MS
            .iter()
            .take(NAMES.len())
            .enumerate()
        {
            let expected = match state as u32 {
                NONE => 2_000,
                INIT1 | REJECTED => 4_000,
                ESTABLISHED => 900_000,
                _ => 61_000,
            };
            assert_eq!(*timeout, expected, "state {}", NAMES[state]);
        }
    }
}
