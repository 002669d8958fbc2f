//! How fast a link is, as far as the kernel knows.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::quantity::ByteRate;

/// Where the kernel shows interfaces.
const INTERFACES: &str = "/sys/class/net";
/// Interfaces upon interfaces, such as a VLAN upon a bond upon cards.
const DEPTH_MAX: u32 = 4;

/// An interface and its speed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    pub name: String,
    pub speed: Speed,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    BytesPerS(ByteRate),
    /// And why.
    Unknown(&'static str),
}

/// The speed of an interface of this machine.
pub fn link(name: &str) -> Link {
    Link {
        name: name.to_owned(),
        speed: speed_in(Path::new(INTERFACES), name),
    }
}

fn speed_in(interfaces: &Path, name: &str) -> Speed {
    let folder = interfaces.join(name);
    if !folder.exists() {
        return Speed::Unknown("there is no such interface");
    }
    if !is_real(interfaces, name, DEPTH_MAX) {
        // A veth calls itself 10 Gbit/s, whatever it does.
        return Speed::Unknown("it is virtual");
    }
    // The kernel refuses to tell it of an interface that is down.
    let text = fs::read_to_string(folder.join("speed")).unwrap_or_default();
    let megabits = text.trim().parse::<f64>().unwrap_or(-1.0);
    match ByteRate::of_bits(megabits * 1e6) {
        Some(rate) => Speed::BytesPerS(rate),
        None => Speed::Unknown("its driver does not tell"),
    }
}

/// Whether there is a device, or all interfaces below have one.
fn is_real(interfaces: &Path, name: &str, depth: u32) -> bool {
    let folder = interfaces.join(name);
    if folder.join("device").exists() {
        return true;
    }
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut below = names
        .filter_map(|name| name.strip_prefix("lower_").map(str::to_owned))
        .peekable();
    depth > 0 && below.peek().is_some() && below.all(|name| is_real(interfaces, &name, depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_interfaces_with_devices_are_believed() {
        let root = std::env::temp_dir().join(format!("vsnat-links-{}", std::process::id()));
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("card/speed", "25000\n");
        put("card/device/vendor", "");
        put("silent/speed", "-1\n");
        put("silent/device/vendor", "");
        put("veth/speed", "10000\n");
        put("bond/speed", "50000\n");
        put("bond/lower_card/speed", "");
        put("bridge/speed", "10000\n");
        put("bridge/lower_card/speed", "");
        put("bridge/lower_veth/speed", "");

        let speed = |name: &str| speed_in(&root, name);
        let known = |bits| Speed::BytesPerS(ByteRate::of_bits(bits).unwrap());
        assert_eq!(speed("card"), known(25e9));
        assert_eq!(speed("bond"), known(50e9));
        assert_eq!(speed("silent"), Speed::Unknown("its driver does not tell"));
        assert_eq!(speed("veth"), Speed::Unknown("it is virtual"));
        assert_eq!(speed("bridge"), Speed::Unknown("it is virtual"));
        let absent = Speed::Unknown("there is no such interface");
        assert_eq!(speed("eth9"), absent);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn the_loopback_has_no_speed() {
        let speed = link("lo").speed;
        assert_eq!(speed, Speed::Unknown("it is virtual"));
    }
}
