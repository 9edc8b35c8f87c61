//! Gathers records into batches. Payloads are copied into chunks that many records share, so that there is
//! one allocation for a thousand records and not two for each.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rdkafka::Message;
use rdkafka::message::Timestamp;
use streamflow_model::{PartitionId, Record, Source};

use super::settings::SourceSettings;
use crate::source::KEPT_BYTES;

/// A chunk lives as long as any record in it, so it is not much larger than what arrives together.
const CHUNK_BYTES: usize = 256 * 1024;

/// The batch being gathered.
pub(super) struct BatchBuilder {
    records: Vec<Record>,
    bytes: usize,
    due: Option<Instant>,
    chunk: BytesMut,
    max_records: usize,
    max_bytes: usize,
    linger: Duration,
}

impl BatchBuilder {
    pub(super) fn new(settings: &SourceSettings) -> Self {
        Self {
            records: Vec::new(),
            bytes: 0,
            due: None,
            chunk: BytesMut::new(),
            max_records: settings.batch_records,
            max_bytes: settings.batch_bytes,
            linger: Duration::from_millis(settings.linger_ms),
        }
    }

    /// Copies a message into the batch.
    pub(super) fn push(&mut self, partition: PartitionId, offset: u64, message: &impl Message) {
        let payload = message.payload();
        let key = message.key().map(|key| self.copy(cut(key)));
        let kept = payload.map(|payload| self.copy(cut(payload)));
        self.bytes += key.as_ref().map_or(0, Bytes::len) + kept.as_ref().map_or(0, Bytes::len);
        self.due.get_or_insert_with(|| Instant::now() + self.linger);
        self.records.push(Record {
            source: Source::new(partition, offset),
            appended_at: microseconds(message.timestamp()),
            key,
            payload: kept,
            full_length: payload.map_or(0, <[u8]>::len) as u64,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// When the batch is due: at once where it is full, some milliseconds after its first record otherwise,
    /// never while it is empty.
    pub(super) fn due(&self, now: Instant) -> Option<Duration> {
        if self.records.len() >= self.max_records || self.bytes >= self.max_bytes {
            return Some(Duration::ZERO);
        }
        Some(self.due?.saturating_duration_since(now))
    }

    /// The records gathered; the next batch begins empty.
    pub(super) fn take(&mut self) -> Vec<Record> {
        self.bytes = 0;
        self.due = None;
        let next = Vec::with_capacity(self.records.len());
        std::mem::replace(&mut self.records, next)
    }

    fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if self.chunk.capacity() < bytes.len() {
            self.chunk = BytesMut::with_capacity(CHUNK_BYTES.max(bytes.len()));
        }
        self.chunk.extend_from_slice(bytes);
        self.chunk.split().freeze()
    }
}

fn cut(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(KEPT_BYTES)]
}

fn microseconds(timestamp: Timestamp) -> Option<i64> {
    timestamp.to_millis().filter(|ms| *ms >= 0).map(|ms| ms.saturating_mul(1_000))
}
