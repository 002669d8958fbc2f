//! Whole control connections: who says what, and what comes of it, however the
//! bytes are cut.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;

use proptest::prelude::*;
use vsnat_ftp::{Dialogue, Ends, Expectation, LINE_MAX, Step};

const ENDS: Ends = Ends {
    client: Ipv4Addr::new(192, 0, 2, 1),
    vip: Ipv4Addr::new(198, 51, 100, 7),
};

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Saying {
    Client(Vec<u8>),
    Server(Vec<u8>),
}

/// What came of all of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    by_server: Vec<u8>,
    by_client: Vec<u8>,
    expected: Vec<Expectation>,
    encrypted: usize,
}

/// Ports of the VIP are the server's and one more; above a limit there is none.
const LAST_PORT: u16 = 60_000;

fn play(sayings: &[Saying]) -> Heard {
    let mut dialogue = Dialogue::new(ENDS);
    let mut heard = Heard::default();
    for saying in sayings {
        match saying {
            Saying::Client(bytes) => dialogue.client_said(bytes),
            Saying::Server(bytes) => dialogue.server_said(bytes),
        }
        while let Some(step) = dialogue.step() {
            match step {
                Step::ToServer(bytes) => heard.by_server.extend(bytes),
                Step::UrgentToServer(byte) => heard.by_server.push(byte),
                Step::ToClient(bytes) => heard.by_client.extend(bytes),
                Step::Encrypted => heard.encrypted += 1,
                Step::Expect(expectation) => {
                    heard.expected.push(expectation);
                    let (Expectation::Client { server_port: port }
                    | Expectation::Server { client_port: port }) = expectation;
                    match port < LAST_PORT {
                        true => dialogue.granted(port + 1),
                        false => dialogue.refused(),
                    }
                }
            }
        }
    }
    heard
}

fn client(text: &str) -> Saying {
    Saying::Client(text.as_bytes().to_vec())
}

