//! Lines of event files, as they stand in them and as the oracle is given them.

use crate::traffic::NOW;
use serde_json::Value;
use std::path::Path;
use streamflow_oracle::{Oracle, OracleSettings, RawEvent, RuleSet, TopicRole};

const HOUR: i64 = 3_600_000_000;
/// A batch of a file is an epoch.
const BATCH_LINES: u64 = 4096;
/// What the topics of a replay hold, by their place.
const ROLES: [TopicRole; 5] = [
    TopicRole::Transactions,
    TopicRole::Customers,
    TopicRole::Stores,
    TopicRole::Products,
    TopicRole::Blacklist,
];
const BLACKLIST: u16 = 4;

/// A line of a file of transactions.
#[derive(Clone, Debug)]
pub struct Line {
    /// Without the line's end.
    pub bytes: Vec<u8>,
    /// Event time, microseconds since 1970; that of the line before where it tells none that can be read.
    pub time: i64,
    /// Where it tells one.
    pub customer: Option<String>,
}

impl Line {
    /// All lines of a file.
    pub fn read(file: &Path) -> Vec<Self> {
        let mut time = 0;
        let bytes = std::fs::read(file).unwrap();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let event: Value = serde_json::from_slice(line).unwrap_or_default();
                let told = event["timestamp"].as_str().and_then(instant);
                // A century ahead is one of the generator's defects.
                time = told.filter(|told| *told < time + 1000 * HOUR || time == 0).unwrap_or(time);
                let customer = event["customer_id"].as_str().map(str::to_owned);
                Self { bytes: line.to_vec(), time, customer }
            })
            .collect()
    }
}

impl Line {
    /// The text in a field of its own.
    pub fn text(&self, field: &str) -> String {
        let object: Value = serde_json::from_slice(&self.bytes).unwrap();
        object[field].as_str().unwrap().to_owned()
    }
}

/// Microseconds since 1970 of an RFC 3339 time.
pub fn instant(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_micros())
}

/// Lines as records of partition 0 of the transaction topic.
pub fn records<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<RawEvent> {
    records_of(0, lines)
}

/// Lines as records of a partition of the transaction topic.
pub fn records_of<'a>(partition: u16, lines: impl IntoIterator<Item = &'a Line>) -> Vec<RawEvent> {
    let record = |(offset, line): (u64, &Line)| RawEvent {
        final_before: None,
        topic: 0,
        partition,
        offset,
        epoch: offset / BATCH_LINES + 1,
        appended_at: None,
        key: None,
        payload: Some(line.bytes.clone()),
    };
    (0..).zip(lines).map(record).collect()
}

/// The entries of a file of the blacklist.
pub fn blacklist(file: &Path) -> Vec<RawEvent> {
    let mut records = records(&Line::read(file));
    for record in &mut records {
        (record.topic, record.epoch) = (BLACKLIST, 0);
    }
    records
}

/// The oracle with the defaults of a replay.
pub fn oracle() -> Oracle {
    Oracle::new(OracleSettings {
        topics: ROLES.to_vec(),
        horizon: HOUR,
        retention: HOUR,
        correction_retention: 120 * 24 * HOUR,
        later: None,
        future_allowance: HOUR / 12,
        file_now: instant(NOW).unwrap(),
        zone: chrono_tz::America::Sao_Paulo,
        rules: RuleSet::default(),
    })
}
