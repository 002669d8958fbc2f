//! A director that is killed at each of its changes, and what is left then.
//!
//! The tools by which it changes the host are replaced by scripts which kill
//! their caller before or after one of the calls and else do the same. What it
//! changes without a tool lies between two calls.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, SERVICE, until};

/// More calls than a start or an end makes.
const MOST_CALLS: u32 = 60;

const FORWARD: &str = "\
[[forward]]
protocol = \"tcp\"
address = \"192.168.28.167:2201\"
to = \"10.0.100.11:22\"
";

/// On which side of a call its caller is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];

/// Scripts in place of the tools, and the count of their calls.
struct Tools {
    folder: PathBuf,
}

impl Tools {
    fn new(bench: &Bench) -> Self {
        let folder = std::env::temp_dir().join(format!("{}-tools", bench.name));
        fs::create_dir_all(&folder).unwrap();
        let tools = Tools { folder };
        for tool in ["ip", "nft", "tc"] {
            tools.wrap(tool);
        }
        tools
    }

    fn wrap(&self, tool: &str) {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .output();
        let real = String::from_utf8(found.unwrap().stdout).unwrap();
        let folder = self.folder.display();
        let script = format!(
            "#!/bin/sh\ncalls=$(($(cat {folder}/calls) + 1))\necho $calls > {folder}/calls\n\
             read at moment < {folder}/kill\n\
             if [ $calls = $at ] && [ $moment = Before ]; then kill -9 $PPID; exit 1; fi\n\
             {} \"$@\"\nresult=$?\n\
             if [ $calls = $at ]; then kill -9 $PPID; fi\nexit $result\n",
            real.trim()
        );
        let path = self.folder.join(tool);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    /// Whoever makes so many calls from now on is killed at the last one.
    fn kill_at(&self, call: u32, moment: Moment) {
        fs::write(self.folder.join("calls"), "0\n").unwrap();
        fs::write(self.folder.join("kill"), format!("{call} {moment:?}\n")).unwrap();
    }

    fn spawn(&self, mut command: Command) -> Child {
        let path = format!(
            "{}:{}",
            self.folder.display(),
            std::env::var("PATH").unwrap()
        );
        let command = command.env("PATH", path).stdout(Stdio::null());
        command.stderr(Stdio::null()).spawn().unwrap()
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A host on which others have addresses and rules.
fn shared_host() -> Bench {
    let bench = Bench::new();
    bench.ip("address add 192.168.28.9/24 dev eth0");
    bench.ip("address add 192.0.2.9/32 dev lo");
    bench.nft("table ip nat { chain post { type nat hook postrouting priority 100; }\n}");
    bench
}

/// Starts a director, and gives whether it was killed before it served.
fn dies_in_start(bench: &Bench, tools: &Tools) -> (Child, bool) {
    let mut director = tools.spawn(bench.run_command());
    let mut has_died = false;
    until("it serves or dies", || {
        has_died = director.try_wait().unwrap().is_some();
        has_died || bench.vsnat(&["status"]).status.success()
    });
    (director, has_died)
}

/// Gives the signal that it died of, if it did.
fn end(mut director: Child, signal: Signal) -> Option<i32> {
    let pid = Pid::from_raw(i32::try_from(director.id()).unwrap());
    let _ = kill(pid, signal);
    director.wait().unwrap().signal()
}

#[test]
fn killed_at_any_change_of_the_start() {
    let bench = shared_host();
    let before = bench.snapshot();
    let tools = Tools::new(&bench);
    let mut kills = 0;
    for moment in MOMENTS {
        for call in 1..MOST_CALLS {
            bench.write("", &format!("{SERVICE}{FORWARD}"));
            tools.kill_at(call, moment);
            let (director, has_died) = dies_in_start(&bench, &tools);
            // It makes calls while it serves and when it ends, too.
            if !has_died && end(director, Signal::SIGINT) != Some(9) {
                assert_eq!(bench.snapshot(), before);
                break;
            }
            kills += 1;
            assert_recovers(&bench, &before, call, moment);
        }
    }
    println!("killed {kills} times");
    assert!(kills >= 20, "only {kills} calls were found");
}

/// By the clean-up, or by the next start with another file.
#[track_caller]
fn assert_recovers(bench: &Bench, before: &str, call: u32, moment: Moment) {
    if call.is_multiple_of(2) {
        let cleaned = bench.vsnat(&["cleanup"]);
        assert!(cleaned.status.success(), "{cleaned:?}");
        assert_eq!(
            bench.snapshot(),
            before,
            "{moment:?} call {call}, then clean-up"
        );
        return;
    }
    bench.write_vips("\"192.168.28.169/24\"", "masquerade = false");
    let mut director = bench.start();
    let now = bench.snapshot();
    for stale in ["192.168.28.167", "192.168.28.168", "table ip vsnat"] {
        assert!(
            !now.contains(stale),
            "{stale}: {moment:?} call {call}, then start:\n{now}"
        );
    }
    assert!(now.contains("192.168.28.169/24"), "{now}");
    assert_eq!(director.end(Signal::SIGINT), Some(0), "{}", director.log());
    assert_eq!(
        bench.snapshot(),
        before,
        "{moment:?} call {call}, then start and end"
    );
}

#[test]
fn killed_at_any_change_of_the_end() {
    let bench = shared_host();
    let before = bench.snapshot();
    let tools = Tools::new(&bench);
    bench.write("", &format!("{SERVICE}{FORWARD}"));
    let mut kills = 0;
    for moment in MOMENTS {
        for call in 1..MOST_CALLS {
            tools.kill_at(MOST_CALLS * 10, moment);
            let (director, has_died) = dies_in_start(&bench, &tools);
            assert!(!has_died);
            tools.kill_at(call, moment);
            end(director, Signal::SIGINT);
            // It is not known whether the last call was the director's last.
            let calls = fs::read_to_string(tools.folder.join("calls")).unwrap();
            if calls.trim().parse::<u32>().unwrap() < call {
                assert_eq!(bench.snapshot(), before);
                break;
            }
            kills += 1;
            // The clean-up is killed at the same call, then is done again.
            tools.kill_at(call, moment);
            let mut down = Command::new(env!("CARGO_BIN_EXE_vsnat"));
            down.args(["down", "--name", &bench.name]);
            tools.spawn(down).wait().unwrap();
            bench.down();
            assert_eq!(bench.snapshot(), before, "{moment:?} call {call}");
        }
    }
    println!("killed {kills} times");
    assert!(kills >= 6, "only {kills} calls were found");
}

#[test]
fn killed_at_any_moment_of_the_end() {
    let bench = shared_host();
    let before = bench.snapshot();
    bench.write("", &format!("{SERVICE}{FORWARD}"));
    for after_ms in (0..120).step_by(12) {
        let mut director = bench.start();
        director.signal(Signal::SIGINT);
        thread::sleep(Duration::from_millis(after_ms));
        director.end(Signal::SIGKILL);
        bench.down();
        assert_eq!(bench.snapshot(), before, "killed after {after_ms} ms");
    }
}
