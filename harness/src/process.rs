//! A child process that ends when this one ends, even by a crash.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Sender};
use std::thread;

/// A running child; killed when dropped, and by the kernel when this process dies.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The kernel's death signal is bound to the *thread* that started the child, and a test's thread ends
    /// before its process does. So a thread of its own starts the child and lives until this sender is
    /// dropped.
    _keeper: Sender<()>,
}

impl Process {
    /// Starts `program`, which `configure` gives its arguments, directory and output.
    ///
    /// # Errors
    /// `setpriv`, by which it is started, is not there.
    pub fn start(
        program: impl Into<OsString>,
        configure: impl FnOnce(&mut Command) + Send + 'static,
    ) -> io::Result<Self> {
        let (keeper, released) = mpsc::channel::<()>();
        let (started, child) = mpsc::channel();
        let program = program.into();
        thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            let mut command = Command::new("setpriv");
            // A process group of its own: an interrupt from the terminal goes to its owner, who then ends the
            // child.
            command.args(["--pdeathsig", "KILL", "--"]).arg(program).process_group(0);
            configure(&mut command);
            let _ = started.send(command.spawn());
            let _ = released.recv();
        })?;
        let child = child.recv().map_err(io::Error::other)??;
        Ok(Self { child, _keeper: keeper })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the child ended, if it has.
    ///
    /// # Errors
    /// Those of the system.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks the child to end and waits until it has.
    ///
    /// # Errors
    /// Those of the system.
    pub fn terminate(mut self) -> io::Result<ExitStatus> {
        self.signal("TERM")?;
        self.child.wait()
    }

    /// Sends the signal of this name.
    ///
    /// # Errors
    /// Those of the system.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
