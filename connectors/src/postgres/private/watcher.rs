//! Outlives its owner by a moment to remove what it left.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Standard input ends when the owner does, however it ends. The working directory tells the server from
/// a stranger who got the number of one long dead.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done
data="$0/data"
if read -r pid < "$data/postmaster.pid" && [ "$(readlink "/proc/$pid/cwd")" = "$data" ]; then
    kill -s QUIT "$pid"
    patience=100
    while kill -s 0 "$pid" && [ "$patience" -gt 0 ]; do
        patience=$((patience - 1))
        sleep 0.1
    done
fi
cd /
rm -rf "$0"
"#;

#[derive(Debug)]
pub(super) struct Watcher(Child);

impl Watcher {
    /// Watches over `directory`, which holds the cluster in `data`.
    pub(super) fn start(directory: &Path) -> io::Result<Self> {
        Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .arg(directory)
            // Away from the terminal's Ctrl-C.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
    }

    /// Ends the watch and waits until everything is removed.
    pub(super) fn finish(&mut self) {
        // Waiting closes standard input first.
        if let Err(error) = self.0.wait() {
            tracing::warn!(%error, "a private server's directory may remain");
        }
    }
}
