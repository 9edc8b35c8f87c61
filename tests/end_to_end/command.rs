//! The binary under test.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// How often it is looked whether what is waited for has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What `setpriv` is to do before it becomes the command.
const BOUND_TO_ITS_PARENT: [&str; 3] = ["--pdeathsig", "KILL", "--"];

/// Its path.
pub const BINARY: &str = env!("CARGO_BIN_EXE_streamflow");

/// Runs it to its end.
pub fn output(arguments: &[impl AsRef<OsStr>]) -> Output {
    Command::new(BINARY).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs it to its end, which must be a good one, and returns what it printed.
pub fn succeed(arguments: &[impl AsRef<OsStr>]) -> String {
    succeed_with_input(arguments, Stdio::null())
}

/// As [`succeed`], with `input` as standard input.
pub fn succeed_with_input(arguments: &[impl AsRef<OsStr>], input: impl Into<Stdio>) -> String {
    let output = Command::new(BINARY).args(arguments).stdin(input).output().unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// It while it runs; killed when dropped, and by the kernel should the test's thread end without.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it; what it prints goes to the file `log`.
    pub fn start(arguments: &[impl AsRef<OsStr>], log: &Path) -> Self {
        Self::start_with(arguments, log, None)
    }

    /// As [`Running::start`], with a further variable in its environment.
    pub fn start_with(arguments: &[impl AsRef<OsStr>], log: &Path, variable: Option<(&str, String)>) -> Self {
        let mut command = Command::new("setpriv");
        command.args(BOUND_TO_ITS_PARENT).arg(BINARY).args(arguments).envs(variable);
        Self::spawn(command, log)
    }

    /// Starts it on another host, as `host`, a command that runs its arguments there; what it prints goes to
    /// the file `log`.
    pub fn start_on(
        host: &[String],
        arguments: &[impl AsRef<OsStr>],
        log: &Path,
        variable: (&str, String),
    ) -> Self {
        let mut command = Command::new(&host[0]);
        command.args(&host[1..]).arg("setpriv").args(BOUND_TO_ITS_PARENT);
        let (name, value) = variable;
        command.arg("env").arg(format!("{name}={value}")).arg(BINARY).args(arguments);
        Self::spawn(command, log)
    }

    fn spawn(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), log: log.to_owned() }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Between two looks at what is waited for since `begun`: it must not have ended, nor taken longer than
    /// `patience`.
    pub fn keep_waiting(&mut self, begun: Instant, patience: Duration, what: &str) {
        assert!(self.ended().is_none(), "run has ended:\n{}", self.printed());
        assert!(begun.elapsed() < patience, "stuck before {what}:\n{}", self.printed());
        std::thread::sleep(LOOK_EVERY);
    }

    /// Sends SIGTERM to all, and waits for the end of all.
    pub fn terminate_all(all: &mut [Self]) -> Vec<ExitStatus> {
        all.iter().for_each(|running| running.signal("TERM"));
        all.iter_mut().map(Self::wait).collect()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_end(&mut self, patience: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(begun.elapsed() < patience, "goes on:\n{}", self.printed());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it where it stands.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// What it printed so far.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
