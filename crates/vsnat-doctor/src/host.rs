//! The kernel, its limits, and the clock.

use crate::facts::{Facts, Switch};
use crate::finding::Finding;

/// The oldest kernel that has BPF timers and all else that is needed.
const OLDEST: (u32, u32) = (5, 15);
/// Beyond this share connections are refused before anybody has noticed.
const CONNTRACK_PERCENT: u64 = 90;
/// What a daemon takes besides its tables.
const DAEMON_BYTES: u64 = 64 << 20;

pub(crate) fn examine(facts: &Facts, findings: &mut Vec<Finding>) {
    kernel(facts, findings);
    memory(facts, findings);
    conntrack(facts, findings);
    if facts.clock == Some(Switch::Off) {
        findings.push(Finding::remark(
            "clock",
            "nothing keeps the clock of this host right, so the times in logs and leases cannot \
             be compared with those of others"
                .to_owned(),
            "timedatectl set-ntp true".to_owned(),
        ));
    }
}

fn kernel(facts: &Facts, findings: &mut Vec<Finding>) {
    let kernel = &facts.kernel;
    if version(&kernel.release).is_some_and(|version| version < OLDEST) {
        findings.push(Finding::fault(
            "kernel",
            format!(
                "Linux {} is older than {}.{}, which has what the programs need",
                kernel.release, OLDEST.0, OLDEST.1
            ),
            "apt-get install linux-image-amd64 && reboot".to_owned(),
        ));
    }
    if kernel.types == Some(Switch::Off) {
        findings.push(Finding::fault(
            "kernel-types",
            "the kernel does not describe its types (CONFIG_DEBUG_INFO_BTF), so the programs \
             cannot be loaded"
                .to_owned(),
            "apt-get install linux-image-amd64 && reboot".to_owned(),
        ));
    }
    if kernel.jit == Some(Switch::Off) {
        findings.push(Finding::fault(
            "jit",
            "the kernel interprets BPF programs, which makes each packet many times as dear"
                .to_owned(),
            "sysctl -w net.core.bpf_jit_enable=1".to_owned(),
        ));
    }
}

fn memory(facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(memory) = &facts.memory else {
        return;
    };
    let needed = memory.needed_bytes + DAEMON_BYTES;
    if memory.limit_bytes < needed {
        findings.push(Finding::fault(
            "memory-limit",
            format!(
                "the director's control group may take {} MB, and its tables and itself need {} \
                 MB: the kernel will end it, or refuse connections",
                memory.limit_bytes >> 20,
                needed >> 20
            ),
            format!("echo {needed} > {}", memory.file),
        ));
    }
}

fn conntrack(facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(conntrack) = facts.conntrack else {
        return;
    };
    if conntrack.limit > 0 && conntrack.entries * 100 >= conntrack.limit * CONNTRACK_PERCENT {
        findings.push(Finding::fault(
            "conntrack-full",
            format!(
                "the host's connection tracking, which masquerade needs, holds {} of {} entries: \
                 new connections of the servers will be dropped",
                conntrack.entries, conntrack.limit
            ),
            format!(
                "sysctl -w net.netfilter.nf_conntrack_max={}",
                conntrack.limit * 2
            ),
        ));
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Conntrack, Kernel, Memory};

    fn names(facts: &Facts) -> Vec<&'static str> {
        let findings = crate::examine(facts);
        findings.iter().map(|finding| finding.name).collect()
    }

    #[test]
    fn a_kernel_that_lacks_what_is_needed() {
        let kernel = |release: &str, types, jit| Facts {
            kernel: Kernel {
                release: release.to_owned(),
                types: Some(types),
                jit: Some(jit),
            },
            ..Facts::default()
        };
        let good = kernel("6.1.0-18-amd64", Switch::On, Switch::On);
        assert!(names(&good).is_empty());
        let old = kernel("5.10.0-8-amd64", Switch::Off, Switch::Off);
        assert_eq!(names(&old), ["kernel", "kernel-types", "jit"]);
    }

    #[test]
    fn limits_that_are_nearly_reached() {
        let facts = |entries, limit_bytes| Facts {
            conntrack: Some(Conntrack {
                entries,
                limit: 1_000,
            }),
            memory: Some(Memory {
                file: "memory.max".to_owned(),
                limit_bytes,
                needed_bytes: 93 << 20,
            }),
            clock: Some(Switch::On),
            ..Facts::default()
        };
        assert!(names(&facts(899, 512 << 20)).is_empty());
        let found = names(&facts(900, 100 << 20));
        assert_eq!(found, ["memory-limit", "conntrack-full"]);
    }
}
