//! Other people's programs that the privileged tests run over ours: unpacked below
//! `target/others`, not installed, because their packages would start services and
//! put IPVS's own ipvsadm in the way of ours.

use anyhow::Result;

use crate::unpacked::{self, Program, Set};
use crate::workspace::Workspace;

const SET: Set = Set {
    folder: "others",
    programs: &PROGRAMS,
    libraries: &LIBRARY_PACKAGES,
};

const PROGRAMS: [Program; 7] = [
    Program {
        path: "usr/sbin/ldirectord",
        package: "ldirectord",
        why: "watches real servers and drives ipvsadm",
    },
    Program {
        path: "sbin/ipvsadm-save",
        package: "ipvsadm",
        why: "holds the scripts around ipvsadm; its own ipvsadm is not run",
    },
    Program {
        path: "usr/bin/prometheus-node-exporter",
        package: "prometheus-node-exporter",
        why: "reads IPVS's files below /proc/net",
    },
    Program {
        path: "usr/sbin/netdata",
        package: "netdata-core",
        why: "reads IPVS's totals below /proc/net",
    },
    Program {
        path: "usr/share/munin/plugins/cps_",
        package: "munin-plugins-core",
        why: "splits ipvsadm's listing of counters by field",
    },
    Program {
        path: "usr/sbin/vsftpd",
        package: "vsftpd",
        why: "is an FTP server",
    },
    Program {
        path: "usr/lib/python3/dist-packages/pyftpdlib/__init__.py",
        package: "python3-pyftpdlib",
        why: "is another FTP server, a library of Python",
    },
];

/// What ldirectord uses besides perl itself, and the libraries of netdata and
/// vsftpd.
const LIBRARY_PACKAGES: [&str; 22] = [
    "libclone-perl",
    "libencode-locale-perl",
    "libhtml-parser-perl",
    "libhttp-date-perl",
    "libhttp-message-perl",
    "libio-html-perl",
    "libio-socket-inet6-perl",
    "libjson-c5",
    "liblz4-1",
    "liblwp-mediatypes-perl",
    "libmailtools-perl",
    "libmnl0",
    "libnet-http-perl",
    "libnetfilter-acct1",
    "libregexp-ipv6-perl",
    "libsocket6-perl",
    "libtimedate-perl",
    "libtry-tiny-perl",
    "liburi-perl",
    "libuv1",
    "libwww-perl",
    "libwrap0",
];

/// Fetches and unpacks what is missing.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    unpacked::ensure(workspace, &SET)
}
