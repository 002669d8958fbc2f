//! The client of a running director, for the command line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::runtime::{self, Runtime};
use vsnat_api::{
    Command, CommandError, CommandRequest, CommandResponse, ConnectionView, Deny, DhcpLeases,
    Marks, Nat, RUN_DIR, ServerStandings, Services, Settings, Status, Timeouts,
};
use vsnat_config::DirectorName;
use vsnat_dataplane::DataPlane;

use crate::api::ErrorBody;
use crate::api::records::{self, Reader};

/// Listing millions of connections takes seconds, not more.
const PATIENCE: Duration = Duration::from_secs(60);

const JSON: &str = "application/json";

/// What is asked of a director.
struct Asked {
    method: Method,
    path: &'static str,
    /// The form that the answer shall have.
    accept: &'static str,
    body: Bytes,
}

impl Asked {
    fn get(path: &'static str) -> Self {
        Asked {
            method: Method::GET,
            path,
            accept: JSON,
            body: Bytes::new(),
        }
    }

    fn post(path: &'static str, body: Bytes) -> Self {
        Asked {
            method: Method::POST,
            path,
            accept: JSON,
            body,
        }
    }
}

/// Talks to the director behind a socket; every call waits for its answer.
#[derive(Clone, Debug)]
pub struct Client {
    name: Option<DirectorName>,
    socket: PathBuf,
}

/// The director did not do it.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error(
        "no director answers on {}: {source}; start one with `vsnat run`, or name its socket with \
         --name, --socket or VSNAT_SOCKET{}",
        socket.display(),
        sockets_but(socket)
    )]
    NobodyAnswers { socket: PathBuf, source: io::Error },
    #[error(
        "director {name} has no daemon (nobody answers on {}: {source}), but its data plane is \
         pinned and goes on forwarding: adopt it by `vsnat run` with its file, or remove it by \
         `vsnat down --name {name}`",
        socket.display()
    )]
    DaemonGone {
        name: DirectorName,
        socket: PathBuf,
        source: io::Error,
    },
    #[error(
        "the director on {} is ending and does not answer any more; look at its log, or ask again",
        socket.display()
    )]
    Ended { socket: PathBuf },
    #[error("{} may not be used by this user; run this with sudo", socket.display())]
    Forbidden { socket: PathBuf },
    #[error("the director on {} refuses: {message}", socket.display())]
    Refused { socket: PathBuf, message: String },
    #[error(
        "the director on {} does not answer within {} s; look at its log",
        socket.display(),
        PATIENCE.as_secs()
    )]
    TooLate { socket: PathBuf },
    #[error(
        "the answer from {} cannot be understood ({message}); is it a director of this version?",
        socket.display()
    )]
    Malformed { socket: PathBuf, message: String },
}

impl Client {
    /// The director that listens at `socket`, and its name if that is known.
    pub fn new(name: Option<DirectorName>, socket: &Path) -> Self {
        Client {
            name,
            socket: socket.to_owned(),
        }
    }

