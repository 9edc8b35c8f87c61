//! PostgreSQL that is late, says nothing, or is behind a pooler.

use crate::command::Running;
use crate::parts::Parts;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use streamflow_harness::process::Process;
use streamflow_test_support::Port;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

/// A `PgBouncer` in front of a private server, with the account of that server; not started yet.
struct Pooler {
    port: Port,
    configuration: PathBuf,
    password: PathBuf,
    process: Option<Process>,
}

impl Pooler {
    fn prepare(parts: &Parts) -> Self {
        let port = Port::reserve().unwrap();
        let directory = parts.postgres.directory();
        let (configuration, users) = (directory.join("pgbouncer.ini"), directory.join("users.txt"));
        let password = parts.path("password");
        fs::write(&password, "s3cret").unwrap();
        let text = format!(
            "[databases]\nstreamflow = host={} port=5432\n[pgbouncer]\npool_mode = session\nlisten_addr = 127.0.0.1\n\
             listen_port = {}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\nserver_login_retry = 1\n",
            directory.display(),
            port.number,
            users.display(),
        );
        let owner = fs::metadata(directory).unwrap();
        for (path, text) in [(&configuration, text.as_str()), (&users, "\"streamflow\" \"s3cret\"\n")] {
            fs::write(path, text).unwrap();
            chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        Self { port, configuration, password, process: None }
    }

    /// Starts it, after ending it without a word if it runs.
    fn restart(&mut self) {
        self.process = None;
        let configuration = self.configuration.clone();
        let owner = fs::metadata(&configuration).unwrap();
        let log = configuration.with_extension("log");
        let log = fs::File::options().create(true).append(true).open(log).unwrap();
        let run = move |setpriv: &mut std::process::Command| {
            // It refuses to run as root.
            if fs::metadata("/proc/self").unwrap().uid() == 0 {
                let (uid, gid) = (owner.uid().to_string(), owner.gid().to_string());
                setpriv.args(["--reuid", &uid, "--regid", &gid, "--clear-groups"]);
            }
            setpriv.args(["--pdeathsig", "KILL", "--", PGBOUNCER]).arg(configuration).stderr(log);
        };
        self.process = Some(Process::start("setpriv", run).unwrap());
    }

    /// Has what runs go through it.
    fn settings(&self) -> Vec<String> {
        let port = format!("postgres.port={}", self.port.number);
        let password = format!("postgres.password_file={}", self.password.display());
        let settings = ["postgres.hosts=[127.0.0.1]", &port, &password, "postgres.connect_timeout_ms=2000"];
        settings.into_iter().flat_map(|setting| ["--set", setting]).map(str::to_owned).collect()
    }
}

/// A pipeline that reaches PostgreSQL through a pooler.
struct World {
    parts: Parts,
    pooler: Pooler,
}

impl World {
    fn command(&self, name: &str, options: &[&str]) -> Running {
        let settings = self.pooler.settings();
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        self.parts.command(name, &[&settings, options].concat())
    }

    fn generate(&self) {
        let mut command = self.parts.command("generate", &["--count", "500", "--rate", "100000"]);
        assert!(command.wait().success(), "{}", command.printed());
    }
}

fn wait_for_words(run: &mut Running, words: &str) {
    let begun = Instant::now();
    while !run.printed().contains(words) {
        run.keep_waiting(begun, PATIENCE, words);
    }
}

#[test]
fn a_pipeline_starts_runs_and_restarts_through_a_pooler_whatever_is_away() {
    let parts = Parts::start("pooled", 1, &json!({}));
    let pooler = Pooler::prepare(&parts);
    let mut world = World { parts, pooler };
    world.parts.postgres.stop().unwrap();
    // The first start waits, and says what for: nobody is there, then the pooler has no server and waits as well.
    let mut run = world.command("run", &[]);
    wait_for_words(&mut run, "refused");
    world.pooler.restart();
    wait_for_words(&mut run, "says nothing");
    world.parts.postgres.restart().unwrap();
    wait_for_words(&mut run, "the start goes on");
    world.generate();
    world.parts.wait_for_all(&mut run, PATIENCE);
    let seen = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'streamflow' AND pid <> pg_backend_pid() \
         AND state IS NOT NULL";
    assert!(world.parts.connect().query_one(seen, &[]).unwrap().get::<_, i64>(0) > 0);
    // Killed: its sessions end, and the next one takes over.
    run.kill();
    world.generate();
    let mut run = world.command("run", &[]);
    world.parts.wait_for_all(&mut run, PATIENCE);
    // The server is gone behind the pooler, which says so in its own way; then the pooler itself.
    world.parts.postgres.kill().unwrap();
    world.generate();
    wait_for_words(&mut run, "08P01");
    world.parts.postgres.restart().unwrap();
    world.parts.wait_for_all(&mut run, PATIENCE);
    world.pooler.restart();
    world.generate();
    world.parts.wait_for_all(&mut run, PATIENCE);
    assert!(run.terminate().success(), "{}", run.printed());
    let wrong = format!("postgres.password_file={}", world.pooler.configuration.display());
    for (setting, words) in
        [("postgres.database=nowhere", "no such database"), (wrong.as_str(), "authentication failed")]
    {
        let mut run = world.command("run", &["--set", setting]);
        let status = run.wait_for_end(PATIENCE);
        assert_eq!(status.code(), Some(1), "{}", run.printed());
        assert!(run.printed().lines().last().unwrap().contains(words), "{}", run.printed());
    }
    let mut migrate = world.command("migrate", &[]);
    assert!(migrate.wait().success(), "{}", migrate.printed());
    let mut verify = world.command("verify", &[]);
    assert!(verify.wait().success(), "{}", verify.printed());
}

#[test]
fn what_never_changes_by_itself_ends_a_start_at_once() {
    let parts = Parts::start("fatal", 1, &json!({}));
    for (setting, words) in [("postgres.database=nowhere", "3D000"), ("postgres.user=nobody", "28000")] {
        let mut run = parts.command("run", &["--set", setting]);
        let status = run.wait_for_end(PATIENCE);
        assert_eq!(status.code(), Some(1), "{}", run.printed());
        let printed = run.printed();
        assert!(
            printed.lines().last().unwrap().contains(words) && !printed.contains("retrying"),
            "{printed}"
        );
    }
}

#[test]
fn a_server_that_accepts_and_says_nothing_holds_nobody_up() {
    let parts = Parts::start("silent", 1, &json!({}));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("postgres.port={}", silent.local_addr().unwrap().port());
    let settings = ["postgres.hosts=[127.0.0.1]", &port, "postgres.connect_timeout_ms=300"];
    let options: Vec<&str> = settings.into_iter().flat_map(|setting| ["--set", setting]).collect();
    for name in ["migrate", "verify", "maintain"] {
        let mut command = parts.command(name, &options);
        let status = command.wait_for_end(PATIENCE);
        assert!(!status.success() && command.printed().contains("says nothing"), "{}", command.printed());
    }
    // A start tries again, and ends when it is asked to.
    let mut run = parts.command("run", &options);
    wait_for_words(&mut run, "says nothing");
    assert!(run.terminate().success(), "{}", run.printed());
}
