//! A file as a source.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use streamflow_model::{PartitionId, Record};

use super::input::text_of;
use super::lines::Lines;
use super::reader::{End, Reader};
use crate::source::{Outbox, SourceError, SourceEvent, Wake};

/// How a file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// Lines whose records make one batch, at least 1.
    pub batch_lines: u64,
    /// Bytes of the chunks that lines are slices of, at least 1.
    pub chunk_bytes: usize,
    /// Batches that wait for the worker at most; then reading pauses.
    pub queued_batches: usize,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self { batch_lines: 4_096, chunk_bytes: 1 << 20, queued_batches: 2 }
    }
}

/// Reads the lines of a file as records of one partition; stops when dropped.
///
/// Its thread is not waited for: a read from a terminal or a pipe can take for ever.
///
/// Records are converted on its thread, so that decoding runs beside the worker.
pub struct FileSource<T = Record> {
    events: Receiver<SourceEvent<T>>,
    stop: Arc<AtomicBool>,
}

impl<T: From<Record> + Send + 'static> FileSource<T> {
    /// Opens `path` (`-` is standard input) and starts to read.
    ///
    /// # Errors
    /// [`SourceError::File`] where it cannot be opened, [`SourceError::Thread`].
    pub fn start(
        path: &Path,
        partition: PartitionId,
        settings: &FileSettings,
        wake: &Wake,
    ) -> Result<Self, SourceError> {
        let input: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let cannot_open = |cause| SourceError::File { path: path.to_owned(), cause };
            Box::new(File::open(path).map_err(cannot_open)?)
        };
        let (sender, events) = bounded(settings.queued_batches);
        let stop = Arc::new(AtomicBool::new(false));
        let outbox = Outbox { events: sender, wake: Arc::clone(wake), stop: Arc::clone(&stop) };
        let (path, settings) = (path.to_owned(), settings.clone());
        let read = move || {
            let outcome = text_of(input).map_err(End::Failed).and_then(|text| {
                let lines = Lines::new(text, settings.chunk_bytes.max(1));
                let batch_lines = settings.batch_lines.max(1);
                Reader { lines, partition, batch_lines, outbox: &outbox }.run()
            });
            if let Err(End::Failed(cause)) = outcome {
                // The worker may have dropped the source.
                let _ = outbox.send(SourceEvent::Failed(SourceError::File { path, cause }));
            }
        };
        thread::Builder::new().name("read file".to_owned()).spawn(read).map_err(SourceError::Thread)?;
        Ok(Self { events, stop })
    }

    /// What has been read: batches, then [`SourceEvent::EndOfPartition`] with the number of lines, or
    /// [`SourceEvent::Failed`]; disconnected after that.
    pub fn events(&self) -> &Receiver<SourceEvent<T>> {
        &self.events
    }
}

impl<T> Drop for FileSource<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
