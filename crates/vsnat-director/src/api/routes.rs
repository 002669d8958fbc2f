//! What can be asked, and how it is answered.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use vsnat_api::{CommandRequest, CommandResponse};

use crate::api::listing::{self, Form};
use crate::api::{ErrorBody, records};
use crate::dhcp::Dhcp;
use crate::engine::{Engine, Gone};
use crate::enrol::Enrol;
use crate::restore::RestoreError;

/// A command takes less than 200 bytes: this is room for 80,000 at once.
const MAX_REQUEST: usize = 16 << 20;

/// A client's wish that the director be taken down, to be answered when it is.
pub(crate) type DownRequest = oneshot::Sender<Result<(), RestoreError>>;

/// What requests are about.
#[derive(Clone)]
pub(crate) struct Asked {
    pub engine: Arc<Engine>,
    pub dhcp: Option<Arc<Dhcp>>,
    pub enrol: Arc<Enrol>,
    pub down: mpsc::Sender<DownRequest>,
}

pub(crate) fn router(asked: Asked) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/services", get(services))
        .route("/v1/connections", get(connections))
        .route("/v1/deny", get(deny))
        .route("/v1/timeouts", get(timeouts))
        .route("/v1/settings", get(settings))
        .route("/v1/marks", get(marks))
        .route("/v1/dhcp/leases", get(dhcp_leases))
        .route("/v1/servers", get(servers))
        .route("/v1/nat", get(nat))
        .route("/v1/commands", post(commands))
        .route("/v1/down", post(take_down))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(asked)
}

async fn status(State(api): State<Asked>) -> Response {
    answer(api.engine.blocking(Engine::status).await)
}

async fn services(State(api): State<Asked>) -> Response {
    answer(api.engine.blocking(Engine::services).await)
}

async fn servers(State(api): State<Asked>) -> Response {
    let services = api.engine.blocking(Engine::services).await;
    answer(services.map(|services| api.enrol.standings(&services)))
}

async fn nat(State(api): State<Asked>) -> Response {
    answer(api.engine.blocking(Engine::nat).await)
}

async fn connections(State(api): State<Asked>, headers: HeaderMap) -> Response {
    let wants_records = headers
        .get(ACCEPT)
        .is_some_and(|accept| accept == records::MEDIA_TYPE);
    let form = match wants_records {
        true => Form::Records,
        false => Form::Json,
    };
    listing::connections(api.engine, form)
}

async fn deny(State(api): State<Asked>) -> Response {
    answer(api.engine.blocking(Engine::deny).await)
}

async fn timeouts(State(api): State<Asked>) -> Response {
    answer(api.engine.blocking(Engine::timeouts).await)
}

async fn settings(State(api): State<Asked>) -> Response {
    answer(api.engine.blocking(Engine::settings).await)
}

async fn marks(State(api): State<Asked>) -> Response {
    answer(api.engine.blocking(Engine::marks).await)
}

/// The thread of DHCP holds its lock while it writes to the disk.
async fn dhcp_leases(State(api): State<Asked>) -> Response {
    let Some(dhcp) = api.dhcp else {
        let message = "this director gives out no addresses; add [dhcp] to its file and restart it";
        return refuse(StatusCode::NOT_FOUND, message.to_owned());
    };
    let leases = tokio::task::spawn_blocking(move || dhcp.leases()).await;
    answer(leases.map_err(|_| Gone))
}

async fn commands(
    State(api): State<Asked>,
    request: Result<Json<CommandRequest>, JsonRejection>,
) -> Response {
    let request = match request {
        Ok(Json(request)) => request,
        Err(rejection) => return refuse(rejection.status(), rejection.body_text()),
    };
    let apply = move |engine: &Engine| engine.apply(&request.commands);
    let results = api.engine.blocking(apply).await;
    answer(results.map(|results| CommandResponse { results }))
}

async fn take_down(State(api): State<Asked>) -> Response {
    let (done, result) = oneshot::channel();
    if api.down.send(done).await.is_err() {
        return answer::<()>(Err(Gone));
    }
    match result.await {
        Ok(Ok(())) => answer(Ok(())),
        Ok(Err(error)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(_) => answer::<()>(Err(Gone)),
    }
}

async fn unknown() -> Response {
    let message = "there is no such path; GET /v1/status, /v1/services, /v1/connections, /v1/deny, \
                   /v1/timeouts, /v1/settings, /v1/marks, /v1/dhcp/leases, /v1/servers, /v1/nat, POST /v1/commands, /v1/down";
    refuse(StatusCode::NOT_FOUND, message.to_owned())
}

async fn wrong_method() -> Response {
    let message = "this path does not know that method".to_owned();
    refuse(StatusCode::METHOD_NOT_ALLOWED, message)
}

fn answer<T: Serialize>(result: Result<T, Gone>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(gone) => refuse(StatusCode::SERVICE_UNAVAILABLE, gone.to_string()),
    }
}

fn refuse(status: StatusCode, error: String) -> Response {
    (status, Json(ErrorBody { error })).into_response()
}