fn server(text: &str) -> Saying {
    Saying::Server(text.as_bytes().to_vec())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn passive() {
    let heard = play(&[
        server("220 hello\r\n"),
        client("PASV\r\n"),
        server("227 Entering Passive Mode (10,0,0,1,200,10).\r\n"),
        client("EPSV\r\n"),
        server("229 Entering Extended Passive Mode (|||50000|)\r\n"),
    ]);
    assert_eq!(
        text(&heard.by_client),
        "220 hello\r\n227 Entering Passive Mode (198,51,100,7,200,11).\r\n\
         229 Entering Extended Passive Mode (|||50001|)\r\n"
    );
    assert_eq!(text(&heard.by_server), "PASV\r\nEPSV\r\n");
    let server_port = |server_port| Expectation::Client { server_port };
    assert_eq!(heard.expected, [server_port(51_210), server_port(50_000)]);
}

#[test]
fn active() {
    let said = "PORT 192,0,2,1,200,10\r\nEPRT |1|192.0.2.1|51211|\r\n";
    let heard = play(&[client(said)]);
    assert_eq!(text(&heard.by_server), said);
    let client_port = |client_port| Expectation::Server { client_port };
    assert_eq!(heard.expected, [client_port(51_210), client_port(51_211)]);
}

#[test]
fn nobody_is_attacked_by_way_of_the_server() {
    let heard = play(&[client(
        "PORT 192,0,2,2,200,10\r\nEPRT |1|10.0.0.9|22|\r\nEPRT |2|::1|22|\r\nNOOP\r\n",
    )]);
    assert_eq!(text(&heard.by_server), "NOOP\r\n");
    let codes: Vec<&str> = text(&heard.by_client).lines().map(|l| &l[..4]).collect();
    assert_eq!(codes, ["500 ", "500 ", "522 "]);
    assert_eq!(heard.expected, []);
}

#[test]
fn a_long_line_hides_no_address() {
    let blanks = " ".repeat(LINE_MAX);
    let heard = play(&[client(&format!("PORT{blanks}10,0,0,9,0,22\r\nNOOP\r\n"))]);
    assert_eq!(text(&heard.by_server), "NOOP\r\n");
    assert!(heard.by_client.starts_with(b"500 "));
}

#[test]
fn long_lines_pass() {
    let long = format!("STOR {}\r\n", "x".repeat(3 * LINE_MAX));
    let reply = format!(
        "257-{}\r\n227 (1,2,3,4,5,6)\r\n257 ok\r\n",
        "y".repeat(5_000)
    );
    let heard = play(&[client("PASV\r\n"), client(&long), server(&reply)]);
    assert_eq!(text(&heard.by_server), format!("PASV\r\n{long}"));
    assert_eq!(text(&heard.by_client), reply);
    assert_eq!(heard.expected, [], "within a reply nothing is read");
}

#[test]
fn nothing_is_read_in_what_nobody_asked_for() {
    let said = "220-227 (1,2,3,4,5,6)\r\n227 (1,2,3,4,5,6)\r\n220 ready\r\n227 (1,2,3,4,5,6)\r\n";
    let heard = play(&[server(said)]);
    assert_eq!(text(&heard.by_client), said);
    assert_eq!(heard.expected, []);
}

#[test]
fn epsv_all_asks_for_nothing_by_itself() {
    let heard = play(&[
        client("EPSV ALL\r\n"),
        server("200 only EPSV from now on\r\n"),
        client("EPSV\r\n"),
        server("229 (|||50000|)\r\n"),
        client("PASV\r\n"),
        server("501 no\r\n"),
    ]);
    assert_eq!(text(&heard.by_server), "EPSV ALL\r\nEPSV\r\nPASV\r\n");
    assert_eq!(heard.expected.len(), 1);
}

#[test]
fn own_replies_wait_for_the_end_of_others() {
    let heard = play(&[
        client("STAT\r\n"),
        server("211-status\r\n half"),
        client("PORT 10,0,0,1,1,1\r\n"),
        server(" a line\r\n211 end\r\n"),
    ]);
    let lines: Vec<&str> = text(&heard.by_client).lines().collect();
    assert_eq!(lines[..3], ["211-status", " half a line", "211 end"]);
    assert!(lines[3].starts_with("500 "));
}

#[test]
fn no_room() {
    let heard = play(&[
        client("PASV\r\n"),
        server("227 (10,0,0,1,250,0)\r\n"),
        client("PORT 192,0,2,1,250,0\r\n"),
    ]);
    assert_eq!(text(&heard.by_server), "PASV\r\n");
    let lines: Vec<&str> = text(&heard.by_client).lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.starts_with("425 ")));
}

#[test]
fn behind_tls_all_passes() {
    let heard = play(&[
        client("AUTH TLS\r\n"),
        server("234 go ahead\r\n"),
        Saying::Client(vec![22, 3, 1, 255, 10]),
        client("PORT 10,0,0,1,1,1\r\n"),
        server("227 (10,0,0,1,200,10)\r\nno end of line"),
    ]);
    let said = [
        b"AUTH TLS\r\n".as_slice(),
        &[22, 3, 1, 255, 10],
        b"PORT 10,0,0,1,1,1\r\n",
    ];
    assert_eq!(heard.by_server, said.concat());
    assert!(
        heard
            .by_client
            .ends_with(b"227 (10,0,0,1,200,10)\r\nno end of line")
    );
    assert_eq!((heard.encrypted, heard.expected.len()), (1, 0));
}

#[test]
fn without_a_234_all_is_read_on() {
    let heard = play(&[
        client("AUTH TLS\r\n"),
        server("502 no\r\n"),
        client("PASV\r\n"),
        server("227 (10,0,0,1,200,10)\r\n"),
    ]);
    assert_eq!((heard.encrypted, heard.expected.len()), (0, 1));
}

