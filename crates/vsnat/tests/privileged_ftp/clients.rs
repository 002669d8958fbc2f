//! FTP clients of others, each told by its own words what to do.

use std::io::Write;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::{Command, Stdio};

/// How data connections are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Port,
    Pasv,
    Eprt,
    Epsv,
}

impl Mode {
    pub const ALL: [Mode; 4] = [Mode::Port, Mode::Pasv, Mode::Eprt, Mode::Epsv];

    /// The command that a server gets.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Port => "PORT",
            Mode::Pasv => "PASV",
            Mode::Eprt => "EPRT",
            Mode::Epsv => "EPSV",
        }
    }

    fn is_passive(self) -> bool {
        matches!(self, Mode::Pasv | Mode::Epsv)
    }

    fn is_extended(self) -> bool {
        matches!(self, Mode::Eprt | Mode::Epsv)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Curl,
    Lftp,
    Ftplib,
    Tnftp,
}

/// Files of a visit: one is sent, fetched under another name, and listed.
pub struct Files<'a> {
    pub sent: &'a Path,
    pub fetched: &'a Path,
    /// Its name at the server.
    pub name: &'a str,
}

/// With Python's own functions for the extended commands, which it uses over
/// IPv6 only by itself.
const FTPLIB: &str = "\
import ftplib, sys
host, port, mode, sent, fetched, name = sys.argv[1:]
class FTP(ftplib.FTP):
    def makepasv(self):
        if mode == 'EPSV':
            return ftplib.parse229(self.sendcmd('EPSV'), self.sock.getpeername())
        return super().makepasv()
    def sendport(self, host, port):
        if mode == 'EPRT':
            return self.sendeprt(host, port)
        return super().sendport(host, port)
ftp = FTP(timeout=30)
ftp.trust_server_pasv_ipv4_address = True
ftp.connect(host, int(port))
ftp.login()
ftp.set_pasv(mode in ('PASV', 'EPSV'))
ftp.cwd('pub')
with open(sent, 'rb') as file:
    ftp.storbinary('STOR ' + name, file)
with open(fetched, 'wb') as file:
    ftp.retrbinary('RETR ' + name, file.write)
ftp.retrlines('LIST')
ftp.quit()
";

impl Client {
    pub const ALL: [Client; 4] = [Client::Curl, Client::Lftp, Client::Ftplib, Client::Tnftp];

    /// Why a mode is beyond a client.
    pub fn cannot(self, mode: Mode) -> Option<&'static str> {
        match (self, mode) {
            (Client::Lftp, Mode::Eprt) => Some("lftp says EPRT over IPv6 only"),
            (Client::Curl | Client::Lftp | Client::Ftplib | Client::Tnftp, _) => None,
        }
    }

    /// Sends, fetches and lists; gives what it printed. To be called in the
    /// client's namespace.
    pub fn visit(self, server: SocketAddrV4, mode: Mode, files: &Files) -> String {
        match self {
            Client::Curl => curl(server, mode, files),
            Client::Lftp => lftp(server, mode, files),
            Client::Ftplib => ftplib(server, mode, files),
            Client::Tnftp => tnftp(server, mode, files),
        }
    }
}

fn curl(server: SocketAddrV4, mode: Mode, files: &Files) -> String {
    let how: &[&str] = match mode {
        Mode::Port => &["--ftp-port", "-", "--disable-eprt"],
        Mode::Eprt => &["--ftp-port", "-"],
        Mode::Pasv => &["--disable-epsv"],
        Mode::Epsv => &[],
    };
    let folder = format!("ftp://{server}/pub/");
    let file = format!("{folder}{}", files.name);
    let mut printed = String::new();
    for words in [
        vec!["--upload-file", files.sent.to_str().unwrap(), &file],
        vec!["--output", files.fetched.to_str().unwrap(), &file],
        vec![&folder],
    ] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60"]);
        printed += &run(curl.args(how).args(words), "");
    }
    printed
}

fn lftp(server: SocketAddrV4, mode: Mode, files: &Files) -> String {
    let script = format!(
        "set net:timeout 20; set net:max-retries 1; set ftp:auto-passive-mode no\n\
         set ftp:passive-mode {}; set ftp:prefer-epsv {}\n\
         set cmd:fail-exit yes; set ftp:ssl-allow no\n\
         open -u anonymous,x -p {} {}\ncd pub\nput {} -o {}\nget {} -o {}\nls\nbye\n",
        if mode.is_passive() { "on" } else { "off" },
        if mode.is_extended() { "yes" } else { "no" },
        server.port(),
        server.ip(),
        files.sent.display(),
        files.name,
        files.name,
        files.fetched.display(),
    );
    // It looks for its own folders there.
    let home = files.sent.parent().unwrap();
    run(
        Command::new("lftp").arg("--norc").env("HOME", home),
        &script,
    )
}

fn ftplib(server: SocketAddrV4, mode: Mode, files: &Files) -> String {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", FTPLIB, &server.ip().to_string()]);
    python.arg(server.port().to_string()).arg(mode.word());
    python.args([files.sent, files.fetched]).arg(files.name);
    run(&mut python, "")
}

fn tnftp(server: SocketAddrV4, mode: Mode, files: &Files) -> String {
    // `epsv4` changes to and fro; it is on at first.
    let epsv4 = if mode.is_extended() { "" } else { "epsv4\n" };
    let script = format!(
        "{epsv4}open {} {}\nuser anonymous x\nbinary\ncd pub\nput {} {}\nget {} {}\nls\nbye\n",
        server.ip(),
        server.port(),
        files.sent.display(),
        files.name,
        files.name,
        files.fetched.display(),
    );
    let passive = if mode.is_passive() { "-p" } else { "-A" };
    run(
        Command::new("tnftp").args(["-n", "-i", "-v", passive]),
        &script,
    )
}

fn run(command: &mut Command, script: &str) -> String {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot run {command:?}: {error}; `cargo xtask setup` installs it")
        });
    // One that ends early says itself why.
    let _ = child.stdin.take().unwrap().write_all(script.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{command:?}: {printed}");
    printed
}
