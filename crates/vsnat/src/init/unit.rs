//! The unit of systemd: the daemon gets what it needs and no more.

use std::env;
use std::path::Path;

use anyhow::Context;

/// The daemon writes sysctls of the network and pins below /sys/fs/bpf, so
/// those stay writable; the packet path is the kernel's and needs no process.
const HARDENING: &str = "\
# Only these capabilities: interfaces and rules, frames of DHCP and ARP, eBPF, port 67.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_BPF CAP_PERFMON CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
UMask=0027
";

/// The unit for this executable and that file.
pub fn text(config: &Path) -> anyhow::Result<String> {
    let program = env::current_exe().context("cannot find out where this program is")?;
    let config = std::path::absolute(config)
        .with_context(|| format!("cannot tell where {} is", config.display()))?;
    let (program, config) = (quoted(&program), quoted(&config));
    Ok(format!(
        "\
[Unit]
Description=vsnat, a director of virtual servers
Documentation=man:vsnat(1)
Wants=network-online.target
After=network-online.target nftables.service

[Service]
Type=simple
ExecStartPre={program} check {config}
ExecStart={program} run --config {config}
# The packet path goes on without the daemon; the next one adopts it.
KillSignal=SIGTERM
Restart=on-failure
# What was found before the first change must outlive the daemon.
RuntimeDirectory=vsnat
RuntimeDirectoryPreserve=yes
StateDirectory=vsnat
{HARDENING}
[Install]
WantedBy=multi-user.target
"
    ))
}

/// A path as systemd reads it: in quotes, with its own signs doubled.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('%', "%%").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_stay_one_word() {
        let path = Path::new("/a b/100%/$x/\"y\".toml");
        assert_eq!(quoted(path), "\"/a b/100%%/$$x/\\\"y\\\".toml\"");
    }
}
