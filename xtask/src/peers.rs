//! The programs that `bench peers` measures vsnat against, and nginx for its real
//! servers: unpacked below `target/peers`.

use std::path::PathBuf;

use anyhow::Result;

use crate::unpacked::{self, Program, Set};
use crate::workspace::Workspace;

const SET: Set = Set {
    folder: "peers",
    programs: &PROGRAMS,
    libraries: &LIBRARY_PACKAGES,
};

const PROGRAMS: [Program; 3] = [
    Program {
        path: "usr/sbin/haproxy",
        package: "haproxy",
        why: "is a peer, in TCP mode",
    },
    Program {
        path: "usr/sbin/nginx",
        package: "nginx",
        why: "runs the real servers, and is a peer",
    },
    Program {
        path: "usr/lib/nginx/modules/ngx_stream_module.so",
        package: "libnginx-mod-stream",
        why: "makes nginx a peer: it forwards TCP and UDP",
    },
];

/// Libraries of these programs that a small Debian lacks.
const LIBRARY_PACKAGES: [&str; 5] = [
    "liblua5.3-0",
    "libopentracing-c-wrapper0",
    "libopentracing1",
    "libpcre2-8-0",
    "libssl3",
];

/// Fetches and unpacks what is missing; gives the folder in which the programs may be.
pub fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    unpacked::ensure(workspace, &SET)?;
    Ok(unpacked::root(workspace, &SET))
}