    pub fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status")
    }

    pub fn services(&self) -> Result<Services, ClientError> {
        self.get("/v1/services")
    }

    /// Gives every connection to `each` as it arrives, until that has enough.
    pub fn connections<E: From<ClientError>>(
        &self,
        mut each: impl FnMut(&ConnectionView) -> Result<(), E>,
    ) -> Result<(), E> {
        let request = Asked {
            accept: records::MEDIA_TYPE,
            ..Asked::get("/v1/connections")
        };
        self.runtime()?.block_on(async {
            let response = self.in_time(self.exchange(request)).await?;
            let mut body = self.accepted(response).await?;
            let mut reader = Reader::default();
            // A reader behind a pager may take its time, the director may not.
            while let Some(data) = self.in_time(self.data(&mut body)).await? {
                let views = reader.read(&data);
                for view in views.map_err(|error| self.malformed(error.to_string()))? {
                    each(&view)?;
                }
            }
            let finished = reader.finish();
            finished.map_err(|error| self.malformed(error.to_string()).into())
        })
    }

    pub fn deny(&self) -> Result<Deny, ClientError> {
        self.get("/v1/deny")
    }

    pub fn timeouts(&self) -> Result<Timeouts, ClientError> {
        self.get("/v1/timeouts")
    }

    pub fn settings(&self) -> Result<Settings, ClientError> {
        self.get("/v1/settings")
    }

    pub fn marks(&self) -> Result<Marks, ClientError> {
        self.get("/v1/marks")
    }

    pub fn servers(&self) -> Result<ServerStandings, ClientError> {
        self.get("/v1/servers")
    }

    pub fn dhcp_leases(&self) -> Result<DhcpLeases, ClientError> {
        self.get("/v1/dhcp/leases")
    }

    pub fn nat(&self) -> Result<Nat, ClientError> {
        self.get("/v1/nat")
    }

    /// One result for each command, in their order.
    pub fn commands(
        &self,
        commands: Vec<Command>,
    ) -> Result<Vec<Result<(), CommandError>>, ClientError> {
        let expected = commands.len();
        let body = self.encode(&CommandRequest { commands })?;
        let response: CommandResponse = self.call(Asked::post("/v1/commands", body))?;
        if response.results.len() != expected {
            let message = "it lacks the result of a command".to_owned();
            return Err(self.malformed(message));
        }
        Ok(response.results)
    }

    /// Asks the director to remove everything; returns when it has.
    pub fn down(&self) -> Result<(), ClientError> {
        self.call(Asked::post("/v1/down", Bytes::new()))
    }

    fn get<T: DeserializeOwned>(&self, path: &'static str) -> Result<T, ClientError> {
        self.call(Asked::get(path))
    }

    fn call<T: DeserializeOwned>(&self, request: Asked) -> Result<T, ClientError> {
        let body = self.runtime()?.block_on(self.in_time(async {
            let response = self.exchange(request).await?;
            let body = self.accepted(response).await?.collect().await;
            Ok(body.map_err(|error| self.broken(&error))?.to_bytes())
        }))?;
        serde_json::from_slice(&body).map_err(|error| self.malformed(error.to_string()))
    }

    fn runtime(&self) -> Result<Runtime, ClientError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|source| self.nobody_answers(source))
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let limited = tokio::time::timeout(PATIENCE, answer).await;
        limited.unwrap_or_else(|_| Err(self.too_late()))
    }

    async fn exchange(&self, request: Asked) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|source| self.not_connected(source))?;
        let broken = |error: hyper::Error| self.broken(&error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(request.method)
            .uri(request.path)
            .header("host", "vsnat")
            .header("accept", request.accept)
            .header("content-type", JSON)
            .body(Full::new(request.body))
            .map_err(|error| self.malformed(error.to_string()))?;
        sender.send_request(request).await.map_err(broken)
    }

    /// The body of an answer that is no refusal.
    async fn accepted(&self, response: Response<Incoming>) -> Result<Incoming, ClientError> {
        let status = response.status();
        let body = response.into_body();
        if status.is_success() {
            return Ok(body);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(self.ended());
        }
        let body = body.collect().await;
        let body = body.map_err(|error| self.broken(&error))?.to_bytes();
        let message = match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => body.error,
            Err(_) => format!("HTTP status {status}"),
        };
        let socket = self.socket.clone();
        Err(ClientError::Refused { socket, message })
    }

    /// The next bytes of a body; none at its end.
    async fn data(&self, body: &mut Incoming) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.broken(&error))?;
            // Trailers are no data.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    fn encode<T: Serialize>(&self, value: &T) -> Result<Bytes, ClientError> {
        let text = serde_json::to_vec(value).map_err(|e| self.malformed(e.to_string()))?;
        Ok(Bytes::from(text))
    }

    fn not_connected(&self, source: io::Error) -> ClientError {
        match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::Forbidden {
                socket: self.socket.clone(),
            },
            _ => self.nobody_answers(source),
        }
    }

    fn nobody_answers(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        let is_pinned = |name: &DirectorName| DataPlane::is_pinned(name.as_str());
        match self.name.clone().filter(is_pinned) {
            Some(name) => ClientError::DaemonGone {
                name,
                socket,
                source,
            },
            None => ClientError::NobodyAnswers { socket, source },
        }
    }

    /// A connection that ends is the end of its director; all else is no
    /// answer of one.
    fn broken(&self, error: &hyper::Error) -> ClientError {
        let is_end = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        let cause = std::error::Error::source(error);
        let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
        if is_end || cause.is_some() {
            return self.ended();
        }
        self.malformed(error.to_string())
    }

    fn ended(&self) -> ClientError {
        ClientError::Ended {
            socket: self.socket.clone(),
        }
    }

    fn too_late(&self) -> ClientError {
        ClientError::TooLate {
            socket: self.socket.clone(),
        }
    }

    fn malformed(&self, message: String) -> ClientError {
        ClientError::Malformed {
            socket: self.socket.clone(),
            message,
        }
    }
}

/// The sockets that a user may have meant, as the end of a message.
fn sockets_but(asked: &Path) -> String {
    let entries = fs::read_dir(RUN_DIR).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let sockets = paths.filter(|path| {
        let is_socket = path.extension().is_some_and(|end| end == "sock");
        is_socket && path != asked
    });
    let mut sockets: Vec<String> = sockets.map(|path| path.display().to_string()).collect();
    sockets.sort();
    match sockets.is_empty() {
        true => String::new(),
        false => format!(" (there are {})", sockets.join(", ")),
    }
}
