//! The thread itself: gather, write, commit; reconnect and resolve doubt when the connection breaks.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, select_biased};
use postgres::Client;
use tracing::field;

use super::statistics::{Commit, Shared};
use super::{Batch, CommitterOptions, Notice, Writer, Written};
use crate::outage::{Outage, Pauses, Words};
use crate::postgres::connect::connect;
use crate::postgres::error::PostgresError;
use crate::postgres::settings::PostgresSettings;
use streamflow_failpoint as failpoint;

/// A batch on its way to the thread.
pub(super) struct Submission<B> {
    pub(super) frontier: u64,
    pub(super) batch: B,
}

/// What one transaction writes.
struct Pending<B> {
    frontier: u64,
    batch: B,
    batches: usize,
    /// The sum of the submissions' weights, as they were counted into the queue.
    weight: usize,
}

/// Why the thread ends before its queue does.
enum End {
    /// The owner dropped its handle.
    Abandoned,
    Failed(PostgresError),
}

impl From<PostgresError> for End {
    fn from(error: PostgresError) -> Self {
        Self::Failed(error)
    }
}

/// How an attempt ended that did not succeed.
enum Failure {
    RolledBack(PostgresError),
    /// The connection broke during COMMIT; what was written counts only if it took effect.
    InDoubt(PostgresError, Written),
}

pub(super) struct CommitThread<W: Writer, N> {
    pub(super) settings: PostgresSettings,
    pub(super) options: CommitterOptions,
    pub(super) writer: W,
    pub(super) notify: N,
    pub(super) queue: Receiver<Submission<W::Batch>>,
    /// Disconnected once the owner is gone; nothing is ever sent.
    pub(super) owner: Receiver<()>,
    pub(super) shared: Arc<Shared>,
    pub(super) client: Option<Client>,
}

