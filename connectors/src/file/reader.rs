//! The reader thread of one file.

use std::io::{self, Read};

use streamflow_model::{PartitionId, Record, Source};

use super::lines::{Line, Lines};
use crate::source::{Outbox, SourceEvent, Stopped, now_ms};

/// Reads one input to its end.
pub(super) struct Reader<'a, R, T> {
    pub(super) lines: Lines<R>,
    pub(super) partition: PartitionId,
    pub(super) batch_lines: u64,
    pub(super) outbox: &'a Outbox<T>,
}

/// Why reading ends before the end.
pub(super) enum End {
    /// The worker has dropped the source.
    Stopped,
    /// The input cannot be read.
    Failed(io::Error),
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl<R: Read, T: From<Record>> Reader<'_, R, T> {
    /// Sends all batches, then the end.
    pub(super) fn run(&mut self) -> Result<(), End> {
        let mut number = 0;
        let mut batch = Vec::new();
        while let Some(line) = self.lines.next_line()? {
            if line.length > 0 {
                batch.push(self.record(number, line).into());
            }
            number += 1;
            if number.is_multiple_of(self.batch_lines) {
                self.send(&mut batch)?;
            }
        }
        self.send(&mut batch)?;
        let end = SourceEvent::EndOfPartition { partition: self.partition, offset: number, as_of: now_ms() };
        Ok(self.outbox.send(end)?)
    }

    fn send(&self, batch: &mut Vec<T>) -> Result<(), Stopped> {
        if batch.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(batch.len());
        self.outbox.send(SourceEvent::Batch(std::mem::replace(batch, next)))
    }

    fn record(&self, number: u64, line: Line) -> Record {
        Record {
            source: Source::new(self.partition, number),
            // A file has no broker: the event's own time is used instead.
            appended_at: None,
            key: None,
            payload: Some(line.kept),
            full_length: line.length,
        }
    }
}
