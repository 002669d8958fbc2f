//! A cluster to be examined and mended.

use std::fs;
use std::net::{SocketAddrV4, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::{Namespace, Plan, VIP, server_address};

use crate::scenario::{Scene, run_in};

const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, 7);
const SERVERS: u8 = 2;
/// A connection within the cluster is there at once or never.
const ATTEMPT: Duration = Duration::from_millis(300);

pub struct Patient {
    pub scene: Scene,
    _servers: Vec<EchoServer>,
    /// Holds `ipvsadm`, as it is found on a director.
    tools: PathBuf,
}

impl Patient {
    /// A cluster with nothing wrong.
    pub fn new(name: &str) -> Self {
        Patient::with_config(name, &vsnat_lab::director::config())
    }

    pub fn with_config(name: &str, config: &str) -> Self {
        let plan = Plan {
            servers: SERVERS.into(),
            ..Plan::default()
        };
        let mut scene = Scene::without_director(name, &plan);
        // The kernel's defaults differ from one distribution to the next.
        for which in ["all", "outer", "inner"] {
            let key = format!("net/ipv4/conf/{which}/rp_filter");
            scene.cluster.director().set_sysctl(&key, "0").unwrap();
        }
        scene.start_director(config);
        scene.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
        let servers = (1..=SERVERS).map(|number| {
            let address = SocketAddrV4::new(server_address(number), SERVICE.port());
            scene.ipvsadm(&format!("-a -t {SERVICE} -r {address} -m -w 1"));
            let name = format!("server{number}");
            EchoServer::start(&scene.server(number), &name, address).unwrap()
        });
        let servers = servers.collect();
        let tools = scene.cluster.state_dir().join("tools");
        fs::create_dir_all(&tools).unwrap();
        let ipvsadm = tools.join("ipvsadm");
        if !ipvsadm.exists() {
            symlink(executable(), ipvsadm).unwrap();
        }
        Patient {
            scene,
            _servers: servers,
            tools,
        }
    }

    /// The broken set-up is found and named; the command mends it, and nothing
    /// else is wrong then. `again` is what must happen for that to be seen.
    #[track_caller]
    pub fn is_mended(&self, name: &str, again: impl Fn(&Patient)) {
        let (output, findings) = self.examined();
        let found = findings.iter().find(|finding| finding["name"] == name);
        let Some(found) = found else {
            panic!("{name} was not found, but {findings:#?}");
        };
        assert_eq!(found["severity"], "fault");
        assert_eq!(output.status.code(), Some(1), "a fault is exit code 1");
        let command = found["command"].as_str().unwrap();
        let place = self.place_of(&found["place"]);
        self.shell(&place, command);
        again(self);
        let (output, findings) = self.examined();
        let faults: Vec<_> = findings
            .iter()
            .filter(|finding| finding["severity"] == "fault")
            .collect();
        assert!(faults.is_empty(), "after `{command}`: {faults:#?}");
        assert_eq!(output.status.code(), Some(0));
    }

    /// What `vsnat doctor` says, and how it ends.
    pub fn examined(&self) -> (Output, Vec<Value>) {
        let mut doctor = Command::new(executable());
        doctor.args(["doctor", "--json"]);
        let output = self.output(&self.scene.cluster.director(), &mut doctor);
        let said = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("no JSON: {error}; {said}"));
        (output, report["findings"].as_array().unwrap().clone())
    }

    pub fn in_director(&self, line: &str) {
        run_in(&self.scene.cluster.director(), line);
    }

    /// As many clients as bring every server one.
    pub fn clients_come(&self) {
        for _ in 0..2 * SERVERS {
            let _ = self
                .scene
                .in_client(|| TcpStream::connect_timeout(&SERVICE.into(), ATTEMPT));
        }
    }

    fn place_of(&self, place: &Value) -> Namespace {
        if place == "this_host" {
            return self.scene.cluster.director();
        }
        if let Some(address) = place["server"].as_str() {
            let numbers = 1..=SERVERS;
            let mut servers = numbers.filter(|n| server_address(*n).to_string() == address);
            return self.scene.server(servers.next().unwrap());
        }
        let mac = place["machine"].as_str().unwrap();
        let client = self.scene.cluster.client();
        let links = run_in(&client, "ip link show");
        assert!(links.contains(mac), "the client is {mac}: {links}");
        client
    }

    /// As somebody would type it there.
    #[track_caller]
    fn shell(&self, place: &Namespace, command: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        let output = self.output(place, &mut shell);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`{command}`: {said}");
    }

    fn output(&self, place: &Namespace, command: &mut Command) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let tools = self.tools.display();
        command
            .env("PATH", format!("{tools}:{path}:/usr/sbin:/sbin"))
            .env(vsnat_api::SOCKET_ENV, self.scene.director().socket());
        place.run(|| command.output()).unwrap().unwrap()
    }
}

fn executable() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vsnat"))
}
