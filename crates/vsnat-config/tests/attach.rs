//! By which way packets are taken: for all interfaces, or for each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use vsnat_api::Attach;
use vsnat_config::{Config, Mistakes, parse};

/// A director with three interfaces and these lines more.
fn read(lines: &str) -> Result<Config, Mistakes> {
    let text = format!(
        "[director]\nouter = \"eth0\"\ninner = [\"eth1\", \"eth0.7\"]\nvips = [\"192.0.2.1\"]\n{lines}"
    );
    parse("web.toml", &text)
}

fn ways(lines: &str) -> [Attach; 3] {
    let config = read(lines).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    ["eth0", "eth1", "eth0.7"].map(|interface| config.attach_of(interface))
}

#[test]
fn one_way_for_all_or_one_for_each() {
    use Attach::{Auto, Tc, Xdp, XdpGeneric};
    assert_eq!(ways(""), [Auto; 3]);
    assert_eq!(ways("attach = \"tc\""), [Tc; 3]);
    assert_eq!(ways("attach = \"xdp-generic\""), [XdpGeneric; 3]);
    let table = "[director.attach]\neth0 = \"xdp\"\n\"eth0.7\" = \"tc\"";
    assert_eq!(ways(table), [Xdp, Auto, Tc]);
}

#[test]
fn another_way_is_another_file() {
    let (old, new) = (read("").unwrap(), read("attach = \"xdp\"").unwrap());
    assert_eq!(new.settings_unlike(&old), ["attach"]);
    assert_eq!(old.desired(), new.desired());
}

#[track_caller]
fn mistake(lines: &str, parts: &[&str]) {
    let Mistakes { mistakes, .. } = read(lines).expect_err("no mistake was found");
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert_eq!(mistakes[0].line, 5);
    for part in parts {
        let message = &mistakes[0].message;
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
}

#[test]
fn what_is_no_way() {
    mistake("attach = 1", &["attach must be a text such as", "a number"]);
    mistake("attach = \"driver\"", &["known are auto, tc, xdp"]);
    mistake(
        "attach = { eth9 = \"xdp\" }",
        &["eth9 is neither outer nor inner"],
    );
    mistake("attach = { eth0 = true }", &["attach must be a text"]);
}
