//! The group-commit thread: what the dataflow has finished becomes durable, whole frontiers at a time.
//!
//! ```text
//!  submit(f, batch) ─> queue ─> take all that is there, merge ─> write ─> COMMIT ─> durable = f, notify
//!        (never waits)              ^                              |
//!                                   └── connection lost: reconnect, ask how far the database got ──┘
//! ```
//!
//! Law: every frontier's changes are committed exactly once, in order, together with the progress row the
//! [`Writer`] keeps; `durable` never runs ahead of the database and never goes back.
//!
//! When a connection breaks during COMMIT nobody knows whether it took effect. The progress row decides:
//! after every reconnect it stands either where it was (write again) or at the frontier in flight (done).
//! Anything else means that another process wrote, or that an older state was restored: the committer
//! stops with [`PostgresError::Fenced`].

mod statistics;
mod thread;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use postgres::{Client, Transaction};

use super::error::PostgresError;
use super::settings::PostgresSettings;
use statistics::Shared;
pub use statistics::{Commit, Monitor, Statistics};
use thread::{CommitThread, Submission};

/// What one frontier changes. Batches of consecutive frontiers merge into one transaction.
pub trait Batch: Send + 'static {
    /// Adds the changes of a later frontier to these.
    fn merge(&mut self, later: Self);
    /// About how many rows it changes; bounds what is merged into one transaction.
    fn weight(&self) -> usize;
}

/// Rows written, by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Table name and number of rows.
    pub rows: Vec<(&'static str, u64)>,
    /// Bytes that were sent by COPY.
    pub copied_bytes: u64,
}

impl Written {
    /// Adds `rows` rows of `table`.
    pub fn add(&mut self, table: &'static str, rows: u64) {
        self.rows.push((table, rows));
    }
}

/// Writes batches inside transactions. Lives on the committer's thread.
pub trait Writer: Send + 'static {
    /// What it writes.
    type Batch: Batch;

    /// Runs after each connect and reconnect, before anything else: check that the lease is still this
    /// process's (a zombie must not take it back from its successor), prepare statements.
    ///
    /// # Errors
    /// A retryable error reconnects; any other ends the committer ([`PostgresError::Fenced`] when the lease
    /// is another's).
    fn on_connect(&mut self, client: &mut Client) -> Result<(), PostgresError>;

    /// The frontier in the progress row. It must lock that row (`SELECT ... FOR UPDATE`, or change it in
    /// `on_connect`): the server may still be working on a COMMIT of the lost connection, and only the lock
    /// waits for its end.
    ///
    /// # Errors
    /// As [`Writer::on_connect`].
    fn committed_frontier(&mut self, client: &mut Client) -> Result<u64, PostgresError>;

    /// Writes the batch and sets the progress row to `frontier`, without committing. Called again with the
    /// same batch after a retryable error, so it must leave nothing behind that `rolled_back` does not undo,
    /// and it must pass on every error of the transaction.
    ///
    /// # Errors
    /// A retryable error rolls back and tries again; any other ends the committer.
    fn write(
        &mut self,
        transaction: &mut Transaction<'_>,
        frontier: u64,
        batch: &Self::Batch,
    ) -> Result<Written, PostgresError>;

    /// The last `write` is durable. May come after `on_connect` and `committed_frontier` of a new connection,
    /// when the outcome was in doubt.
    fn committed(&mut self) {}

    /// The last `write` had no effect: forget what it put into memory (keys assigned, for example).
    fn rolled_back(&mut self) {}
}

/// How the committer behaves.
#[derive(Debug, Clone)]
pub struct CommitterOptions {
    /// Merging stops once a transaction has this weight; a batch is never split.
    pub max_weight: usize,
    /// First pause after a retryable error; it doubles with each further one.
    pub min_pause: Duration,
    /// Longest pause between retries.
    pub max_pause: Duration,
}

impl Default for CommitterOptions {
    fn default() -> Self {
        Self { max_weight: 50_000, min_pause: Duration::from_millis(50), max_pause: Duration::from_secs(5) }
    }
}

