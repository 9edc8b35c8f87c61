//! Files as sources: every line once, batches that depend on the file alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use streamflow_connectors::file::{FileSettings, FileSource};
use streamflow_connectors::source::{SourceError, SourceEvent, Wake};
use streamflow_model::{PartitionId, Record};

const WITHIN: Duration = Duration::from_secs(10);

fn no_wake() -> Wake {
    Arc::new(|| {})
}

fn partition() -> PartitionId {
    PartitionId::new(3, 0).unwrap()
}

/// All batches and the number of lines.
fn read(path: &Path, settings: &FileSettings) -> (Vec<Vec<Record>>, u64) {
    let source = FileSource::<Record>::start(path, partition(), settings, &no_wake()).unwrap();
    let mut batches = Vec::new();
    loop {
        match source.events().recv_timeout(WITHIN).unwrap() {
            SourceEvent::Batch(batch) => batches.push(batch),
            SourceEvent::NextRecord { .. } => {}
            SourceEvent::EndOfPartition { offset, .. } => return (batches, offset),
            SourceEvent::Failed(error) => panic!("{error}"),
        }
    }
}

#[test]
fn batches_hold_the_same_lines_at_any_speed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let lines: Vec<String> =
        (0..1_000).map(|n| if n % 7 == 3 { String::new() } else { format!("{{\"n\":{n}}}") }).collect();
    fs::write(&path, lines.join("\r\n")).unwrap();

    for chunk_bytes in [1, 13, 1 << 20] {
        let settings = FileSettings { batch_lines: 64, chunk_bytes, queued_batches: 2 };
        let (batches, end) = read(&path, &settings);
        assert_eq!(end, 1_000);
        assert_eq!(batches.len(), 1_000_usize.div_ceil(64));
        for (number, batch) in batches.iter().enumerate() {
            assert!(batch.iter().all(|record| record.source.offset() / 64 == number as u64));
        }
        let records: Vec<Record> = batches.into_iter().flatten().collect();
        assert_eq!(records.len(), lines.iter().filter(|line| !line.is_empty()).count());
        for record in records {
            let line = &lines[usize::try_from(record.source.offset()).unwrap()];
            assert_eq!(record.source.partition(), partition());
            assert_eq!(record.payload.unwrap(), line.as_bytes());
            assert_eq!((record.appended_at, record.key, record.full_length), (None, None, line.len() as u64));
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let settings = FileSettings::default();
    let missing = FileSource::<Record>::start(Path::new("/no/such/file"), partition(), &settings, &no_wake());
    assert!(matches!(missing, Err(SourceError::File { .. })));
    // A directory can be opened but not read.
    let directory = tempfile::tempdir().unwrap();
    let source = FileSource::<Record>::start(directory.path(), partition(), &settings, &no_wake()).unwrap();
    let event = source.events().recv_timeout(WITHIN).unwrap();
    assert!(matches!(event, SourceEvent::Failed(SourceError::File { .. })));
}
