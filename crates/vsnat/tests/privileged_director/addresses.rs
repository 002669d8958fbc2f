//! VIPs that somebody else has or wants, and those that are taken.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use crate::bench::{Bench, SERVICE, until};

/// A program among the neighbours; it is killed when this is dropped.
struct Neighbour(Child);

impl Neighbour {
    fn run(bench: &Bench, command: &str, output: Stdio) -> Self {
        let mut run = Command::new("ip");
        run.args(["netns", "exec", &bench.neighbours()]);
        let run = run.args(command.split_whitespace()).stdout(output);
        Neighbour(run.stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_vip_that_a_neighbour_is_about_to_take_is_refused() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    // It asks once a second; the director listens for three quarters of one.
    let asking: Vec<Neighbour> = (0..3)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            let probe = "busybox arping -D -w 30 -I eth0 192.168.28.168";
            Neighbour::run(&bench, probe, Stdio::null())
        })
        .collect();
    let said = bench.refused();
    assert!(
        said.contains("VIP 192.168.28.168 is in use by the neighbour"),
        "{said}"
    );
    assert!(said.contains("force_vips = true"), "{said}");
    assert_eq!(bench.snapshot(), before);
    drop(asking);
    let _director = bench.start();
}

#[test]
fn a_vip_in_use_is_taken_if_the_file_says_so() {
    let bench = Bench::new();
    bench.write("force_vips = true", SERVICE);
    bench.in_neighbours("address add 192.168.28.167/24 dev eth0");
    let director = bench.start();
    let log = director.log();
    assert!(
        log.contains("taken all the same, as force_vips says"),
        "{log}"
    );
    assert!(bench.snapshot().contains("192.168.28.167/24"));
}

#[test]
fn taken_vips_are_announced_again_and_again() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let heard = std::env::temp_dir().join(format!("{}-arp", bench.name));
    let file = File::create(&heard).unwrap();
    let capture = "tcpdump -l -n -i eth0 arp and not host 0.0.0.0";
    let _capture = Neighbour::run(&bench, capture, file.into());
    std::thread::sleep(std::time::Duration::from_secs(1));
    let _director = bench.start();
    for vip in ["192.168.28.167", "192.168.28.168"] {
        let count = |words: &str| {
            let text = std::fs::read_to_string(&heard).unwrap_or_default();
            text.matches(words).count()
        };
        let asked = format!("who-has {vip} ({})", "ff:ff:ff:ff:ff:ff");
        let request = format!("tell {vip}");
        until("it is announced four times", || {
            count(&request).max(count(&asked)) == 4 && count(&format!("Reply {vip} is-at")) == 4
        });
    }
    std::fs::remove_file(heard).unwrap();
}

#[test]
fn a_vip_that_was_taken_over_meanwhile_waits() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let director = bench.start();
    bench.ip("link del eth0");
    until("it is noticed", || director.log().contains("eth0 is gone"));
    bench.add_interface("eth0");
    bench.in_neighbours("address add 192.168.28.168/24 dev eth0");
    until("the owner is named", || {
        director
            .log()
            .contains("VIP 192.168.28.168 is in use by the neighbour")
    });
    bench.in_neighbours("address del 192.168.28.168/24 dev eth0");
    until("both VIPs are back", || {
        let now = bench.snapshot();
        now.contains("192.168.28.167/24") && now.contains("192.168.28.168/24")
    });
}
