//! nginx as a real server, with a minimal configuration of its own: the
//! system's is neither read nor touched.

use std::path::Path;
use std::process::Command;

use super::process::{self, ServerProcess};
use super::{SERVER_HEADER, ServerOptions};
use crate::LabError;
use crate::namespace::Namespace;

const PROGRAM: &str = "nginx";

/// A running nginx. Dropping it stops it.
#[derive(Debug)]
pub struct Nginx {
    _process: ServerProcess,
}

impl Nginx {
    pub fn start(
        namespace: &Namespace,
        options: &ServerOptions,
        folder: &Path,
    ) -> Result<Self, LabError> {
        let program = process::find(PROGRAM, "nginx-light")?;
        let folder = folder.join(&options.name);
        let htdocs = process::prepare(&folder)?;
        let config_path = folder.join("nginx.conf");
        process::write_config(&config_path, &config(options, &folder, &htdocs))?;
        let mut nginx = Command::new(program);
        nginx.arg("-p").arg(&folder).arg("-c").arg(&config_path);
        nginx.arg("-e").arg(folder.join("error.log"));
        let process =
            ServerProcess::start(namespace, PROGRAM, &mut nginx, options.address, &folder)?;
        Ok(Nginx { _process: process })
    }
}

fn config(options: &ServerOptions, folder: &Path, htdocs: &Path) -> String {
    let (name, address) = (&options.name, options.address);
    let (folder, htdocs) = (folder.display(), htdocs.display());
    format!(
        "daemon off;\n\
         worker_processes 1;\n\
         user www-data;\n\
         pid {folder}/nginx.pid;\n\
         error_log {folder}/error.log warn;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n\
         \x20 access_log off;\n\
         \x20 client_body_temp_path {folder}/body;\n\
         \x20 proxy_temp_path {folder}/proxy;\n\
         \x20 fastcgi_temp_path {folder}/fastcgi;\n\
         \x20 uwsgi_temp_path {folder}/uwsgi;\n\
         \x20 scgi_temp_path {folder}/scgi;\n\
         \x20 default_type text/html;\n\
         \x20 keepalive_requests 100000000;\n\
         \x20 server {{\n\
         \x20   listen {address} backlog=4096;\n\
         \x20   root {htdocs};\n\
         \x20   add_header {SERVER_HEADER} {name};\n\
         \x20 }}\n\
         }}\n"
    )
}
