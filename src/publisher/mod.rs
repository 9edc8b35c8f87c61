//! The publisher sends committed changes to Kafka, each exactly once for consumers that read committed
//! records.
//!
//! ```text
//!  PostgreSQL ── Reader: rows after a position ──> Batch ──┐ one Kafka transaction
//!     ^                                                    ├──> fraud.alerts, streamflow.dlq, metrics.realtime
//!     └── Position <── Session <── progress record <───────┴──> streamflow.progress: the position after the batch
//! ```
//!
//! Law: the progress record and the messages that it covers become visible together. So a publisher that
//! fences its predecessor and then reads the record knows exactly what consumers have, and continues from
//! there.
//!
//! Every error is handled in the same way: the session is dropped and another opened. The publisher waits for
//! Kafka and PostgreSQL as long as they are away. It ends when a newer process has taken over: the lease in
//! PostgreSQL shows that before a session is opened, Kafka at the latest at the commit.

mod alerts;
mod batch;
mod dead_letters;
mod error;
mod metrics;
mod record;
pub mod reset;
mod session;
mod status;
#[cfg(test)]
mod tests;

pub use error::PublisherError;
pub use record::published;
pub use status::{Published, PublisherState, PublisherStatus};

use crate::config::Config;
use anyhow::{Context, Result};
use batch::{Position, Reader, check_lease};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, select};
use postgres::Client;
use session::{PATIENCE, Session, TRANSACTION_TIMEOUT};
use status::Sent;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use streamflow_connectors::kafka::{KafkaError, TopicAdmin};
use streamflow_connectors::outage::{Outage, Pauses, Words};
use streamflow_connectors::postgres::connect;
use streamflow_medallion::outbox::{Committed, Limits, Outbox};
use streamflow_model::timestamp::SECOND;
use tracing::{Span, field};

const WORDS: Words = Words { wait: "publishing waits", go_on: "publishing goes on" };

/// The pause between attempts to reach Kafka or PostgreSQL.
const PAUSES: Pauses = Pauses { shortest: Duration::from_millis(50), longest: Duration::from_secs(5) };

/// Creates missing topics.
///
/// # Errors
/// Kafka does not answer, or refuses to create a topic.
pub fn create_topics(config: &Config) -> Result<(), KafkaError> {
    let topics = TopicAdmin::connect(&config.kafka)?;
    let mut missing = Vec::new();
    // Asked one by one, because a client that may not create topics need not where there are all.
    for topic in config.topics.outputs() {
        match topics.partitions(&topic.name) {
            Ok(partitions) if topic.name == config.topics.progress && partitions > 1 => {
                return Err(KafkaError::SeveralPartitions {
                    topic: topic.name,
                    partitions: partitions.into(),
                });
            }
            Ok(_) => {}
            Err(KafkaError::MissingTopic(_)) => missing.push(topic),
            Err(error) => return Err(error),
        }
    }
    if !missing.is_empty() {
        let created = topics.create_missing(&missing)?;
        tracing::info!(?created, "topics were created");
    }
    if config.pipeline.require_log_append_time {
        topics.require_log_append_time(&config.topics.clock)?;
    }
    Ok(())
}

/// The owner's handle of the publisher's thread. Dropping it stops the publisher without waiting.
pub struct Publishing {
    /// Never used to send: the thread ends when this is dropped.
    owner: Sender<()>,
    thread: JoinHandle<()>,
}

impl Publishing {
    /// Starts the thread. `lease` is what was committed when the lease was taken. `failed` is called if it ends because of
    /// an error.
    pub fn start(
        config: &Config,
        lease: Committed,
        status: Arc<PublisherStatus>,
        failed: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self> {
        let (owner, stop) = bounded(0);
        let mut publisher = Publisher::new(config.clone(), lease, status, stop);
        let run = move || {
            // A panic must not leave a pipeline that looks well and publishes nothing.
            match catch_unwind(AssertUnwindSafe(|| publisher.run())) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed(error.to_string()),
                Err(_) => failed("it panicked".to_owned()),
            }
        };
        let thread = std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(run)
            .context("cannot start the publisher's thread")?;
        Ok(Self { owner, thread })
    }

    /// Stops the publisher after the current transaction. The rest is sent after the next start.
    pub fn close(self) {
        drop(self.owner);
        // Its panics were reported as failures.
        let _ = self.thread.join();
    }
}

