//! Running other programs: loudly on failure, never waiting for input, and with a
//! deadline where the program might hang.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a silent program is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// A closed pipe answers at once; without a pause we would spin until the program ends.
const CLOSED_PIPE_PAUSE: Duration = Duration::from_millis(10);
/// How long output is still read after the program's end: something it started may
/// hold the pipe open for ever.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// Directories that a user's PATH lacks on Debian although administration tools live there.
const ADMINISTRATION_DIRS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// How a watched program ended.
#[derive(Debug)]
pub enum Ending {
    Exited(ExitStatus),
    TimedOut(Duration),
}

/// Runs a program with our own output and fails when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a program and returns what it wrote to standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!(
            "`{line}` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{line}` wrote something that is not UTF-8"))
}

/// Runs a program, hands over its standard output line by line, and ends it at the deadline.
pub fn watch(command: &mut Command, limit: Duration, on_line: impl FnMut(&str)) -> Result<Ending> {
    let line = command_line(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    let stdout = child
        .stdout
        .take()
        .context("a piped standard output is missing")?;
    let (sender, lines) = mpsc::channel();

    // Not joined: it ends with the pipe, which a stray grandchild may keep open.
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        while let Some(line) = read_line(&mut reader) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });

    let ending = follow(&mut child, &lines, limit, on_line);
    ending.with_context(|| format!("while watching `{line}`"))
}

pub fn command_line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

/// Finds a program by name in PATH and in the directories of administration tools.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(ADMINISTRATION_DIRS.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| is_executable(candidate))
}

pub fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

pub fn is_root() -> bool {
    // The owner of /proc/self is the effective user of this process.
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

fn follow(
    child: &mut Child,
    lines: &Receiver<String>,
    limit: Duration,
    mut on_line: impl FnMut(&str),
) -> Result<Ending> {
    let start = Instant::now();
    let mut exited: Option<(ExitStatus, Instant)> = None;

    loop {
        let pipe_closed = match lines.recv_timeout(POLL_INTERVAL) {
            Ok(line) => {
                on_line(&line);
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(CLOSED_PIPE_PAUSE);
                true
            }
        };

        if exited.is_none() {
            exited = child.try_wait()?.map(|status| (status, Instant::now()));
        }
        match exited {
            Some((status, since)) if pipe_closed || since.elapsed() > DRAIN_TIME => {
                return Ok(Ending::Exited(status));
            }
            None if start.elapsed() > limit => {
                child.kill()?;
                child.wait()?;
                return Ok(Ending::TimedOut(limit));
            }
            Some(_) | None => {}
        }
    }
}

/// A line without its end, whatever bytes it holds: consoles are not always UTF-8.
fn read_line(reader: &mut BufReader<impl Read>) -> Option<String> {
    let mut bytes = Vec::new();
    let count = reader.read_until(b'\n', &mut bytes).ok()?;
    if count == 0 {
        return None;
    }
    Some(
        String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn watched_lines_arrive_in_order_with_the_exit_code() {
        let mut seen = Vec::new();
        let ending = watch(
            &mut shell("echo one; printf 'two\\r\\n'; printf three; exit 7"),
            POLL_INTERVAL * 50,
            |line| {
                seen.push(line.to_owned());
            },
        )
        .unwrap();

        assert_eq!(seen, ["one", "two", "three"]);
        assert!(matches!(ending, Ending::Exited(status) if status.code() == Some(7)));
    }

    #[test]
    fn a_program_that_hangs_is_ended_at_the_limit() {
        let ending = watch(&mut shell("exec sleep 60"), POLL_INTERVAL, |_| {}).unwrap();

        assert!(matches!(ending, Ending::TimedOut(_)));
    }

    #[test]
    fn a_stray_grandchild_does_not_hold_us_up() {
        let ending = watch(
            &mut shell("sleep 30 & echo started"),
            Duration::from_secs(20),
            |_| {},
        )
        .unwrap();

        assert!(matches!(ending, Ending::Exited(status) if status.success()));
    }

    #[test]
    fn a_failing_program_is_named_with_its_message() {
        let error = output(&mut shell("echo broken >&2; exit 3"))
            .unwrap_err()
            .to_string();

        assert!(
            error.contains("broken") && error.contains("sh -c"),
            "{error}"
        );
    }
}