#[test]
fn an_abort_is_urgent_and_does_not_wait() {
    let mut dialogue = Dialogue::new(ENDS);
    let mut steps = |said: &dyn Fn(&mut Dialogue)| {
        said(&mut dialogue);
        std::iter::from_fn(|| dialogue.step()).collect::<Vec<Step>>()
    };
    let sent = steps(&|d| d.client_said(b"\xff\xf4"));
    assert_eq!(sent, [Step::ToServer(b"\xff\xf4".to_vec())]);
    let sent = steps(&|d| d.client_said_urgently(0xff));
    assert_eq!(sent, [Step::UrgentToServer(0xff)]);
    let sent = steps(&|d| d.client_said(b"\xf2ABOR"));
    assert_eq!(sent, [Step::ToServer(b"\xf2".to_vec())]);
    let sent = steps(&|d| d.client_said(b"\r\n"));
    assert_eq!(sent, [Step::ToServer(b"ABOR\r\n".to_vec())]);
    // Within a line it is a byte like any other.
    let sent = steps(&|d| {
        d.client_said(b"NO");
        d.client_said_urgently(b'O');
        d.client_said(b"P\r\n");
    });
    assert_eq!(sent, [Step::ToServer(b"NOOP\r\n".to_vec())]);
}

fn client_line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "USER anonymous\r\n",
        "PASV\r\n",
        "pasv\n",
        "EPSV\r\n",
        "EPSV ALL\r\n",
        "PORT 192,0,2,1,200,10\r\n",
        "PORT 192,0,2,1,250,10\r\n",
        "PORT 10,0,0,1,200,10\r\n",
        "EPRT |1|192.0.2.1|51211|\r\n",
        "EPRT |2|::1|51211|\r\n",
        "RETR file\r\n",
        "AUTH TLS\r\n",
        "\r\n",
    ]);
    prop_oneof![
        8 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => Just(b"\xff\xf4\xff\xf2ABOR\r\n".to_vec()),
        1 => Just([b"PORT ".as_slice(), &[b' '; 1_100], b"1,1,1,1,1,1\r\n"].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (1_000usize..1_100).prop_map(|length| [vec![b'x'; length], b"\n".to_vec()].concat()),
    ]
}

fn server_line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "220 hello\r\n",
        "211-many\r\n",
        "211 end\r\n",
        " 227 (1,2,3,4,5,6)\r\n",
        "227 Entering Passive Mode (10,0,0,1,200,10).\r\n",
        "227 Entering Passive Mode (10,0,0,1,250,10).\r\n",
        "227 none\r\n",
        "229 Entering Extended Passive Mode (|||50000|)\r\n",
        "229 (|||0|)\r\n",
        "234 go ahead\r\n",
        "425 no\r\n",
        "\r\n",
    ]);
    prop_oneof![
        8 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (1_000usize..1_100).prop_map(|length| [b"230-".to_vec(), vec![b'y'; length]].concat()),
    ]
}

fn sayings() -> impl Strategy<Value = Vec<Saying>> {
    let saying = prop_oneof![
        client_line().prop_map(Saying::Client),
        server_line().prop_map(Saying::Server),
    ];
    prop::collection::vec(saying, 0..12)
}

/// Cuts every saying wherever the next of the lengths says.
fn cut(sayings: &[Saying], lengths: &[usize]) -> Vec<Saying> {
    let mut lengths = lengths.iter().copied().cycle();
    let mut pieces = Vec::new();
    for saying in sayings {
        let (bytes, make): (_, fn(Vec<u8>) -> Saying) = match saying {
            Saying::Client(bytes) => (bytes, Saying::Client),
            Saying::Server(bytes) => (bytes, Saying::Server),
        };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let length = lengths.next().unwrap().min(rest.len());
            let (piece, behind) = rest.split_at(length);
            pieces.push(make(piece.to_vec()));
            rest = behind;
        }
    }
    pieces
}

proptest! {
    #[test]
    fn any_cut_leads_to_the_same(
        sayings in sayings(),
        lengths in prop::collection::vec(1usize..20, 1..8),
    ) {
        prop_assert_eq!(play(&sayings), play(&cut(&sayings, &lengths)));
    }

    #[test]
    fn a_client_alone_never_makes_a_client_expected(lines in prop::collection::vec(client_line(), 0..12)) {
        let said: Vec<Saying> = lines.into_iter().map(Saying::Client).collect();
        let heard = play(&said);
        let of_server = |e: &Expectation| matches!(e, Expectation::Server { .. });
        prop_assert!(heard.expected.iter().all(of_server));
    }
}
