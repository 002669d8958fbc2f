//! Other people's programs: where they are, and what they read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PeersError;

const HAPROXY: &str = "usr/sbin/haproxy";
const NGINX: &str = "usr/sbin/nginx";
const NGINX_STREAM: &str = "usr/lib/nginx/modules/ngx_stream_module.so";

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    pub haproxy: PathBuf,
    pub nginx: PathBuf,
    pub nginx_stream: PathBuf,
    /// Where the loader looks for libraries besides the system's.
    libraries: Option<PathBuf>,
}

impl Programs {
    /// Takes them below `folder`, where packages were unpacked, or where they are
    /// installed; all from one place, since a module fits one build only.
    pub fn find(folder: &Path) -> Result<Self, PeersError> {
        let wanted = [HAPROXY, NGINX, NGINX_STREAM];
        if let Ok(root) = folder.canonicalize()
            && wanted.iter().all(|path| root.join(path).exists())
        {
            let machine = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
            return Ok(Programs::below(&root, Some(root.join(machine))));
        }
        let installed = Path::new("/");
        let packages = ["haproxy", "nginx", "libnginx-mod-stream"];
        match wanted
            .into_iter()
            .zip(packages)
            .find(|(path, _)| !installed.join(path).exists())
        {
            None => Ok(Programs::below(installed, None)),
            Some((program, package)) => Err(PeersError::Missing {
                program,
                package,
                folder: folder.to_owned(),
            }),
        }
    }

    fn below(root: &Path, libraries: Option<PathBuf>) -> Self {
        Programs {
            haproxy: root.join(HAPROXY),
            nginx: root.join(NGINX),
            nginx_stream: root.join(NGINX_STREAM),
            libraries,
        }
    }

    pub fn haproxy(&self, config: &Path) -> Command {
        let mut haproxy = self.command(&self.haproxy);
        haproxy.arg("-f").arg(config);
        haproxy
    }

    pub fn nginx(&self, folder: &Path, config: &Path) -> Command {
        let mut nginx = self.command(&self.nginx);
        nginx.arg("-p").arg(folder).arg("-c").arg(config);
        nginx.arg("-e").arg(folder.join("error.log"));
        nginx
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}

/// A configuration: a committed text whose words between @ are replaced.
pub fn filled(template: &str, words: &[(&str, String)]) -> String {
    words.iter().fold(template.to_owned(), |text, (word, by)| {
        text.replace(&format!("@{word}@"), by)
    })
}

/// Makes a program's folder and writes its configuration there.
pub fn configure(folder: &Path, file: &str, text: &str) -> Result<PathBuf, PeersError> {
    let path = folder.join(file);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(PeersError::system(format!("write {}", path.display())))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in() {
        let words = [("A", "1".to_owned()), ("B_C", "x y".to_owned())];
        assert_eq!(filled("@A@ @B_C@ @A@ a@b", &words), "1 x y 1 a@b");
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = Path::new("/nonexistent");
        if let Err(error) = Programs::find(folder) {
            assert!(error.to_string().contains("install the package"));
        }
    }
}