/// What the publisher waits for before it goes on.
#[derive(Clone, Copy)]
enum Wait {
    Nothing,
    /// New rows, or the next poll: those of windows, and of another process, are not told.
    Rows,
    Pause(Duration),
}

struct Publisher {
    config: Config,
    generation: i64,
    /// What was committed when the lease was taken; `None` once the first session has been opened.
    at_lease: Option<Committed>,
    status: Arc<PublisherStatus>,
    /// Disconnected once the owner is gone; nothing is ever sent.
    stop: Receiver<()>,
    /// Receives something after rows have been committed in this process.
    news: Receiver<()>,
    reader: Reader,
    client: Option<Client>,
    session: Option<Session>,
}

impl Publisher {
    fn new(config: Config, lease: Committed, status: Arc<PublisherStatus>, stop: Receiver<()>) -> Self {
        let settings = &config.publisher;
        let limits = Limits { rows: settings.batch_records.into(), bytes: settings.batch_bytes.into() };
        let horizon = i64::from(config.correction_horizon_seconds) * SECOND;
        let interval = Duration::from_millis(settings.metrics_interval_ms);
        let reader = Reader::new(limits, horizon, interval);
        let news = status.news();
        let generation = lease.generation;
        let at_lease = Some(lease);
        Self { config, generation, at_lease, status, stop, news, reader, client: None, session: None }
    }

    /// Publishes until it is stopped.
    ///
    /// # Errors
    /// Errors that waiting cannot resolve.
    fn run(&mut self) -> Result<(), PublisherError> {
        let mut outage = Outage::new(WORDS, PAUSES);
        let mut wait = Wait::Nothing;
        while !self.is_stopped(wait) {
            let span =
                tracing::info_span!("publishing", generation = self.generation, records = field::Empty);
            let _entered = span.enter();
            wait = match self.step() {
                Ok(has_more) => {
                    outage.over();
                    if has_more { Wait::Nothing } else { Wait::Rows }
                }
                Err(error) if error.is_retryable() => {
                    self.forget(&error);
                    self.status.retrying(&error);
                    Wait::Pause(outage.note(&error))
                }
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    /// Waits, and returns whether the owner is gone.
    fn is_stopped(&self, wait: Wait) -> bool {
        let poll = Duration::from_millis(self.config.publisher.poll_ms);
        match wait {
            Wait::Nothing => self.stop.try_recv() == Err(TryRecvError::Disconnected),
            Wait::Pause(pause) => self.stop.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected),
            Wait::Rows => select! {
                recv(self.stop) -> _ => true,
                recv(self.news) -> _ => false,
                default(poll) => false,
            },
        }
    }

    /// Publishes a batch if there is one; returns whether there is more.
    fn step(&mut self) -> Result<bool, PublisherError> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(connect(&self.config.postgres)?),
        };
        let session = match &mut self.session {
            Some(session) => session,
            none => {
                let session = take_over(&self.config, self.generation, client)?;
                // Whatever was published was committed before the lease was taken, unless an older state was restored.
                if let Some(at_lease) = &self.at_lease {
                    record::check(&session.position().progress, at_lease)?;
                    self.at_lease = None;
                    self.status.confirm();
                }
                none.insert(session)
            }
        };
        let batch = self.reader.next(client, self.generation, session.position())?;
        let (has_more, frontier) = (batch.has_more, batch.frontier);
        if batch.is_empty() {
            session.pass(batch.after);
        } else {
            let sent = Sent::of(&batch);
            Span::current().record("records", sent.alerts + sent.dead_letters + sent.windows);
            session.prepare(&batch)?;
            session.commit(batch, PATIENCE)?;
            self.status.sent(&sent);
            tracing::debug!("acknowledged");
        }
        self.status.reached(&session.position().progress, (!has_more).then_some(frontier));
        Ok(has_more)
    }

    /// Drops the connections that the error has made unusable.
    fn forget(&mut self, error: &PublisherError) {
        match error {
            PublisherError::Postgres(_) => self.client = None,
            _ => self.session = None,
        }
    }
}

/// Opens a session, unless a newer process holds the lease, which must not be fenced.
fn take_over(config: &Config, generation: i64, client: &mut Client) -> Result<Session, PublisherError> {
    check_lease(Outbox::open(client)?.committed(), generation)?;
    let session = Session::open(config, TRANSACTION_TIMEOUT)?;
    let Position { progress, .. } = session.position();
    tracing::info!(?progress, "publishing goes on from here");
    Ok(session)
}
