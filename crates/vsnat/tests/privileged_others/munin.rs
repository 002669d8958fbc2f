//! munin's plugin `cps_`, which splits `ipvsadm -L -n --stats` by field.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::counters::Counted;
use crate::host::Host;
use crate::programs;

#[test]
fn its_plugin_counts_connections_by_server() {
    let counted = Counted::start("othersmunin");
    let host = Host::new(&counted.scene);
    // It knows no marks, and would add their servers to the service before them.
    counted.scene.ipvsadm("-D -f 7");
    let plugin = programs::find("usr/share/munin/plugins/cps_", "munin-plugins-core");
    // It takes service and port from the name it is called by.
    let run = |service: &str, argument: &str| {
        let link = host.file(&format!("cps_{service}"));
        if !link.exists() {
            symlink(&plugin, &link).unwrap();
        }
        run(&host, &link, argument)
    };

    assert_eq!(run("", "autoconf"), "yes\n");
    let suggested = run("", "suggest");
    let expected = "192.168.28.167_53\n192.168.28.167_80\n";
    assert_eq!(suggested, expected);

    let mut values = String::new();
    for row in counted.rows("-Ln --stats") {
        if row[..2] == ["TCP", "192.168.28.167:80"] {
            let name = row[2].split(':').next().unwrap().replace('.', "_");
            values += &format!("{name}.value {}\n", row[3]);
        }
    }
    assert_eq!(values.lines().count(), 2, "{values}");
    assert_eq!(run("192.168.28.167_80", ""), values);
    let config = run("192.168.28.167_80", "config");
    for part in ["10_0_100_11.draw AREA", "10_0_100_12.label 10.0.100.12"] {
        assert!(config.contains(part), "no {part} in {config}");
    }
    assert_eq!(run("192.168.28.167_53", ""), "10_0_100_11.value 1\n");
}

fn run(host: &Host, plugin: &Path, argument: &str) -> String {
    // Warnings of the plugin about its own code are none of ours.
    host.shell(&format!("{} {argument} 2>/dev/null", plugin.display()))
}
