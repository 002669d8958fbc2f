//! The connections as they are sent: piece by piece, so that neither the packet
//! path's owner nor a reader ever holds a million of them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use hyper::body::Bytes;
use vsnat_api::ConnectionView;

use crate::api::records;
use crate::engine::{Engine, Gone};

/// Slots that are looked at in one go: about a millisecond under the lock, and
/// at most 400 kB of records.
const SLOTS: u32 = 16_384;

/// Pieces that wait for a slow reader.
const WAITING: usize = 2;

/// How the connections are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Records,
}

impl Form {
    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Form::Json => "application/json",
            Form::Records => records::MEDIA_TYPE,
        })
    }

    fn beginning(self) -> &'static [u8] {
        match self {
            Form::Json => b"{\"connections\":[",
            Form::Records => &records::HEADER,
        }
    }

    fn end(self) -> &'static [u8] {
        match self {
            Form::Json => b"]}",
            Form::Records => b"",
        }
    }
}

/// All connections, each as it is when its piece is read.
pub(crate) fn connections(engine: Arc<Engine>, form: Form) -> Response {
    let (sender, body) = Channel::new(WAITING);
    tokio::spawn(send(engine, form, sender));
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, form.content_type());
    response
}

async fn send(engine: Arc<Engine>, form: Form, mut sender: Sender<Bytes, Gone>) {
    let mut next = Some(0);
    let mut text = form.beginning().to_vec();
    let mut is_first = true;
    while let Some(first) = next {
        let piece = engine.blocking(move |engine| {
            let (views, next) = engine.connections(first, SLOTS)?;
            Ok((write(&views, form), next))
        });
        let (written, after) = match piece.await {
            Ok(piece) => piece,
            // The reader must not take this for the end of the list.
            Err(gone) => return sender.abort(gone),
        };
        if form == Form::Json && !is_first && !written.is_empty() {
            text.push(b',');
        }
        is_first &= written.is_empty();
        text.extend(written);
        next = after;
        if next.is_none() {
            text.extend(form.end());
        }
        if text.is_empty() {
            continue;
        }
        // An error says that the reader has left.
        if sender
            .send_data(std::mem::take(&mut text).into())
            .await
            .is_err()
        {
            return;
        }
    }
}

fn write(views: &[ConnectionView], form: Form) -> Vec<u8> {
    match form {
        Form::Records => records::encode(views),
        Form::Json => {
            // Plain data always has a JSON form.
            let mut list = serde_json::to_vec(views).unwrap_or_default();
            // The brackets are around the whole list.
            list.pop();
            list.drain(..list.len().min(1));
            list
        }
    }
}
