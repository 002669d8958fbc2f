//! A director that has only what the unit of `vsnat init` leaves it.

use std::fs;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, SERVICE, until};

const FTP_AND_DHCP: &str = "\
[[service]]
protocol = \"tcp\"
address = \"192.168.28.168:21\"
helper = \"ftp\"

[[dhcp.network]]
network = \"10.0.100.0/24\"
pools = [\"10.0.100.100-10.0.100.199\"]
";

/// The capabilities that the unit grants, in the words of setpriv.
fn capabilities(bench: &Bench) -> String {
    let unit = std::env::temp_dir().join(format!("{}.service", bench.name));
    let config = unit.with_extension("toml");
    let mut init = Command::new(env!("CARGO_BIN_EXE_vsnat"));
    init.args([
        "init",
        "--outer",
        "eth0",
        "--inner",
        "eth1",
        "--vip",
        "192.0.2.1/24",
    ]);
    let output = init
        .arg("--config")
        .arg(&config)
        .arg("--unit")
        .arg(&unit)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(&unit).unwrap();
    fs::remove_file(unit).unwrap();
    fs::remove_file(config).unwrap();
    let granted = text
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = granted.unwrap().split(' ').map(|name| {
        let name = name.strip_prefix("CAP_").unwrap();
        format!(",+{}", name.to_lowercase())
    });
    std::iter::once("-all".to_owned()).chain(names).collect()
}

/// As the unit has it: a system that is read-only but for two folders, no new
/// privileges, and few capabilities.
fn confined(bench: &Bench) -> Child {
    let script = "for folder in /run/vsnat /var/lib/vsnat; do\n\
                    mkdir -p $folder; mount --bind $folder $folder\ndone\n\
                  mount -o remount,bind,ro / && exec setpriv --no-new-privs \"$@\"";
    let run = bench.run_command();
    let words = run
        .get_args()
        .filter(|word| *word != "--netns" && *word != &*bench.name);
    let mut confined = Command::new("nsenter");
    confined.arg(format!("--net=/run/netns/{}", bench.name));
    confined.args([
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        script,
        "sh",
    ]);
    confined.arg(format!("--bounding-set={}", capabilities(bench)));
    confined.arg(run.get_program()).args(words);
    let log = bench.log_file();
    confined
        .stdout(Stdio::null())
        .stderr(fs::File::create(log).unwrap());
    confined.spawn().unwrap()
}

#[test]
fn the_unit_grants_what_a_director_needs() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", &format!("{SERVICE}{FTP_AND_DHCP}"));
    let log = || fs::read_to_string(bench.log_file()).unwrap();
    for (command, last) in [
        ("-A -t 192.168.28.168:9000 -s wrr", Signal::SIGTERM),
        ("-D -t 192.168.28.168:9000", Signal::SIGINT),
    ] {
        let mut director = confined(&bench);
        until("it serves", || {
            assert_eq!(director.try_wait().unwrap(), None, "{}", log());
            bench.vsnat(&["status"]).status.success()
        });
        let leases = bench.vsnat(&["dhcp", "leases"]);
        assert!(leases.status.success(), "{leases:?}");
        let nat = bench.vsnat(&["nat"]);
        assert!(
            String::from_utf8_lossy(&nat.stdout).contains("open flows"),
            "{nat:?}"
        );
        assert_eq!(bench.ipvsadm(command), (0, String::new()));
        assert!(!log().contains("ERROR"), "{}", log());
        assert!(!log().contains("cannot"), "{}", log());
        let pid = Pid::from_raw(i32::try_from(director.id()).unwrap());
        kill(pid, last).unwrap();
        assert_eq!(director.wait().unwrap().code(), Some(0), "{}", log());
    }
    assert_eq!(bench.snapshot(), before);
    let _ = fs::remove_file(format!("/var/lib/vsnat/{}.leases", bench.name));
}
