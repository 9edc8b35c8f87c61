//! Several hosts on this machine: network namespaces on one bridge. Making them takes rights that root has;
//! anybody else runs the test in a user namespace, in which it has them too.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Set in a user namespace.
const MARK: &str = "STREAMFLOW_TEST_NAMESPACE";

/// Where this is neither root nor in a user namespace: runs the test `name` in one. Whether it did.
pub fn run_elsewhere(name: &str) -> bool {
    if id("-u") == "0" || std::env::var_os(MARK).is_some() {
        return false;
    }
    // Names of network namespaces are files below /run.
    let prepare = "mount -t tmpfs tmpfs /run && ip link set lo up && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-current-user", "--keep-caps", "--net", "--mount", "--"])
        .args(["sh", "-c", prepare, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let [said, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "in a user namespace, without which it needs root: {said}{complained}");
    println!("{said}");
    true
}

/// A bridge, with an address of this machine and a host on each port. Goes when dropped.
pub struct Network {
    bridge: String,
    /// The first three parts of all addresses.
    prefix: String,
    hosts: Vec<Host>,
    /// What stands in for /etc/hosts on each of them.
    names: TempDir,
}

struct Host {
    namespace: String,
    /// Its port of the bridge.
    port: String,
    address: String,
    names: PathBuf,
}

impl Network {
    /// One of so many hosts.
    pub fn new(hosts: usize) -> Self {
        // Tests that run beside each other in this process have networks of their own.
        static NETWORKS: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NETWORKS.fetch_add(1, Ordering::Relaxed));
        remove_stale();
        let prefix = format!("10.{}.{}", 100 + (process + number) % 100, process / 100 % 250);
        let name = format!("sf{process}x{number}");
        let bridge = format!("{name}b");
        ip(&["link", "add", &bridge, "type", "bridge"]);
        let names = tempfile::tempdir().unwrap();
        let mut network = Self { bridge, prefix, hosts: Vec::new(), names };
        ip(&["addr", "add", &format!("{}/24", network.gateway()), "dev", &network.bridge]);
        ip(&["link", "set", &network.bridge, "up"]);
        for host in 0..hosts {
            network.add(&format!("{name}n{host}"), &format!("{name}p{host}"), host);
        }
        network
    }

    fn add(&mut self, namespace: &str, port: &str, number: usize) {
        let address = format!("{}.{}", self.prefix, 10 + number);
        ip(&["netns", "add", namespace]);
        ip(&["link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace]);
        ip(&["link", "set", port, "master", &self.bridge, "up"]);
        ip(&["-n", namespace, "addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        ip(&["-n", namespace, "link", "set", "eth0", "up"]);
        ip(&["-n", namespace, "link", "set", "lo", "up"]);
        let names = self.names.path().join(namespace);
        self.hosts.push(Host { namespace: namespace.to_owned(), port: port.to_owned(), address, names });
        self.name(number, &[]);
    }

    /// The address of this machine, as all hosts reach it.
    pub fn gateway(&self) -> String {
        format!("{}.1", self.prefix)
    }

    /// The command that runs its arguments on a host.
    pub fn on(&self, host: usize) -> Vec<String> {
        let Host { namespace, names, .. } = &self.hosts[host];
        let with_names = format!("mount --bind {} /etc/hosts && exec \"$@\"", names.display());
        ["ip", "netns", "exec", namespace, "sh", "-c", &with_names, "sh"].map(str::to_owned).into()
    }

    /// Gives hosts names, in their order, that all hosts know; there are no others.
    pub fn name_all(&self, names: &[String]) {
        (0..self.hosts.len()).for_each(|host| self.name(host, names));
    }

    fn name(&self, host: usize, names: &[String]) {
        let named = names.iter().zip(&self.hosts).map(|(name, host)| format!("{} {name}\n", host.address));
        let text: String = ["127.0.0.1 localhost\n".to_owned()].into_iter().chain(named).collect();
        // In place: what is mounted is the file, not its name.
        std::fs::write(&self.hosts[host].names, text).unwrap();
    }

    /// Cuts two hosts off from each other, and from nobody else, without a word to either.
    pub fn cut(&self, between: [usize; 2]) {
        self.isolate(between, "on");
    }

    /// Ends that.
    pub fn reconnect(&self, between: [usize; 2]) {
        self.isolate(between, "off");
    }

    /// Cuts all hosts off from each other; they still reach this machine.
    pub fn scatter(&self) {
        self.isolate(0..self.hosts.len(), "on");
    }

    /// Ends that.
    pub fn reunite(&self) {
        self.isolate(0..self.hosts.len(), "off");
    }

    fn isolate(&self, hosts: impl IntoIterator<Item = usize>, switch: &str) {
        for host in hosts {
            run("bridge", &["link", "set", "dev", &self.hosts[host].port, "isolated", switch]);
        }
    }

    /// Takes a host off the network: nobody reaches it, and it reaches nobody. Its name stays.
    pub fn take_away(&self, host: usize) {
        ip(&["link", "set", &self.hosts[host].port, "down"]);
    }

    /// Ends that.
    pub fn bring_back(&self, host: usize) {
        ip(&["link", "set", &self.hosts[host].port, "up"]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.hosts.iter().for_each(|host| remove(&["netns", "del", &host.namespace]));
        remove(&["link", "del", &self.bridge]);
    }
}

/// What a test that was killed has left.
fn remove_stale() {
    let output = Command::new("ip").args(["netns", "list"]).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    for namespace in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        let Some((network, _host)) = namespace.split_once('n') else { continue };
        let process =
            network.strip_prefix("sf").and_then(|rest| rest.split_once('x')).map(|(process, _)| process);
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            remove(&["netns", "del", namespace]);
            remove(&["link", "del", &format!("{network}b")]);
        }
    }
}

/// Where there is nothing to remove that is fine.
fn remove(arguments: &[&str]) {
    let _ = Command::new("ip").args(arguments).stderr(Stdio::null()).status();
}

fn id(option: &str) -> String {
    let output = Command::new("id").arg(option).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn ip(arguments: &[&str]) {
    run("ip", arguments);
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}
