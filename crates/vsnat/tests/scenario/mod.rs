//! A cluster with a director of the executable under test, and the questions
//! that scenarios ask.

use std::path::Path;
use std::process::Command;

use vsnat_lab::{Cluster, Director, DirectorOptions, LabName, Namespace, Node, Plan, Stop};

/// Dropping it stops the director, then removes the cluster.
pub struct Scene {
    director: Option<Director>,
    pub cluster: Cluster,
}

impl Scene {
    pub fn new(name: &str, plan: &Plan) -> Self {
        let mut scene = Scene::without_director(name, plan);
        scene.start_director(&vsnat_lab::director::config());
        scene
    }

    pub fn without_director(name: &str, plan: &Plan) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test makes network namespaces and loads eBPF programs: run it with sudo"
        );
        let name = LabName::new(name).unwrap();
        let cluster = Cluster::build(&name, plan).unwrap();
        Scene {
            director: None,
            cluster,
        }
    }

    pub fn start_director(&mut self, config: &str) {
        let executable = Path::new(env!("CARGO_BIN_EXE_vsnat"));
        let mut options = DirectorOptions::new(executable, self.cluster.name());
        options.config = config.to_owned();
        self.director = Some(Director::start(options).unwrap());
    }

    /// As a crash: the data plane is on its own from here on.
    pub fn kill_director(&mut self) {
        let status = self.director.take().unwrap().stop(Stop::Kill).unwrap();
        assert!(!status.success());
    }

    /// In order, as before an upgrade: the data plane goes on forwarding.
    pub fn leave_forwarding(&mut self) {
        let director = self.director.take().unwrap();
        let status = director.stop(Stop::LeaveForwarding).unwrap();
        assert!(status.success());
    }

    pub fn stop(&mut self, how: Stop) {
        let status = self.director.take().unwrap().stop(how).unwrap();
        assert!(status.success());
    }

    /// From the record, as `vsnat down` does where no director runs.
    pub fn remove_data_plane(&self) {
        let executable = Path::new(env!("CARGO_BIN_EXE_vsnat"));
        vsnat_lab::director::remove_data_plane(executable, self.cluster.name()).unwrap();
    }

    pub fn director(&self) -> &Director {
        self.director.as_ref().unwrap()
    }

    #[track_caller]
    pub fn ipvsadm(&self, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.director().ipvsadm(&words).unwrap()
    }

    /// How often the packet path gave a verdict, from all interfaces.
    pub fn count(&self, reason: &str) -> u64 {
        let reasons = self.director().status().unwrap().reasons;
        let found = reasons.iter().find(|count| count.reason == reason);
        found
            .unwrap_or_else(|| panic!("no reason {reason}"))
            .packets
    }

    pub fn in_client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.cluster.client().run(work).unwrap()
    }

    pub fn server(&self, number: u8) -> Namespace {
        self.cluster.namespace(Node::Server(number))
    }
}

/// Runs a command line in a namespace and gives its standard output.
#[track_caller]
pub fn run_in(namespace: &Namespace, line: &str) -> String {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    namespace.output(command.args(words)).unwrap()
}
