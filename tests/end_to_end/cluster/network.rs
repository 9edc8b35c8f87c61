//! Several hosts on this machine: network namespaces on one bridge. Making them takes root, or sudo without a password.

use std::process::{Command, Stdio};

/// A bridge, with an address of this machine and a host on each port. Goes when dropped.
pub struct Network {
    bridge: String,
    /// The first three parts of all addresses.
    prefix: String,
    hosts: Vec<Host>,
}

struct Host {
    namespace: String,
    /// Its port of the bridge.
    port: String,
    address: String,
}

impl Network {
    /// One of so many hosts.
    pub fn new(hosts: usize) -> Self {
        let id = std::process::id();
        remove_stale();
        let prefix = format!("10.{}.{}", 100 + id % 100, id / 100 % 250);
        let bridge = format!("sf{id}b");
        ip(&["link", "add", &bridge, "type", "bridge"]);
        let mut network = Self { bridge, prefix, hosts: Vec::new() };
        ip(&["addr", "add", &format!("{}/24", network.gateway()), "dev", &network.bridge]);
        ip(&["link", "set", &network.bridge, "up"]);
        for number in 0..hosts {
            network.add(&format!("sf{id}n{number}"), &format!("sf{id}p{number}"), number);
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
        self.hosts.push(Host { namespace: namespace.to_owned(), port: port.to_owned(), address });
        as_root(&["mkdir", "-p", &format!("/etc/netns/{namespace}")]);
        self.name(number, &[]);
    }

    /// The address of this machine, as all hosts reach it.
    pub fn gateway(&self) -> String {
        format!("{}.1", self.prefix)
    }

    /// The command that runs its arguments on a host, as the user of this process.
    pub fn on(&self, host: usize) -> Vec<String> {
        let namespace = &self.hosts[host].namespace;
        let mut command = root(&["ip", "netns", "exec", namespace]);
        if !is_root() {
            let (user, group) = (id("-u"), id("-g"));
            command.extend(
                ["setpriv", "--reuid", &user, "--regid", &group, "--clear-groups"].map(str::to_owned),
            );
        }
        command
    }

    /// Gives hosts names, in their order, that all hosts know; there are no others.
    pub fn name_all(&self, names: &[String]) {
        (0..self.hosts.len()).for_each(|host| self.name(host, names));
    }

    fn name(&self, host: usize, names: &[String]) {
        let named = names.iter().zip(&self.hosts).map(|(name, host)| format!("{} {name}\n", host.address));
        let text: String = ["127.0.0.1 localhost\n".to_owned()].into_iter().chain(named).collect();
        let path = format!("/etc/netns/{}/hosts", self.hosts[host].namespace);
        as_root(&["sh", "-c", &format!("printf '%s' '{text}' > {path}")]);
    }

    /// Cuts two hosts off from each other, and from nobody else, without a word to either.
    pub fn cut(&self, between: [usize; 2]) {
        self.isolate(between, "on");
    }

    /// Ends that.
    pub fn mend(&self, between: [usize; 2]) {
        self.isolate(between, "off");
    }

    fn isolate(&self, hosts: [usize; 2], switch: &str) {
        for host in hosts {
            as_root(&["bridge", "link", "set", "dev", &self.hosts[host].port, "isolated", switch]);
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.hosts.iter().for_each(|host| remove(&host.namespace));
        try_as_root(&["ip", "link", "del", &self.bridge]);
    }
}

fn remove(namespace: &str) {
    try_as_root(&["ip", "netns", "del", namespace]);
    try_as_root(&["rm", "-rf", &format!("/etc/netns/{namespace}")]);
}

/// What a test that was killed has left.
fn remove_stale() {
    let output = Command::new("ip").args(["netns", "list"]).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    for namespace in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        let id = namespace.strip_prefix("sf").and_then(|rest| rest.split_once('n')).map(|(id, _)| id);
        if let Some(id) = id.filter(|id| !std::path::Path::new(&format!("/proc/{id}")).exists()) {
            remove(namespace);
            try_as_root(&["ip", "link", "del", &format!("sf{id}b")]);
        }
    }
}

fn ip(arguments: &[&str]) {
    as_root(&[&["ip"], arguments].concat());
}

fn is_root() -> bool {
    id("-u") == "0"
}

fn id(option: &str) -> String {
    let output = Command::new("id").arg(option).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn root(command: &[&str]) -> Vec<String> {
    let sudo: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
    [sudo, command].concat().into_iter().map(str::to_owned).collect()
}

fn as_root(command: &[&str]) {
    let command = root(command);
    let output = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}; hosts need root, or sudo without a password");
}

/// Where there is nothing to remove that is fine.
fn try_as_root(command: &[&str]) {
    let command = root(command);
    let _ = Command::new(&command[0]).args(&command[1..]).stderr(Stdio::null()).status();
}
