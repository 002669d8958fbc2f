//! Apache as a real server, as in the original experiment, with a minimal
//! configuration of its own: the system's is neither read nor touched.

use std::path::Path;
use std::process::Command;

use super::process::{self, ServerProcess};
use super::{SERVER_HEADER, ServerOptions};
use crate::LabError;
use crate::namespace::Namespace;

const PROGRAM: &str = "apache2";
/// Where Debian keeps the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// A running Apache. Dropping it stops it.
#[derive(Debug)]
pub struct Apache {
    _process: ServerProcess,
}

impl Apache {
    pub fn start(
        namespace: &Namespace,
        options: &ServerOptions,
        folder: &Path,
    ) -> Result<Self, LabError> {
        let program = process::find(PROGRAM, "apache2-bin")?;
        let folder = folder.join(&options.name);
        let htdocs = process::prepare(&folder)?;
        let config_path = folder.join("apache.conf");
        process::write_config(&config_path, &config(options, &folder, &htdocs))?;
        let mut apache = Command::new(program);
        apache.arg("-d").arg(&folder).arg("-f").arg(&config_path);
        apache.arg("-DFOREGROUND");
        let process =
            ServerProcess::start(namespace, PROGRAM, &mut apache, options.address, &folder)?;
        Ok(Apache { _process: process })
    }
}

fn config(options: &ServerOptions, folder: &Path, htdocs: &Path) -> String {
    let (name, address) = (&options.name, options.address);
    let (folder, htdocs) = (folder.display(), htdocs.display());
    format!(
        "LoadModule mpm_event_module {MODULES}/mod_mpm_event.so\n\
         LoadModule authz_core_module {MODULES}/mod_authz_core.so\n\
         LoadModule dir_module {MODULES}/mod_dir.so\n\
         LoadModule headers_module {MODULES}/mod_headers.so\n\
         ServerName {name}\n\
         Listen {address}\n\
         ListenBacklog 4096\n\
         PidFile {folder}/apache.pid\n\
         Mutex file:{folder}\n\
         ErrorLog {folder}/error.log\n\
         LogLevel warn\n\
         User www-data\nGroup www-data\n\
         KeepAlive On\nMaxKeepAliveRequests 0\n\
         DocumentRoot {htdocs}\n\
         DirectoryIndex index.html\n\
         FileETag None\n\
         Header set {SERVER_HEADER} {name}\n\
         <Directory {htdocs}>\nRequire all granted\n</Directory>\n"
    )
}
