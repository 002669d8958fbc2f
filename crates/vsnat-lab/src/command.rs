//! Running other programs, with errors that show the command and what it said.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::LabError;

/// Runs a command to its end and gives its standard output; a non-zero exit is
/// an error that quotes its standard error.
pub fn run(command: &mut Command) -> Result<String, LabError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| LabError::NotRun {
            command: shown(command),
            source,
        })?;
    checked(command, output)
}

/// As [`run`], with text on the command's standard input.
pub fn run_with_input(command: &mut Command, input: &str) -> Result<String, LabError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| LabError::NotRun {
            command: shown(command),
            source,
        })?;
    let stdin = child.stdin.take();
    // A thread writes, so that a command which fills its output pipe before it
    // has read all its input cannot stall both sides. A command that ends
    // early closes the pipe; its exit status tells why.
    let output = thread::scope(|scope| {
        scope.spawn(|| stdin.map(|mut pipe| pipe.write_all(input.as_bytes())));
        child.wait_with_output()
    });
    let output = output.map_err(LabError::io(format!("wait for `{}`", shown(command))))?;
    checked(command, output)
}

/// The command as one would type it, for messages.
pub fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

fn checked(command: &Command, output: Output) -> Result<String, LabError> {
    if !output.status.success() {
        return Err(LabError::Command {
            command: shown(command),
            status: output.status.to_string(),
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_command_and_stderr() {
        let error = run(Command::new("sh").args(["-c", "echo wrong >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sh -c") && text.contains("wrong"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.to_string().contains("no-such-program-here"));
    }

    #[test]
    fn input_reaches_the_command() {
        let text = run_with_input(&mut Command::new("cat"), "a\nb\n").unwrap();
        assert_eq!(text, "a\nb\n");
    }
}