impl<W, N> CommitThread<W, N>
where
    W: Writer,
    N: FnMut(Notice<'_>) + Send + 'static,
{
    pub(super) fn run(mut self) {
        let guard = PanicGuard(Arc::clone(&self.shared));
        match self.serve() {
            Ok(()) | Err(End::Abandoned) => {}
            Err(End::Failed(error)) => {
                tracing::error!(%error, "the committer stops");
                self.shared.fail(error.clone());
                (self.notify)(Notice::Failed(&error));
            }
        }
        self.shared.disconnected();
        drop(guard);
    }

    fn serve(&mut self) -> Result<(), End> {
        // Connect before there is work: the lease is taken and bad settings show at once.
        let mut outage = self.outage();
        while let Err(error) = self.reconnect(None) {
            self.wait(&mut outage, error)?;
        }
        outage.over();
        while let Some(pending) = self.gather()? {
            self.commit(&pending)?;
        }
        Ok(())
    }

    /// Waits for a submission and takes all that have queued up behind it; none once the queue is closed.
    fn gather(&self) -> Result<Option<Pending<W::Batch>>, End> {
        let first = select_biased! {
            recv(self.owner) -> _ => return Err(End::Abandoned),
            recv(self.queue) -> submission => submission,
        };
        let Ok(Submission { frontier, batch }) = first else {
            return Ok(None);
        };
        let mut pending = Pending { frontier, weight: batch.weight(), batch, batches: 1 };
        while pending.weight < self.options.max_weight {
            let Ok(Submission { frontier, batch }) = self.queue.try_recv() else {
                break;
            };
            pending.frontier = frontier;
            pending.weight += batch.weight();
            pending.batch.merge(batch);
            pending.batches += 1;
        }
        Ok(Some(pending))
    }

    /// Returns once `pending` is durable.
    fn commit(&mut self, pending: &Pending<W::Batch>) -> Result<(), End> {
        let span = tracing::info_span!("commit", frontier = pending.frontier, rows = field::Empty);
        let _entered = span.enter();
        let started = Instant::now();
        self.shared.committing();
        failpoint::wait_while_stalled(failpoint::BEFORE_COMMIT);
        let mut outage = self.outage();
        let mut in_doubt = None;
        let written = loop {
            let error = if self.client.is_some() {
                match self.attempt(pending) {
                    Ok(written) => break written,
                    Err(Failure::RolledBack(error)) => {
                        self.writer.rolled_back();
                        error
                    }
                    Err(Failure::InDoubt(error, written)) => {
                        in_doubt = Some(written);
                        error
                    }
                }
            } else {
                match self.reconnect(in_doubt.is_some().then_some(pending.frontier)) {
                    Ok(frontier) => {
                        match in_doubt.take() {
                            Some(written) if frontier == pending.frontier => break written,
                            Some(_) => self.writer.rolled_back(),
                            None => {}
                        }
                        continue;
                    }
                    Err(error) => error,
                }
            };
            if matches!(error, PostgresError::Unavailable { .. }) {
                self.client = None;
                self.shared.disconnected();
            }
            self.wait(&mut outage, error)?;
        };
        span.record("rows", written.rows.iter().map(|(_, rows)| rows).sum::<u64>());
        outage.over();
        tracing::debug!(took = ?started.elapsed(), "committed");
        self.writer.committed();
        let commit =
            Commit { frontier: pending.frontier, batches: pending.batches, took: started.elapsed(), written };
        self.shared.committed(&commit, pending.weight);
        (self.notify)(Notice::Committed(&commit));
        Ok(())
    }

    fn attempt(&mut self, pending: &Pending<W::Batch>) -> Result<Written, Failure> {
        let Some(client) = &mut self.client else {
            let error = PostgresError::Stopped("it has no connection");
            return Err(Failure::RolledBack(error));
        };
        let mut transaction = client
            .transaction()
            .map_err(|error| Failure::RolledBack(PostgresError::during("beginning a transaction", &error)))?;
        // An error drops the transaction, which rolls it back.
        let written = self
            .writer
            .write(&mut transaction, pending.frontier, &pending.batch)
            .map_err(Failure::RolledBack)?;
        failpoint::pass(failpoint::BEFORE_POSTGRES_COMMIT);
        failpoint::enter(failpoint::DURING_POSTGRES_COMMIT);
        match transaction.commit() {
            Ok(()) => {
                failpoint::pass(failpoint::AFTER_POSTGRES_COMMIT);
                Ok(written)
            }
            Err(error) => match PostgresError::during("committing", &error) {
                lost @ PostgresError::Unavailable { .. } => Err(Failure::InDoubt(lost, written)),
                refused => Err(Failure::RolledBack(refused)),
            },
        }
    }

    /// Makes a connection and returns the frontier in the database: the durable one or the one in doubt.
    fn reconnect(&mut self, in_doubt: Option<u64>) -> Result<u64, PostgresError> {
        let mut client = connect(&self.settings)?;
        self.writer.on_connect(&mut client)?;
        let found = self.writer.committed_frontier(&mut client)?;
        let durable = self.shared.durable();
        if found != durable && Some(found) != in_doubt {
            return Err(PostgresError::Fenced(format!(
                "progress is at frontier {found}, expected {durable}; \
                 another process has written or an older state was restored, restart from there"
            )));
        }
        self.client = Some(client);
        self.shared.connected();
        Ok(found)
    }

    fn outage(&self) -> Outage {
        let CommitterOptions { min_pause, max_pause, .. } = self.options;
        let words = Words { wait: "commits wait", go_on: "commits go on" };
        Outage::new(words, Pauses { shortest: min_pause, longest: max_pause })
    }

    /// Pauses before a retry; ends when the error is final or the owner is gone.
    fn wait(&self, outage: &mut Outage, error: PostgresError) -> Result<(), End> {
        if !error.is_retryable() {
            return Err(End::Failed(error));
        }
        self.shared.retried();
        match self.owner.recv_timeout(outage.note(&error)) {
            Err(RecvTimeoutError::Disconnected) => Err(End::Abandoned),
            Ok(()) | Err(RecvTimeoutError::Timeout) => Ok(()),
        }
    }
}

/// A panic must not leave the owner waiting for a frontier that never comes.
struct PanicGuard(Arc<Shared>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(PostgresError::Stopped("its thread panicked"));
        }
    }
}
