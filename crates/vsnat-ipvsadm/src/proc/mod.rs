//! The texts of IPVS's files below `/proc/net`, for programs that read them.
//!
//! Numbers are hexadecimal where IPVS writes them so. The order of services is
//! the director's, oldest first; IPVS's is that of a hash table.

mod ip_vs;
mod ip_vs_conn;
mod ip_vs_stats;

pub use ip_vs::ip_vs;
pub use ip_vs_conn::IpVsConn;
pub use ip_vs_stats::ip_vs_stats;
