//! Two FTP servers behind a director: vsftpd on FTP's own port, for a service
//! made by ipvsadm, and pyftpdlib on another port, for one of the file.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use vsnat_lab::{Plan, VIP, server_address};

use crate::process::Running;
use crate::programs;
use crate::scenario::Scene;

pub const PORT: u16 = 21;
pub const OTHER_PORT: u16 = 2121;
/// A user of every system who has a folder of his own, which vsftpd asks for,
/// and owns nothing.
const USER: &str = "daemon";
/// Debian's own, which Debian's modules belong to.
const PYTHON: &str = "/usr/bin/python3";

const PYFTPDLIB: &str = "\
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
authorizer = DummyAuthorizer()
authorizer.add_anonymous(sys.argv[2], perm='elradfmw')
FTPHandler.authorizer = authorizer
server = FTPServer((sys.argv[1], int(sys.argv[3])), FTPHandler)
server.serve_forever()
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Vsftpd,
    Pyftpdlib,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Vsftpd, Kind::Pyftpdlib];

    pub fn number(self) -> u8 {
        match self {
            Kind::Vsftpd => 1,
            Kind::Pyftpdlib => 2,
        }
    }

    pub fn port(self) -> u16 {
        match self {
            Kind::Vsftpd => PORT,
            Kind::Pyftpdlib => OTHER_PORT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Vsftpd => "vsftpd",
            Kind::Pyftpdlib => "pyftpdlib",
        }
    }
}

/// The director, its servers and their folders; dropped in this order.
pub struct Site {
    servers: [Running; 2],
    pub scene: Scene,
    folder: Folder,
}

/// Where a server that gave up its privileges may go, which is not the folder
/// of the scene. Dropping it removes it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vsnat-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Site {
    pub fn start(name: &str) -> Self {
        Site::with(name, "")
    }

    /// With more lines in vsftpd's own file.
    pub fn with(name: &str, vsftpd_lines: &str) -> Self {
        let plan = Plan {
            servers: 2,
            ..Plan::default()
        };
        let mut scene = Scene::without_director(name, &plan);
        scene.start_director(&config());
        let vip = format!("{VIP}:{PORT}");
        scene.director().ctl(&["set", "ftp_helper=1"]).unwrap();
        scene.ipvsadm(&format!("-A -t {vip} -s rr"));
        scene.ipvsadm(&format!("-a -t {vip} -r {}:{PORT} -m", server_address(1)));
        let folder = Folder::new(name);
        let servers = [
            vsftpd(&scene, &folder.0, vsftpd_lines),
            pyftpdlib(&scene, &folder.0),
        ];
        let mut site = Site {
            servers,
            scene,
            folder,
        };
        for kind in Kind::ALL {
            site.wait(kind);
        }
        site
    }

    /// Another director, for the same file.
    pub fn restart(&mut self) {
        self.scene.start_director(&config());
        self.wait(Kind::Pyftpdlib);
    }

    /// The folder that a server shows.
    pub fn folder(&self, kind: Kind) -> PathBuf {
        pub_folder(&self.folder.0, kind)
    }

    /// A folder of the client's own.
    pub fn client_folder(&self) -> PathBuf {
        let folder = self.folder.0.join("client");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub fn log(&self, kind: Kind) -> String {
        match kind {
            Kind::Vsftpd => {
                let log = self.folder.0.join("vsftpd.log");
                fs::read_to_string(log).unwrap_or_default()
            }
            Kind::Pyftpdlib => self.servers[1].log(),
        }
    }

    pub fn address(&self, kind: Kind) -> SocketAddrV4 {
        SocketAddrV4::new(VIP, kind.port())
    }

    pub fn server(&self, kind: Kind) -> SocketAddrV4 {
        SocketAddrV4::new(server_address(kind.number()), kind.port())
    }

    pub fn director_log(&self) -> String {
        fs::read_to_string(self.scene.director().log()).unwrap_or_default()
    }

    /// Until the helper listens and the server behind it greets.
    fn wait(&mut self, kind: Kind) {
        let address = self.address(kind);
        let scene = &self.scene;
        let greets = || {
            scene.in_client(|| {
                let Ok(mut stream) = TcpStream::connect(address) else {
                    return false;
                };
                let mut greeting = [0; 4];
                std::io::Read::read_exact(&mut stream, &mut greeting).is_ok()
                    && greeting == *b"220 "
            })
        };
        self.servers[usize::from(kind.number()) - 1].until(&true, greets);
    }
}

/// Whether a server noted a command in its log.
pub fn is_said(log: &str, word: &str) -> bool {
    log.contains(&format!("\", \"{word}")) || log.contains(&format!("<- {word}"))
}

fn config() -> String {
    let server = server_address(2);
    vsnat_lab::director::config()
        + &format!(
            "\n[[service]]\nprotocol = \"tcp\"\naddress = \"{VIP}:{OTHER_PORT}\"\nscheduler = \"rr\"\n\
             helper = \"ftp\"\n\n[[service.server]]\naddress = \"{server}:{OTHER_PORT}\"\n"
        )
}

fn pub_folder(state: &Path, kind: Kind) -> PathBuf {
    state.join(kind.name()).join("pub")
}

/// A folder that shows `pub`, which everybody may write to.
fn prepare(state: &Path, kind: Kind) -> PathBuf {
    let folder = pub_folder(state, kind);
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    folder.parent().unwrap().to_owned()
}

fn vsftpd(scene: &Scene, state: &Path, more: &str) -> Running {
    let root = prepare(state, Kind::Vsftpd);
    let empty = state.join("empty");
    fs::create_dir_all(&empty).unwrap();
    let (log, file) = (state.join("vsftpd.log"), state.join("vsftpd.conf"));
    let address: Ipv4Addr = server_address(1);
    let lines = format!(
        "listen=YES\nlisten_ipv6=NO\nlisten_address={address}\nbackground=NO\n\
         anonymous_enable=YES\nlocal_enable=NO\nanon_root={}\nwrite_enable=YES\n\
         anon_upload_enable=YES\nanon_other_write_enable=YES\nanon_umask=022\n\
         ftp_username={USER}\nnopriv_user={USER}\nsecure_chroot_dir={}\nseccomp_sandbox=NO\n\
         tcp_wrappers=NO\nconnect_from_port_20=YES\nasync_abor_enable=YES\nxferlog_enable=YES\n\
         vsftpd_log_file={}\nlog_ftp_protocol=YES\n{more}",
        root.display(),
        empty.display(),
        log.display()
    );
    fs::write(&file, lines).unwrap();
    let mut command = Command::new(programs::find("usr/sbin/vsftpd", "vsftpd"));
    command.arg(&file);
    command.env("LD_LIBRARY_PATH", programs::libraries());
    let output = state.join("vsftpd.out");
    Running::start(&scene.server(1), &mut command, &output)
}

fn pyftpdlib(scene: &Scene, state: &Path) -> Running {
    let root = prepare(state, Kind::Pyftpdlib);
    let package = "usr/lib/python3/dist-packages/pyftpdlib/__init__.py";
    let library = programs::find(package, "python3-pyftpdlib");
    let modules = library.ancestors().nth(2).unwrap();
    let mut command = Command::new(PYTHON);
    command.env("PYTHONPATH", modules);
    command.args(["-c", PYFTPDLIB, &server_address(2).to_string()]);
    command.arg(&root).arg(OTHER_PORT.to_string());
    Running::start(&scene.server(2), &mut command, &state.join("pyftpdlib.log"))
}
