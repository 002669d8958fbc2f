//! Spans of time as a file writes them: `"15m"`, `"300s"`, `"1h 30m"`.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;

use crate::mistake::Notes;

/// The sweeper looks at a slot about once a second.
const SHORTEST: Duration = Duration::from_secs(1);

/// ipvsadm's longest timeout, and well within the clock the slots keep.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

const WHOLE: RangeInclusive<Duration> = SHORTEST..=LONGEST;

/// Whole seconds, from one to 31 days.
pub(crate) fn seconds(key: &str, text: &Spanned<&str>, notes: &mut Notes) -> Option<u32> {
    let Ok(span) = humantime::parse_duration(text.get_ref()) else {
        let message = format!(
            "\"{}\" is no duration; write it like \"15m\", \"300s\" or \"1h 30m\"",
            text.get_ref()
        );
        notes.add(text.span(), message);
        return None;
    };
    if !WHOLE.contains(&span) || span.subsec_nanos() != 0 {
        let message = format!("{key} must be whole seconds, from 1s to 31days");
        notes.add(text.span(), message);
        return None;
    }
    u32::try_from(span.as_secs()).ok()
}
