//! XDP in front of TC: left out, asked for, refused, switched over, taken away.

use nix::sys::signal::Signal;

use crate::bench::{Bench, SERVICE, until};

/// What `vsnat status` says of each interface: what stands in front of TC, and
/// why.
#[track_caller]
fn fronts(bench: &Bench) -> Vec<(String, String)> {
    let output = bench.vsnat(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let interfaces = status["interfaces"].as_array().unwrap();
    let word = |view: &serde_json::Value, key: &str| view[key].as_str().unwrap().to_owned();
    let fronts = interfaces.iter();
    let fronts = fronts.map(|view| (word(view, "accelerated_by"), word(view, "why")));
    fronts.collect()
}

fn by(bench: &Bench) -> Vec<String> {
    fronts(bench).into_iter().map(|(by, _)| by).collect()
}

#[test]
fn a_veth_goes_by_tc_alone_unless_asked() {
    let bench = Bench::new();
    for director in ["", "attach = \"auto\"", "attach = \"tc\""] {
        bench.write(director, SERVICE);
        let mut director = bench.start();
        assert_eq!(bench.xdp_programs(), 0);
        for (by, why) in fronts(&bench) {
            assert_eq!(by, "");
            assert!(why.contains("it is a veth") || why == "asked for", "{why}");
        }
        director.end(Signal::SIGTERM);
    }
}

#[test]
fn it_outlives_its_director_is_taken_over_and_taken_away() {
    let bench = Bench::new();
    let before = bench.snapshot();
    let asked = "attach = \"xdp\"";
    bench.write(asked, SERVICE);
    let mut first = bench.start();
    assert_eq!(by(&bench), ["xdp (driver)"; 2], "{}", first.log());
    assert_eq!(bench.xdp_programs(), 2);

    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        first.end(signal);
        assert_eq!(bench.xdp_programs(), 2, "after {signal}");
        first = bench.start();
        assert_eq!(by(&bench), ["xdp (driver)"; 2]);
        assert_eq!(bench.xdp_programs(), 2);
    }
    first.end(Signal::SIGTERM);

    bench.write("[director.attach]\neth0 = \"xdp\"\neth1 = \"tc\"", SERVICE);
    let mut second = bench.start();
    assert_eq!(by(&bench), ["xdp (driver)", ""]);
    assert_eq!(bench.xdp_programs(), 1);
    second.end(Signal::SIGTERM);

    bench.write("attach = \"xdp-generic\"", SERVICE);
    let mut third = bench.start();
    assert_eq!(by(&bench), ["xdp (generic)"; 2]);
    assert_eq!(bench.xdp_programs(), 2);
    third.end(Signal::SIGKILL);

    bench.write("", SERVICE);
    let mut fourth = bench.start();
    assert_eq!(bench.xdp_programs(), 0);
    fourth.end(Signal::SIGKILL);

    bench.write(asked, SERVICE);
    let mut last = bench.start();
    assert_eq!(bench.xdp_programs(), 2);
    last.end(Signal::SIGKILL);
    bench.down();
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn an_interface_that_comes_back_gets_it_again() {
    let bench = Bench::new();
    bench.write("attach = \"xdp\"", SERVICE);
    let _director = bench.start();
    bench.ip("link del eth1");
    until("eth1 is gone", || fronts(&bench).len() == 1);
    bench.add_interface("eth1");
    until("eth1 is back", || by(&bench) == ["xdp (driver)"; 2]);
    assert_eq!(bench.xdp_programs(), 2);
}

#[test]
fn a_driver_that_refuses_is_named_with_the_remedy() {
    let bench = Bench::new();
    let before = bench.snapshot();
    // The driver of a veth refuses when the other end sends frames that do not
    // fit into a page.
    bench.in_neighbours("link set eth1 mtu 9000");
    bench.write("attach = \"xdp\"", SERVICE);
    let said = bench.refused();
    for part in ["vsnat_xdp_inner", "eth1", "MTU", "attach = \"auto\""] {
        assert!(said.contains(part), "no \"{part}\" in: {said}");
    }
    assert_eq!(bench.snapshot(), before);

    bench.write("attach = \"xdp-generic\"", SERVICE);
    let _director = bench.start();
    assert_eq!(by(&bench), ["xdp (generic)"; 2]);
}

#[test]
fn mistakes_of_the_file() {
    let bench = Bench::new();
    bench.write("attach = \"driver\"", SERVICE);
    let said = bench.refused();
    assert!(
        said.contains("known are auto, tc, xdp, xdp-generic"),
        "{said}"
    );
    bench.write("attach = { eth7 = \"xdp\" }", SERVICE);
    let said = bench.refused();
    assert!(said.contains("eth7 is neither outer nor inner"), "{said}");
}
