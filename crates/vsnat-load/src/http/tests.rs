//! Answers whole and in pieces, and what is not one.

use super::parse::{Malformed, Progress, Reply};

const SERVER: Option<&str> = Some("x-real-server");

const WITH_LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nServer: test/1\r\nX-Real-Server: server3\r\n\
    content-LENGTH:  5 \r\n\r\nhello";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    5\r\nhello\r\nA;name=\"value\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nhello";
const WITHOUT_DOCUMENT: &[u8] = b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n";

fn take(reply: &mut Reply, bytes: &[u8]) -> Result<Progress, Malformed> {
    reply.take(bytes, SERVER)
}

/// Takes an answer in pieces of some size.
fn in_pieces(reply: &mut Reply, bytes: &[u8], size: usize) -> Progress {
    let mut progress = Progress::More;
    for piece in bytes.chunks(size) {
        assert_eq!(progress, Progress::More, "complete before its last piece");
        progress = take(reply, piece).unwrap();
    }
    progress
}

#[test]
fn an_answer_is_the_same_however_it_is_cut() {
    for (answer, length) in [(WITH_LENGTH, 5), (CHUNKED, 15), (WITHOUT_DOCUMENT, 0)] {
        for size in 1..=answer.len() {
            let mut reply = Reply::new();
            assert_eq!(in_pieces(&mut reply, answer, size), Progress::Done);
            assert_eq!(reply.document_bytes(), length, "pieces of {size}");
            assert!(reply.keeps());
        }
    }
}

#[test]
fn the_close_ends_a_document_without_a_length() {
    for size in 1..=UNTIL_CLOSE.len() {
        let mut reply = Reply::new();
        assert_eq!(in_pieces(&mut reply, UNTIL_CLOSE, size), Progress::More);
        assert_eq!(reply.end(), Progress::Done);
        assert_eq!(reply.document_bytes(), 5);
        assert!(!reply.keeps());
    }
}

#[test]
fn a_close_before_the_end_is_noticed_wherever_it_comes() {
    for answer in [WITH_LENGTH, CHUNKED, WITHOUT_DOCUMENT] {
        for length in 0..answer.len() {
            let mut reply = Reply::new();
            assert_eq!(take(&mut reply, &answer[..length]), Ok(Progress::More));
            assert_eq!(reply.end(), Progress::More, "after {length} bytes");
        }
    }
}

#[test]
fn one_reply_reads_many_answers() {
    let mut reply = Reply::new();
    for (answer, server) in [
        (WITH_LENGTH, "server3"),
        (CHUNKED, ""),
        (WITH_LENGTH, "server3"),
    ] {
        reply.clear();
        assert_eq!(take(&mut reply, answer), Ok(Progress::Done));
        assert_eq!(reply.server(), server);
        assert_eq!(reply.status(), 200);
    }
    assert_eq!(reply.software(), "test/1");
}

#[test]
fn an_interim_answer_is_passed_over() {
    let mut reply = Reply::new();
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(take(&mut reply, answer), Ok(Progress::Done));
    assert_eq!((reply.status(), reply.document_bytes()), (404, 1));
}

#[test]
fn who_keeps_the_connection() {
    let keeps = |head: &str| {
        let mut reply = Reply::new();
        let answer = format!("HTTP/{head}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(take(&mut reply, answer.as_bytes()), Ok(Progress::Done));
        reply.keeps()
    };
    assert!(keeps("1.1 200 OK"));
    assert!(!keeps("1.1 200 OK\r\nConnection: Close"));
    assert!(!keeps("1.0 200 OK"));
    assert!(keeps("1.0 200 OK\r\nConnection: keep-alive"));
}

#[test]
fn lines_may_end_without_a_return() {
    let mut reply = Reply::new();
    let answer = b"HTTP/1.1 200\nContent-Length: 2\n\nok";
    assert_eq!(take(&mut reply, answer), Ok(Progress::Done));
}

#[test]
fn what_is_not_http_is_refused() {
    let head = "HTTP/1.1 200 OK\r\n";
    let wrong = [
        "nonsense\r\n".to_owned(),
        "HTTP/2 200 OK\r\n".to_owned(),
        "HTTP/1.1 20 OK\r\n".to_owned(),
        "HTTP/1.1 2000 OK\r\n".to_owned(),
        "HTTP/1.1 999 OK\r\n".to_owned(),
        "\r\n".to_owned(),
        format!("{head}no colon\r\n"),
        format!("{head}Content-Length: -1\r\n"),
        format!("{head}Content-Length: 99999999999999999999\r\n"),
        format!("{head}Transfer-Encoding: gzip\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"),
        format!("{head}Content-Length: 1\r\n\r\nab"),
        format!("{head}X: {}", "x".repeat(20_000)),
        format!("{head}{}", "X: y\r\n".repeat(20_000)),
    ];
    for text in wrong {
        let mut reply = Reply::new();
        let refused = take(&mut reply, text.as_bytes());
        assert_eq!(refused, Err(Malformed), "{}", &text[..text.len().min(60)]);
    }
}

#[test]
fn arbitrary_bytes_never_panic() {
    // A fixed sequence that looks like chance: every run tries the same.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for _ in 0..20_000 {
        let mut answer = [WITH_LENGTH, CHUNKED, UNTIL_CLOSE][next() % 3].to_vec();
        for _ in 0..=next() % 3 {
            let place = next() % answer.len();
            answer[place] = next() as u8;
        }
        let mut reply = Reply::new();
        for piece in answer.chunks(1 + next() % answer.len()) {
            if take(&mut reply, piece).is_err() {
                break;
            }
        }
        reply.end();
    }
}