/// What the committer tells its owner, on its own thread: be quick, wake the worker.
#[derive(Debug)]
pub enum Notice<'a> {
    /// A transaction is durable.
    Committed(&'a Commit),
    /// The committer has ended; [`Committer::failure`] returns the same.
    Failed(&'a PostgresError),
}

/// The owner's handle of the group-commit thread.
///
/// [`Committer::close`] flushes; [`Committer::abandon`] gives up what is not yet committed, and so does dropping the
/// handle, which does not wait for the thread.
#[derive(Debug)]
pub struct Committer<B> {
    sender: Sender<Submission<B>>,
    /// Never used to send: the thread sees it vanish when this handle is dropped.
    alive: Sender<()>,
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
    last_submitted: AtomicU64,
}

impl<B: Batch> Committer<B> {
    /// Starts the thread, which connects at once and keeps trying while the server is away. `resume_from` is
    /// the frontier the caller's state stands for; the database's progress row must agree. What the thread
    /// logs is in the caller's span.
    ///
    /// # Errors
    /// [`PostgresError::Settings`], or [`PostgresError::Server`] when no thread can be started. Everything
    /// later shows in [`Committer::failure`].
    pub fn start<W, N>(
        settings: PostgresSettings,
        options: CommitterOptions,
        resume_from: u64,
        writer: W,
        notify: N,
    ) -> Result<Self, PostgresError>
    where
        W: Writer<Batch = B>,
        N: FnMut(Notice<'_>) + Send + 'static,
    {
        settings.check()?;
        let (sender, queue) = unbounded();
        let (alive, owner) = crossbeam_channel::bounded(0);
        let shared = Arc::new(Shared::new(resume_from));
        let thread = CommitThread {
            settings,
            options,
            writer,
            notify,
            queue,
            owner,
            shared: Arc::clone(&shared),
            client: None,
        };
        let span = tracing::Span::current();
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || span.in_scope(|| thread.run()))
            .map_err(|error| PostgresError::Server {
                doing: "starting the committer's thread",
                problem: error.to_string(),
            })?;
        Ok(Self { sender, alive, thread, shared, last_submitted: AtomicU64::new(resume_from) })
    }

    /// Hands over all changes up to `frontier`, which must be greater than the one before. Never waits; bound
    /// what is under way by watching [`Committer::durable`] or [`Statistics::queued_weight`].
    ///
    /// # Errors
    /// The committer's failure, once it has ended; [`PostgresError::FrontierOrder`].
    pub fn submit(&self, frontier: u64, batch: B) -> Result<(), PostgresError> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        let last = self.last_submitted.fetch_max(frontier, Ordering::Relaxed);
        if frontier <= last {
            return Err(PostgresError::FrontierOrder { submitted: frontier, last });
        }
        self.shared.queued(batch.weight());
        let submission = Submission { frontier, batch };
        self.sender
            .send(submission)
            .map_err(|_| self.failure().unwrap_or(PostgresError::Stopped("its thread has ended")))
    }

    /// The greatest frontier known to be committed.
    #[must_use]
    pub fn durable(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.durable)
    }

    /// Why the committer has ended, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<PostgresError> {
        self.shared.failure()
    }

    /// A view for those who watch it from elsewhere.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor(Arc::clone(&self.shared))
    }

    /// A look at what was done so far. Cheap.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }

    /// Commits everything submitted, ends the thread and returns the durable frontier. Waits as long as the
    /// database is away.
    ///
    /// # Errors
    /// The committer's failure.
    pub fn close(self) -> Result<u64, PostgresError> {
        let Self { sender, alive, thread, shared, last_submitted: _ } = self;
        drop(sender);
        let ended = thread.join();
        drop(alive);
        match (shared.failure(), ended) {
            (Some(failure), _) => Err(failure),
            (None, Err(_)) => Err(PostgresError::Stopped("its thread panicked")),
            (None, Ok(())) => Ok(shared.durable.load(Ordering::Acquire)),
        }
    }

    /// Gives up what is not yet committed, and waits until the thread has ended: a transaction under way ends before,
    /// one way or the other.
    pub fn abandon(self) {
        let Self { sender, alive, thread, .. } = self;
        drop((sender, alive));
        // A panic has shown in its failure.
        let _ = thread.join();
    }
}
