//! The embedded web server: HTTP/1.1 with and without keep-alive, one document,
//! its name and the client's address in headers, optionally held to a capacity.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::capacity::{Capacity, Processor, Queue};
use super::runtime::{ServerThread, listen};
use super::{CLIENT_HEADER, Counts, SERVER_HEADER, ServerOptions, document};
use crate::LabError;
use crate::namespace::Namespace;

/// A running embedded web server. Dropping it stops it.
#[derive(Debug)]
pub struct HttpServer {
    counters: Arc<Counters>,
    // Stopped in this order: first the connections, then what they wait for.
    _thread: ServerThread,
    _processor: Option<Processor>,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    requests: AtomicU64,
}

/// What every connection of one server needs.
struct Site {
    document: Bytes,
    name: HeaderValue,
    queue: Option<Queue>,
    counters: Arc<Counters>,
}

impl HttpServer {
    pub fn start(namespace: &Namespace, options: &ServerOptions) -> Result<Self, LabError> {
        let processor = match options.capacity {
            Capacity::Unlimited => None,
            Capacity::OneAtATime { per_request } => Some(Processor::start(per_request)?),
        };
        let name = HeaderValue::from_str(&options.name).map_err(|error| LabError::Io {
            what: format!("put the name {:?} into a header", options.name),
            source: std::io::Error::other(error),
        })?;
        let counters = Arc::new(Counters::default());
        let site = Arc::new(Site {
            document: document().into(),
            name,
            queue: processor.as_ref().and_then(Processor::queue),
            counters: counters.clone(),
        });
        let address = options.address;
        let thread = ServerThread::start(
            namespace,
            &options.name,
            move || listen(address),
            move |listener| accept(listener, site),
        )?;
        Ok(HttpServer {
            counters,
            _thread: thread,
            _processor: processor,
        })
    }

    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.counters.connections.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
        }
    }
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    loop {
        // A failed accept is a connection that went away before it was taken,
        // or no descriptor left: either way the next one may succeed.
        let Ok((stream, client)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        site.counters.connections.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_local(converse(stream, client, site.clone()));
    }
}

async fn converse(stream: TcpStream, client: SocketAddr, site: Arc<Site>) {
    let _ = stream.set_nodelay(true);
    let client = HeaderValue::from_str(&client.to_string());
    let answer = |_request: Request<Incoming>| {
        let (site, client) = (site.clone(), client.as_ref().ok().cloned());
        async move {
            if let Some(queue) = &site.queue {
                queue.process().await;
            }
            site.counters.requests.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(response(&site, client))
        }
    };
    let connection = http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    // A broken connection is the client's to notice and to count.
    let _ = connection.await;
}

fn response(site: &Site, client: Option<HeaderValue>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(site.document.clone()));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(HeaderName::from_static(SERVER_HEADER), site.name.clone());
    if let Some(client) = client {
        headers.insert(HeaderName::from_static(CLIENT_HEADER), client);
    }
    response
}
