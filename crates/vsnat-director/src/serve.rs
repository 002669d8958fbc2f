//! The tasks of a running director, until it is told to end.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};

use crate::api::routes::{self, DownRequest};
use crate::dhcp::Dhcp;
use crate::engine::{Engine, Gone};
use crate::enrol::Enrol;
use crate::ftp::Helper;
use crate::host::events::Events;
use crate::restore::RestoreError;
use crate::run::Ending;
use crate::{estimator, watch};

/// A burst of news is one piece of news: each makes every connection ask the
/// kernel's routing again, which must stay rare where links or routes flap.
const NEWS_PAUSE: Duration = Duration::from_millis(300);

/// How long answers under way may take when the director ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Serves until a signal or a client ends it.
pub(crate) async fn serve(
    engine: Arc<Engine>,
    dhcp: Option<Dhcp>,
    listener: UnixListener,
    mut signals: Signals,
    config_path: Option<PathBuf>,
) -> io::Result<Result<Ending, RestoreError>> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let (down_sender, mut down_requests) = mpsc::channel(1);
    let (close, closed) = oneshot::channel::<()>();
    let dhcp = dhcp.map(Arc::new);
    let enrol = Arc::new(enrol_of(&engine));
    let asked = routes::Asked {
        engine: Arc::clone(&engine),
        dhcp: dhcp.clone(),
        enrol: Arc::clone(&enrol),
        down: down_sender,
    };
    let router = routes::router(asked);
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = closed.await;
    });
    let mut server = tokio::spawn(server.into_future());
    let tasks = [
        repeat(&engine, estimator::PERIOD, Engine::sample),
        repeat(&engine, watch::PERIOD, Engine::look),
        tokio::spawn(follow_network(Arc::clone(&engine), Events::subscribe()?)),
    ];

    let helper = Helper::start(&engine);
    let enrolling = dhcp.map(|dhcp| tokio::spawn(enrol.run(Arc::clone(&engine), dhcp)));

    let told = until_told(&engine, &mut signals, &mut down_requests, config_path).await;
    // While its packets still find their way.
    helper.end().await;
    let ending = end(&engine, told).await;
    for task in tasks.into_iter().chain(enrolling) {
        task.abort();
    }
    let _ = close.send(());
    let _ = time::timeout(LAST_ANSWERS, &mut server).await;
    Ok(ending)
}

fn enrol_of(engine: &Engine) -> Enrol {
    let config = &engine.setup.config;
    let rules = config.dhcp.as_ref().map(|dhcp| dhcp.enrolments.clone());
    Enrol::new(rules.unwrap_or_default(), &config.services)
}

/// The signals that mean something to a director.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals from now on; they are answered when serving.
    pub fn listen(runtime: &Runtime) -> io::Result<Self> {
        let _context = runtime.enter();
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

async fn until_told(
    engine: &Arc<Engine>,
    signals: &mut Signals,
    down_requests: &mut mpsc::Receiver<DownRequest>,
    config_path: Option<PathBuf>,
) -> Told {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => {
                tracing::info!("ending; the data plane goes on forwarding");
                return Told::LeaveForwarding;
            }
            _ = signals.interrupt.recv() => return Told::Remove,
            _ = signals.hangup.recv() => compare(engine, config_path.clone()).await,
            Some(request) = down_requests.recv() => return Told::RemoveFor(request),
        }
    }
}

/// How a director is told to end.
enum Told {
    LeaveForwarding,
    Remove,
    /// By a client that waits for the answer.
    RemoveFor(DownRequest),
}

async fn end(engine: &Arc<Engine>, told: Told) -> Result<Ending, RestoreError> {
    match told {
        Told::LeaveForwarding => Ok(Ending::LeftForwarding),
        Told::Remove => remove(engine).await.map(|()| Ending::Removed),
        Told::RemoveFor(request) => {
            let result = remove(engine).await;
            let ending = match &result {
                Ok(()) => Ok(Ending::Removed),
                Err(error) => Err(error.clone()),
            };
            let _ = request.send(result);
            ending
        }
    }
}

async fn remove(engine: &Arc<Engine>) -> Result<(), RestoreError> {
    tracing::info!("removing the data plane and restoring the host");
    match engine.blocking(Engine::remove).await {
        Ok(result) => result,
        Err(Gone) => Ok(()),
    }
}

/// SIGHUP: what would the file change? It is carried out at the next start.
async fn compare(engine: &Arc<Engine>, config_path: Option<PathBuf>) {
    let Some(path) = config_path else {
        tracing::warn!("SIGHUP ignored: this director was started without a file");
        return;
    };
    let compared = engine.blocking(move |engine| {
        let file = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Err(error) => tracing::error!("cannot read {file}: {error}"),
            Ok(text) => match vsnat_config::parse(&file, &text) {
                Err(mistakes) => tracing::error!("{mistakes}"),
                Ok(config) => {
                    tracing::info!("{file} is valid; nothing is changed now");
                    engine.compare(&config)?;
                }
            },
        }
        Ok(())
    });
    if let Err(gone) = compared.await {
        tracing::warn!("{gone}");
    }
}

/// Tells the packet path when its next hops may have changed.
async fn follow_network(engine: Arc<Engine>, mut events: Events) {
    loop {
        if let Err(error) = events.news().await {
            tracing::warn!("no more news of links and neighbours: {error}; looking every second");
            return;
        }
        if engine.blocking(Engine::network_changed).await.is_err() {
            return;
        }
        time::sleep(NEWS_PAUSE).await;
    }
}

fn repeat(
    engine: &Arc<Engine>,
    period: Duration,
    call: fn(&Engine) -> Result<(), Gone>,
) -> JoinHandle<()> {
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        let mut ticks = time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if engine.blocking(call).await.is_err() {
                return;
            }
        }
    })
}
