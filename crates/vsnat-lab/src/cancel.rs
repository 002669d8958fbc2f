//! Being interrupted: one flag that everything which takes long looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::LabError;

/// A wish to stop, shared by all that hold a copy.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that Ctrl-C and SIGTERM raise. The process then no longer ends
    /// by them: whoever looks at the flag puts things in order and returns.
    pub fn on_signals() -> Result<Self, LabError> {
        let cancel = Cancel::default();
        let raised = cancel.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(LabError::io("prepare for signals"))?;
        let (mut interrupt, mut terminate) = {
            use tokio::signal::unix::{SignalKind, signal};
            let _context = runtime.enter();
            let interrupt = signal(SignalKind::interrupt());
            let terminate = signal(SignalKind::terminate());
            (
                interrupt.map_err(LabError::io("listen for SIGINT"))?,
                terminate.map_err(LabError::io("listen for SIGTERM"))?,
            )
        };
        let wait = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            raised.raise();
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(wait)
            .map_err(LabError::io("start the thread that waits for signals"))?;
        Ok(cancel)
    }

    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn check(&self) -> Result<(), LabError> {
        match self.is_raised() {
            true => Err(LabError::Interrupted),
            false => Ok(()),
        }
    }
}
