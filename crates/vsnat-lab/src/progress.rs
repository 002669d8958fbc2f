//! Telling how far a run has come.

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Takes the requests of one run as they end.
pub trait Progress: Send + Sync {
    fn advance(&self, requests: u64);
}

/// Makes a [`Progress`] for each run.
pub trait Observer {
    fn begin(&self, label: &str, requests: u64) -> Arc<dyn Progress>;
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unseen;

impl Progress for Unseen {
    fn advance(&self, _requests: u64) {}
}

impl Observer for Unseen {
    fn begin(&self, _label: &str, _requests: u64) -> Arc<dyn Progress> {
        Arc::new(Unseen)
    }
}

/// Progress bars on standard error; none where that is not a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bars;

struct Bar(ProgressBar);

impl Observer for Bars {
    fn begin(&self, label: &str, requests: u64) -> Arc<dyn Progress> {
        let bar = ProgressBar::with_draw_target(Some(requests), ProgressDrawTarget::stderr());
        let template = "  {msg:<24} {bar:40} {pos:>7}/{len:<7} {eta:>4} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_message(label.to_owned());
        Arc::new(Bar(bar))
    }
}

impl Progress for Bar {
    fn advance(&self, requests: u64) {
        self.0.inc(requests);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
