//! The broken set-ups, one test each.

use std::thread;
use std::time::Duration;

use vsnat_lab::{VIP, server_address};

use crate::patient::Patient;
use crate::scenario::run_in;

/// The kernel asks for a neighbour three times, a second apart.
const NEIGHBOUR_FAILS: Duration = Duration::from_secs(4);

fn nothing(_: &Patient) {}

/// Breaks a cluster by one line on the director, and has it mended.
#[track_caller]
fn broken_by(lab: &str, lines: &[&str], name: &str) {
    let patient = Patient::new(lab);
    lines.iter().for_each(|line| patient.in_director(line));
    patient.is_mended(name, nothing);
}

#[test]
fn nothing_is_wrong_with_a_good_cluster() {
    let patient = Patient::new("docgood");
    patient.clients_come();
    let (output, findings) = patient.examined();
    let faults: Vec<_> = findings
        .iter()
        .filter(|finding| finding["severity"] == "fault")
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn forwarding_is_off() {
    let line = ["sysctl -qw net.ipv4.ip_forward=0"];
    broken_by("docforward", &line, "forwarding");
}

#[test]
fn forwarding_is_off_on_one_interface() {
    let line = ["sysctl -qw net/ipv4/conf/inner/forwarding=0"];
    broken_by("docforwardone", &line, "interface-forwarding");
}

#[test]
fn an_interface_filters_by_reverse_path() {
    let line = ["sysctl -qw net/ipv4/conf/outer/rp_filter=1"];
    broken_by("docfilter", &line, "reverse-path-filter");
}

#[test]
fn the_links_take_packets_of_different_sizes() {
    broken_by("docmtu", &["ip link set dev inner mtu 1400"], "mtu");
}

#[test]
fn an_interface_is_down() {
    broken_by("docdown", &["ip link set dev inner down"], "interface-down");
}

#[test]
fn a_vip_is_on_no_interface() {
    let line = format!("ip address del {VIP}/24 dev outer");
    broken_by("docvip", &[&line], "vip-missing");
}

#[test]
fn networks_overlap() {
    let line = ["ip address add 10.0.100.200/25 dev outer"];
    broken_by("docoverlap", &line, "overlap");
}

#[test]
fn a_firewall_drops_what_is_forwarded() {
    let lines = [
        "nft add table inet guard",
        "nft add chain inet guard forward { type filter hook forward priority 0; policy drop; }",
    ];
    broken_by("docfirewall", &lines, "firewall");
}

/// As `iptables -P FORWARD DROP` leaves it, and hosts with containers have it.
#[test]
fn the_forward_policy_is_drop() {
    let lines = [
        "nft add table ip filter",
        "nft add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
        "nft add rule ip filter FORWARD ct state established accept",
    ];
    broken_by("docpolicy", &lines, "firewall");
}

#[test]
fn a_route_leads_away_from_a_server() {
    let line = format!("ip route add {}/32 dev outer", server_address(1));
    broken_by("docroute", &[&line], "stray-route");
}

#[test]
fn all_servers_have_weight_0() {
    let patient = Patient::new("docweight");
    for number in 1..=2 {
        let server = server_address(number);
        let line = format!("-e -t {VIP}:7 -r {server}:7 -m -w 0");
        patient.scene.ipvsadm(&line);
    }
    patient.is_mended("no-weight", nothing);
}

#[test]
fn another_machine_has_a_vip() {
    let patient = Patient::new("docinuse");
    let client = patient.scene.cluster.client();
    run_in(&client, &format!("ip address add {VIP}/32 dev eth0"));
    patient.is_mended("vip-in-use", nothing);
}

#[test]
fn an_offload_breaks_xdp() {
    let config = vsnat_lab::director::config() + "\n[director.attach]\nouter = \"xdp\"\n";
    let patient = Patient::with_config("docxdp", &config);
    patient.in_director("ethtool -K outer rxvlan on");
    patient.is_mended("xdp-offload", nothing);
}

#[test]
fn a_servers_gateway_is_another() {
    let patient = Patient::new("docgateway");
    run_in(&patient.scene.server(1), "ip route del default");
    patient.clients_come();
    patient.is_mended("server-gateway", Patient::clients_come);
}

#[test]
fn a_server_is_off_its_network() {
    let patient = Patient::new("docgone");
    run_in(&patient.scene.server(1), "ip link set eth0 down");
    patient.in_director("ip neigh flush all");
    patient.clients_come();
    thread::sleep(NEIGHBOUR_FAILS);
    patient.is_mended("server-unreachable", nothing);
}
