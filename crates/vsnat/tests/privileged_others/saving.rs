//! The scripts of Debian's package ipvsadm: they save and restore our table.

use std::path::Path;

use vsnat_lab::Plan;

use crate::host::Host;
use crate::programs;
use crate::scenario::Scene;

/// All that a table can hold: protocols, all ports, marks, schedulers with
/// flags, persistence with networks, single packets, thresholds, weights.
const TABLE: [&str; 19] = [
    "-A -t 192.168.28.167:80 -s wrr -p 600 -M 255.255.255.0",
    "-a -t 192.168.28.167:80 -r 10.0.100.11:8080 -m -w 3 -x 100 -y 50",
    "-a -t 192.168.28.167:80 -r 10.0.100.12 -m -w 0 -x 7",
    "-A -t 192.168.28.167:0 -s rr -p 60",
    "-a -t 192.168.28.167:0 -r 10.0.100.11 -m",
    "-A -t 192.168.28.167:443 -s sh -b sh-fallback,sh-port",
    "-a -t 192.168.28.167:443 -r 10.0.100.12:443 -m -w 2147483647",
    "-A -u 192.168.28.167:53 -s mh -b mh-port -o",
    "-a -u 192.168.28.167:53 -r 10.0.100.11:5353 -m",
    "-A -u 192.168.28.167:514 -s twos",
    "-A --sctp-service 192.168.28.167:9899 -s lc",
    "-a --sctp-service 192.168.28.167:9899 -r 10.0.100.11:9900 -m -w 2",
    "-A -f 7 -s lblcr -p 360",
    "-a -f 7 -r 10.0.100.11:0 -m -x 5",
    "-a -f 7 -r 10.0.100.12:8000 -m",
    "-A -f 4294967295 -s wlc -o",
    "-A -t 192.168.28.167:22 -s fo",
    "-A -t 192.168.28.167:23 -s ovf",
    "-A -t 192.168.28.167:25 -s nq",
];

/// A director with that table.
fn scene(lab: &str) -> Scene {
    let plan = Plan {
        servers: 1,
        ..Plan::default()
    };
    let scene = Scene::new(lab, &plan);
    for line in TABLE {
        scene.ipvsadm(line);
    }
    scene
}

/// All that is listed of the table, without connections.
fn listed(scene: &Scene) -> String {
    ["-Sn", "-Ln", "-Ln --thresholds", "-Ln --persistent-conn"]
        .map(|words| scene.ipvsadm(words))
        .concat()
}

#[test]
fn what_is_saved_is_restored() {
    let scene = scene("otherssave");
    let host = Host::new(&scene);
    let before = listed(&scene);
    assert_eq!(scene.ipvsadm("-Sn").lines().count(), TABLE.len());

    for save in ["ipvsadm-save -n", "ipvsadm-save"] {
        let file = host.file("saved");
        let file = file.display();
        let said = host.shell(&format!("/sbin/{save} > {file}"));
        assert_eq!(said, "");
        scene.ipvsadm("-C");
        assert_eq!(scene.ipvsadm("-Sn"), "");
        // Restoring begins with an empty table by itself.
        scene.ipvsadm("-A -t 192.168.28.167:9999");
        let restore = format!("(echo '# a comment'; cat {file}) | /sbin/ipvsadm-restore 2>&1");
        assert_eq!(host.shell(&restore), "");
        assert_eq!(listed(&scene), before, "{save}");
    }
}

#[test]
fn one_pipe_carries_a_table_to_itself() {
    let scene = scene("otherspipe");
    let host = Host::new(&scene);
    let before = listed(&scene);
    // ipvsadm-restore clears the table only after it has read everything.
    let said = host.shell("ipvsadm-save -n | ipvsadm-restore 2>&1");
    assert_eq!(said, "");
    assert_eq!(listed(&scene), before);
}

#[test]
fn the_service_of_the_package_saves_and_loads() {
    let scene = scene("othersinit");
    let host = Host::new(&scene);
    let before = listed(&scene);
    let rules = host.file("ipvsadm.rules");
    let default = format!(
        "AUTO=true\nDAEMON=none\nIPVSADM_RULES={}\n",
        rules.display()
    );
    host.set_default("ipvsadm", &default);
    let service = programs::find("etc/init.d/ipvsadm", "ipvsadm");
    let service = |action: &str| host.shell(&format!("{} {action} 2>&1", service.display()));

    service("save");
    scene.ipvsadm("-C");
    let said = service("start");
    assert_eq!(listed(&scene), before, "{said}");
    let status = service("status");
    assert!(status.ends_with(&scene.ipvsadm("-Ln")), "{status}");
    let rate = service("rate");
    assert!(rate.contains("CPS    InPPS   OutPPS"), "{rate}");
    let said = service("stop");
    assert_eq!(scene.ipvsadm("-Sn"), "", "{said}");
    assert!(Path::new(&rules).exists());
}
