//! The listing of timeouts.

use vsnat_api::Timeouts;

/// Lists the timeouts that `--set` changes.
pub fn render_timeouts(timeouts: &Timeouts) -> String {
    let Timeouts {
        tcp_s,
        tcp_fin_s,
        udp_s,
    } = timeouts;
    format!("Timeout (tcp tcpfin udp): {tcp_s} {tcp_fin_s} {udp_s}\n")
}
