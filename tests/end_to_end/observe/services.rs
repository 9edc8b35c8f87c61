//! Programs that a test starts beside the pipeline.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A program while it runs; killed when dropped, and by the kernel should the test's thread end without.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it; what it prints goes to the file `log`.
    pub fn start(program: &str, arguments: &[String], variable: Option<(&str, String)>, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", program])
            .args(arguments)
            .envs(variable)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log: log.to_owned() }
    }

    /// It must not have ended.
    pub fn assert_running(&mut self) {
        let ended = self.child.try_wait().unwrap();
        let printed = || std::fs::read_to_string(&self.log).unwrap();
        assert!(ended.is_none(), "{} has ended (run `make setup`):\n{}", self.log.display(), printed());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine that nobody listens on.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
