//! The director's host as a program sees it that calls `/sbin/ipvsadm`: ours is
//! put there in a mount namespace of the program's own. The machine's folders
//! are not touched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use vsnat_lab::Namespace;

use crate::programs;
use crate::scenario::Scene;

/// Lays folders of the first argument over those of administrators' programs
/// and over `/etc/default`, and one in memory over `/tmp`, to be written to.
const LAY_OVER: &str = "\
set -e
lay() { mount -t overlay overlay -o \"lowerdir=$1:$2\" \"$2\"; }
lay \"$1/sbin\" /usr/sbin
[ -L /sbin ] || lay \"$1/sbin\" /sbin
lay \"$1/default\" /etc/default
mount -t tmpfs tmpfs \"$1/memory\"
mkdir \"$1/memory/upper\" \"$1/memory/work\"
mount -t overlay overlay -o \"lowerdir=/tmp,upperdir=$1/memory/upper,workdir=$1/memory/work\" /tmp
shift
exec \"$@\"";

/// The director's host.
pub struct Host {
    namespace: Namespace,
    socket: PathBuf,
    folder: PathBuf,
}

impl Host {
    pub fn new(scene: &Scene) -> Self {
        let folder = scene.cluster.state_dir().join("host");
        for name in ["sbin", "default", "memory", "work"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let executable = Path::new(env!("CARGO_BIN_EXE_vsnat"));
        symlink(executable, folder.join("sbin/ipvsadm")).unwrap();
        for script in ["ipvsadm-save", "ipvsadm-restore"] {
            let path = programs::find(&format!("sbin/{script}"), "ipvsadm");
            symlink(path, folder.join("sbin").join(script)).unwrap();
        }
        Host {
            namespace: scene.cluster.director(),
            socket: scene.director().socket(),
            folder,
        }
    }

    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Writes a file that only this host's programs have below `/etc/default`.
    pub fn set_default(&self, name: &str, text: &str) {
        fs::write(self.folder.join("default").join(name), text).unwrap();
    }

    /// A file to work with, removed with the cluster.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join("work").join(name)
    }

    /// A program that finds our ipvsadm where Debian's would be.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", LAY_OVER, "sh"]);
        command.arg(&self.folder).arg(program);
        command.env(vsnat_api::SOCKET_ENV, &self.socket);
        command.env("PERL5LIB", programs::perl_libraries());
        command.env("LD_LIBRARY_PATH", programs::libraries());
        command
    }

    /// Runs a line of the shell on this host; gives its standard output.
    #[track_caller]
    pub fn shell(&self, line: &str) -> String {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-e", "-c", line]);
        self.namespace.output(&mut command).unwrap()
    }
}
