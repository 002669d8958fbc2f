//! `/proc/net/ip_vs_stats`: totals and rates of all services together.

use vsnat_api::{Counters, Rates, Services};

/// The sums over all services. IPVS counts on when a service is deleted; here
/// its counters go with it.
pub fn ip_vs_stats(services: &Services) -> String {
    let counters = services.services.iter().map(|service| service.counters);
    let rates = services.services.iter().map(|service| service.rates);
    let counters = sum(counters.map(
        |Counters {
             connections,
             in_packets,
             out_packets,
             in_bytes,
             out_bytes,
         }| [connections, in_packets, out_packets, in_bytes, out_bytes],
    ));
    let rates = sum(rates.map(
        |Rates {
             connections,
             in_packets,
             out_packets,
             in_bytes,
             out_bytes,
         }| [connections, in_packets, out_packets, in_bytes, out_bytes],
    ));
    [
        "   Total Incoming Outgoing         Incoming         Outgoing\n",
        "   Conns  Packets  Packets            Bytes            Bytes\n",
        &line(counters),
        "\n",
        " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n",
        &line(rates),
    ]
    .concat()
}

fn sum(numbers: impl Iterator<Item = [u64; 5]>) -> [u64; 5] {
    numbers.fold([0; 5], |mut sums, numbers| {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum = sum.saturating_add(number);
        }
        sums
    })
}

fn line([connections, in_packets, out_packets, in_bytes, out_bytes]: [u64; 5]) -> String {
    format!(
        "{connections:>8X} {in_packets:>8X} {out_packets:>8X} {in_bytes:>16X} {out_bytes:>16X}\n"
    )
}
