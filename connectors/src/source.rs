//! The frame of all sources: a reader thread sends batches of records through a bounded channel.
//!
//! ```text
//!  reader thread ── SourceEvent ──> bounded channel ──> dataflow worker (never blocks: try_recv)
//!       │                                                   ^
//!       └──────────────────── wake ─────────────────────────┘
//! ```
//!
//! Back pressure is the channel: when it is full the reader blocks and stops reading.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{SendTimeoutError, Sender};
use streamflow_failpoint as failpoint;
use streamflow_model::dead_letter::PAYLOAD_LIMIT;
use streamflow_model::{PartitionId, Record};
use thiserror::Error;

/// Bytes that a source keeps of a record's payload, and of its key: one more than is accepted or shown, so
/// that a cut one is recognized.
pub const KEPT_BYTES: usize = PAYLOAD_LIMIT + 1;

/// How often a waiting reader checks whether it is to stop.
pub(crate) const STOP_CHECK: Duration = Duration::from_millis(100);

/// Called after each event, so that a parked worker looks at the channel: usually unparks its thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Gives the brokers' clock as of a moment ago, ms since 1970; `None` before it was first asked. It may be set
/// back.
pub type ReadClock = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// This host's clock, where no broker stamps records.
pub fn host_clock() -> ReadClock {
    Arc::new(|| Some(now_ms()))
}

/// What a source delivers.
#[derive(Debug)]
pub enum SourceEvent<T = Record> {
    /// Records, perhaps decoded, those of one partition in the order of their offsets. Never empty.
    Batch(Vec<T>),
    /// The partition has been read to its end: all records below `offset`, and all that were in it before
    /// `as_of`, have been delivered. Repeated about once a second while that is so; from files sent once.
    EndOfPartition {
        /// Which partition.
        partition: PartitionId,
        /// The partition's end: markers of transactions between the last record and it are passed.
        offset: u64,
        /// An instant of the brokers' clock, ms since 1970, at which it ended there or before; from files that
        /// of this host.
        as_of: u64,
    },
    /// The partition is ahead and waits: all records before its next one have been delivered, and that one is of
    /// this time, ms since 1970. So where all partitions have a gap, the slowest knows how far it is from the next.
    NextRecord {
        /// Which partition.
        partition: PartitionId,
        /// The next record's time, ms since 1970.
        time: i64,
    },
    /// Reading has stopped for good; the last event.
    Failed(SourceError),
}

/// Why a source stopped.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The records to start from are deleted, or not written yet. Reading on would leave a silent gap, so the
    /// operator decides: restore the topic, or begin again with an empty database. No retry.
    #[error(
        "topic {topic} partition {partition}: offset {offset} is not there, only {earliest} to {latest}; \
         restore the topic or rebuild from an empty database"
    )]
    OffsetOutOfRange {
        /// The topic's name.
        topic: String,
        /// Kafka's partition number.
        partition: u16,
        /// The offset asked for.
        offset: u64,
        /// The first available offset.
        earliest: u64,
        /// One past the last available offset.
        latest: u64,
    },
    /// Kafka refuses to let this client read. The operator grants access; no retry.
    #[error("topic {topic}: Kafka denies access ({cause}); check credentials and ACLs")]
    Denied {
        /// The topic's name.
        topic: String,
        /// Kafka's message.
        cause: String,
    },
    /// The topic or the partition is deleted, or the client has failed. Open the source again after a pause.
    #[error("topic {topic}: reading stopped: {cause}")]
    Interrupted {
        /// The topic's name.
        topic: String,
        /// Kafka's message.
        cause: String,
    },
    /// The client cannot be created: settings it does not accept, or a topic assigned twice. The user fixes
    /// it; no retry.
    #[error("cannot read from Kafka: {0}")]
    Client(String),
    /// The system has no thread left. The operator fixes it; retry.
    #[error("cannot start a reader thread: {0}")]
    Thread(io::Error),
    /// A file cannot be opened or read. The user fixes it; no retry.
    #[error("cannot read {}: {cause}", path.display())]
    File {
        /// The file; `-` is standard input.
        path: PathBuf,
        /// The system's message.
        cause: io::Error,
    },
}

impl SourceError {
    /// Whether opening the source again at the same offsets can succeed without a change by anybody.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Interrupted { .. } | Self::Thread(_))
    }
}

/// The clock, ms since 1970.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64);
    now.saturating_add_signed(failpoint::clock_offset())
}

/// The worker no longer wants events: the reader ends.
#[derive(Debug)]
pub(crate) struct Stopped;

/// The reader's end of the channel.
pub(crate) struct Outbox<T = Record> {
    pub(crate) events: Sender<SourceEvent<T>>,
    pub(crate) wake: Wake,
    pub(crate) stop: Arc<AtomicBool>,
}

impl<T> Outbox<T> {
    /// Waits until there is room, sends, wakes the worker.
    pub(crate) fn send(&self, mut event: SourceEvent<T>) -> Result<(), Stopped> {
        while let Some(unsent) = self.offer(event)? {
            event = unsent;
        }
        Ok(())
    }

    /// As [`Outbox::send`], but gives the event back where there is no room for some time.
    pub(crate) fn offer(&self, event: SourceEvent<T>) -> Result<Option<SourceEvent<T>>, Stopped> {
        if self.is_stopped() {
            return Err(Stopped);
        }
        if failpoint::is_stalled(failpoint::SOURCE) {
            std::thread::sleep(STOP_CHECK);
            return Ok(Some(event));
        }
        match self.events.send_timeout(event, STOP_CHECK) {
            Ok(()) => {
                (self.wake)();
                Ok(None)
            }
            Err(SendTimeoutError::Timeout(unsent)) => Ok(Some(unsent)),
            Err(SendTimeoutError::Disconnected(_)) => Err(Stopped),
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
