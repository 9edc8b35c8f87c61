//! Events in memory, as they lie in the partitions of a topic: in the order in which they happened.

use super::fields::Fields;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use foldhash::fast::FixedState;
use std::hash::BuildHasher;
use std::ops::Range;
use std::path::Path;
use streamflow_generator::{GeneratedEvent, GeneratorSettings, Traffic};
use streamflow_model::timestamp;

/// A day, seconds.
const DAY: f64 = 86_400.0;

/// An event.
pub struct Line {
    /// Where its JSON is.
    pub place: Range<usize>,
    /// When its record was appended, microseconds since 1970.
    pub appended_at: i64,
}

/// The events of a measurement, and the blacklist that they meet.
pub struct Events {
    /// The JSON of all events.
    pub bytes: Bytes,
    /// The events of each partition; those of a customer are in one.
    pub partitions: Vec<Vec<Line>>,
    /// List entries, each a JSON object.
    pub blacklist: Vec<Bytes>,
}

/// What is generated.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub events: u64,
    pub customers: u32,
    /// Event time from the first to the last; `None` for a thousand seconds between two of a customer, which
    /// is what the generator suits.
    pub days: Option<f64>,
    pub seed: u64,
}

impl Shape {
    fn settings(self) -> GeneratorSettings {
        let rate = match self.days {
            Some(days) => self.events as f64 / (days * DAY),
            None => f64::from(self.customers) / 1000.0,
        };
        GeneratorSettings {
            seed: self.seed,
            customers: self.customers,
            transactions_per_second: rate,
            late_rate: 0.0,
            too_late_rate: 0.0,
            duplicate_rate: 0.0,
            corrected_rate: 0.0,
            voided_rate: 0.0,
            malformed_rate: 0.0,
            ..GeneratorSettings::default()
        }
    }
}

impl Events {
    /// Generated ones: in order, each once, none corrected.
    pub fn generate(shape: Shape, partitions: usize) -> Result<Self> {
        let mut traffic = Traffic::new(shape.settings())?;
        let blacklist = traffic.population().blacklist().map(|record| Bytes::from(record.value)).collect();
        let mut collected = Collected::new(partitions);
        let mut event = GeneratedEvent::default();
        for _ in 0..shape.events {
            traffic.next_into(&mut event);
            collected.add(&event.payload, &event.key, event.due);
        }
        Ok(collected.finish(blacklist))
    }

    /// Those of files: transactions and, perhaps, list entries, one JSON object a line.
    pub fn read(path: &Path, blacklist: Option<&Path>, partitions: usize) -> Result<Self> {
        let mut collected = Collected::new(partitions);
        for (number, line) in lines_of(path)?.iter().enumerate() {
            let whose = || format!("{}: line {}", path.display(), number + 1);
            let fields: Fields<'_> = serde_json::from_slice(line).with_context(whose)?;
            let Some(at) = timestamp::parse(fields.timestamp) else {
                bail!("{}: its timestamp must be RFC 3339", whose());
            };
            collected.add(line, fields.customer_id.as_bytes(), at);
        }
        Ok(collected.finish(blacklist.map_or(Ok(Vec::new()), lines_of)?))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.partitions.iter().map(|lines| lines.len() as u64).sum()
    }
}

fn lines_of(path: &Path) -> Result<Vec<Bytes>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bytes = Bytes::from(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(|line| bytes.slice_ref(line)).collect())
}

struct Collected {
    bytes: Vec<u8>,
    partitions: Vec<Vec<Line>>,
}

impl Collected {
    fn new(partitions: usize) -> Self {
        Self { bytes: Vec::new(), partitions: (0..partitions).map(|_| Vec::new()).collect() }
    }

    fn add(&mut self, payload: &[u8], customer: &[u8], appended_at: i64) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        let partition = FixedState::default().hash_one(customer) as usize % self.partitions.len();
        self.partitions[partition].push(Line { place: start..self.bytes.len(), appended_at });
    }

    fn finish(self, blacklist: Vec<Bytes>) -> Events {
        Events { bytes: self.bytes.into(), partitions: self.partitions, blacklist }
    }
}
