//! Flow control: whether more may be read, and of which topic.
//!
//! What may be in flight is bounded by time (the [`Window`]), and by the limits of records, bytes and memory. The topics
//! that have something to read share it: one with a backlog, a load of reference records for example, takes no room
//! from the others, so it delays no transaction by more than a commit.

use super::in_flight::{InFlight, Settled};
use super::memory_limit::MemoryLimit;
use super::window::Window;
use crate::config::PipelineSettings;
use anyhow::Result;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSource, TopicEvents};
use streamflow_connectors::source::SourceEvent;

/// Flow control of one worker.
pub struct Flow {
    pub in_flight: InFlight,
    window: Window,
    memory_limit: MemoryLimit,
    /// Bytes in flight at which reading stops.
    most_bytes: u64,
    /// Since when a topic has been held back.
    held_since: Option<Instant>,
    /// The total of earlier times.
    held: Duration,
}

impl Flow {
    pub fn new(settings: &PipelineSettings) -> Self {
        let target = Duration::from_millis(settings.commit_target_ms);
        Self {
            in_flight: InFlight::default(),
            window: Window::new(settings.uncommitted_records, target),
            memory_limit: MemoryLimit::new(settings.memory_limit_mib),
            most_bytes: settings.uncommitted_mib << 20,
            held_since: None,
            held: Duration::ZERO,
        }
    }

    /// Records that may be in flight.
    pub fn window(&self) -> u64 {
        self.window.records()
    }

    /// The total time for which a topic with something to read was held back.
    pub fn paused(&self) -> Duration {
        self.held + self.held_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// How many records each topic may have in flight now; 0 where nothing may be read.
    ///
    /// # Errors
    /// Memory is above its limit, and pausing cannot help.
    pub fn share(&mut self, source: &KafkaSource) -> Result<u64> {
        let has_memory = self.memory_limit.has_room(self.in_flight.records())?;
        let is_busy =
            |topic: &&TopicEvents| self.is_ready(topic) || self.in_flight.of_topic(topic.number) > 0;
        let busy = source.topics().iter().filter(is_busy).count().max(1) as u64;
        let share = match has_memory && self.in_flight.bytes() < self.most_bytes {
            true => (self.window.records() / busy).max(1),
            false => 0,
        };
        let is_held = |topic: &TopicEvents| self.is_ready(topic) && !self.has_room(topic, share);
        if source.topics().iter().any(is_held) {
            self.held_since.get_or_insert_with(Instant::now);
        } else {
            self.held = self.paused();
            self.held_since = None;
        }
        Ok(share)
    }

    /// The next event: of the topics that have one and room for it, that with the fewest records in flight.
    pub fn next(&self, source: &KafkaSource, share: u64) -> Option<SourceEvent> {
        let ready =
            source.topics().iter().filter(|topic| self.is_ready(topic) && self.has_room(topic, share));
        let topic = ready.min_by_key(|topic| self.in_flight.of_topic(topic.number))?;
        topic.events.try_recv().ok()
    }

    /// Follows the rate of what has become durable.
    pub fn follow(&mut self, settled: &Settled) {
        self.window.follow(settled.delivery);
    }

    fn is_ready(&self, topic: &TopicEvents) -> bool {
        !topic.events.is_empty()
    }

    fn has_room(&self, topic: &TopicEvents, share: u64) -> bool {
        self.in_flight.of_topic(topic.number) < share
    }
}
