//! The brokers' clock, as a broker has just stamped it on a record.
//!
//! What a clock makes final stays final, so no host's clock may decide it: one that is ahead would make
//! everything too late. Once a second a marker is appended to a topic with LogAppendTime. Its time is not after
//! that of any record that is appended later, as far as the brokers' clocks agree.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{Message as _, Timestamp};

use super::client::Logging;
use super::error::KafkaError;
use super::settings::KafkaSettings;
use crate::repeats::Repeats;
use crate::source::ReadClock;

const EVERY: Duration = Duration::from_secs(1);

/// A marker that takes longer to be acknowledged is given up; the next one is as good.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);

/// How often a wait for an acknowledgement checks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Reads the brokers' clock once a second, on a thread of its own, until it is dropped.
pub struct BrokerClock {
    /// Ms since 1970; 0 before the first.
    reading: Arc<AtomicU64>,
    /// Never used to send: the thread ends when this is dropped.
    owner: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BrokerClock {
    /// Begins to append markers to partition 0 of `topic`. Brokers and a topic that are not there are waited
    /// for.
    ///
    /// # Errors
    /// [`KafkaError::Settings`], [`KafkaError::Client`]; [`KafkaError::Thread`] where no thread can be started.
    pub fn start(settings: &KafkaSettings, topic: &str) -> Result<Self, KafkaError> {
        let mut config = settings.producer_config()?;
        config
            .set("linger.ms", "0")
            .set("message.timeout.ms", ACKNOWLEDGED_WITHIN.as_millis().to_string())
            .set("compression.type", "none");
        let producer = config.create_with_context(Stamps::default()).map_err(KafkaError::Client)?;
        let reading = Arc::new(AtomicU64::new(0));
        let (owner, ended) = bounded(0);
        let markers = Markers { producer, topic: topic.to_owned(), ended, reading: Arc::clone(&reading) };
        let thread = std::thread::Builder::new()
            .name("broker clock".to_owned())
            .spawn(move || markers.run())
            .map_err(KafkaError::Thread)?;
        Ok(Self { reading, owner: Some(owner), thread: Some(thread) })
    }

    /// Gives the latest reading, at most a few seconds old while Kafka answers.
    pub fn read(&self) -> ReadClock {
        let reading = Arc::clone(&self.reading);
        Arc::new(move || Some(reading.load(Ordering::Relaxed)).filter(|reading| *reading > 0))
    }
}

impl Drop for BrokerClock {
    fn drop(&mut self) {
        drop(self.owner.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread is reported on standard error.
            let _ = thread.join();
        }
    }
}

struct Markers {
    producer: BaseProducer<Stamps>,
    topic: String,
    ended: Receiver<()>,
    reading: Arc<AtomicU64>,
}

impl Markers {
    fn run(self) {
        let mut pace = Pace::default();
        let mut failures = Repeats::default();
        loop {
            if let Some(stamp) = self.stamp() {
                self.reading.store(pace.follow(stamp, Instant::now()), Ordering::Relaxed);
            } else if let Some(left_out) = failures.note((), Instant::now()) {
                let message = "no broker stamps a marker: idle partitions hold the watermark back";
                tracing::warn!(topic = self.topic, left_out, "{message}");
            }
            if self.ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Appends a marker and waits for the time that the broker gives it, ms since 1970.
    fn stamp(&self) -> Option<u64> {
        let record: BaseRecord<'_, str, str> = BaseRecord::to(&self.topic).partition(0).key("clock");
        // What is wrong shows in the client's own log, and the next marker tries again.
        self.producer.send(record).ok()?;
        let stamps = self.producer.context();
        let begun = Instant::now();
        loop {
            self.producer.poll(LOOK_EVERY);
            let outcome = stamps.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
            match outcome {
                Some(stamp) => return stamp,
                None if begun.elapsed() > 2 * ACKNOWLEDGED_WITHIN => return None,
                None if self.ended.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected) => {
                    return None;
                }
                None => {}
            }
        }
    }
}

/// Follows stamps at most twice as fast as time passes on this host: when a broker's clock jumps forward, the
/// reading gains on it slowly, and little is lost until it is set right.
#[derive(Default)]
struct Pace(Option<(u64, Instant)>);

impl Pace {
    fn follow(&mut self, stamp: u64, now: Instant) -> u64 {
        let most = self.0.map_or(u64::MAX, |(reading, since)| {
            reading.saturating_add(2 * now.duration_since(since).as_millis() as u64)
        });
        let reading = stamp.min(most);
        self.0 = Some((reading, now));
        reading
    }
}

/// Takes the acknowledged marker's time.
#[derive(Default)]
struct Stamps {
    /// Of the last marker: its time, or none where it failed.
    outcome: Mutex<Option<Option<u64>>>,
    logging: Logging,
}

impl ClientContext for Stamps {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logging.log(level, facility, message);
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.logging.error(error, reason);
    }
}

impl ProducerContext for Stamps {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let stamp = match result {
            Ok(marker) => match marker.timestamp() {
                Timestamp::LogAppendTime(time) => u64::try_from(time).ok(),
                Timestamp::CreateTime(_) | Timestamp::NotAvailable => None,
            },
            Err(_) => None,
        };
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(stamp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_is_followed_slowly_and_one_set_back_at_once() {
        let begun = Instant::now();
        let mut pace = Pace::default();
        let mut follow = |stamp, seconds| pace.follow(stamp, begun + Duration::from_secs(seconds));
        assert_eq!(follow(1_000_000, 0), 1_000_000);
        assert_eq!(follow(1_001_050, 1), 1_001_050);
        // Two hours ahead.
        assert_eq!(follow(8_202_000, 2), 1_003_050);
        assert_eq!(follow(8_203_000, 3), 1_005_050);
        assert_eq!(follow(1_004_000, 4), 1_004_000);
        // This host slept for a minute.
        assert_eq!(follow(1_065_000, 5), 1_006_000);
        assert_eq!(follow(1_126_000, 66), 1_126_000);
    }
}
