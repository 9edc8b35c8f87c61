//! Sends dead letters again.
//!
//! ```text
//!  bronze.dead_letters ── a page ──> topic they came from ── acknowledged ──> resubmitted_at
//! ```
//!
//! Law: a marked letter was sent. A letter that was sent is marked, unless this process, Kafka or PostgreSQL
//! fails in between; then the next call sends a copy. A copy of an accepted event is a duplicate and changes
//! nothing; a copy of an event that is refused again is another dead letter.

mod letters;
mod rewrite;
mod sender;

pub use letters::Selection;

use crate::config::Config;
use anyhow::{Context, Result, bail};
use letters::Letters;
use rewrite::Rewrite;
use sender::Sender;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaError, TopicAdmin};
use streamflow_connectors::postgres::connect;
use streamflow_medallion::outbox::StoredDeadLetter;
use streamflow_model::dead_letter::PAYLOAD_LIMIT;

#[derive(Clone, Debug)]
pub struct Order {
    pub selection: Selection,
    pub rewrite: Option<PathBuf>,
    /// Only letters with a rewritten payload.
    pub only_rewritten: bool,
    pub limit: u64,
    /// Sends nothing and reports what would be sent.
    pub is_dry_run: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResubmissionSummary {
    /// Sent, or to be sent, by topic and reason.
    pub sent: BTreeMap<(String, String), u64>,
    /// Letters that cannot be sent.
    pub refused: u64,
    /// Lines of the file of payloads whose dead letter was not selected or does not exist.
    pub unused: u64,
}

/// How often progress is logged.
const REPORT: Duration = Duration::from_secs(10);

/// Sends the selected letters, or reports what would be sent. Calls `refuse` with a line for each letter that
/// cannot be sent.
///
/// # Errors
/// PostgreSQL's and Kafka's, and those of the file of payloads, which is checked before anything is sent.
pub fn run(config: &Config, mut order: Order, refuse: impl FnMut(String)) -> Result<ResubmissionSummary> {
    let rewrite = order.rewrite.as_deref().map(Rewrite::open).transpose()?;
    let lines = rewrite.as_ref().map_or(0, |rewrite| rewrite.ids().len() as u64);
    if order.only_rewritten {
        order.selection.ids = Some(rewrite.as_ref().map(Rewrite::ids).unwrap_or_default());
    }
    if !order.is_dry_run {
        require_topics(config)?;
    }
    let sender = if order.is_dry_run { None } else { Some(Sender::open(&config.kafka)?) };
    let letters = Letters::open(connect(&config.postgres)?, order.selection, sender.is_some())?;
    let mut resubmission =
        Resubmission { topics: &config.topics.transactions, letters, rewrite, sender, refuse, rewritten: 0 };
    let mut summary = resubmission.run(order.limit)?;
    summary.unused = lines.saturating_sub(resubmission.rewritten);
    Ok(summary)
}

/// Checks that the topic exists, because the client would report a missing one only when it gives up, minutes
/// later.
fn require_topics(config: &Config) -> Result<(), KafkaError> {
    let topics = TopicAdmin::connect(&config.kafka)?;
    config.topics.transactions.iter().try_for_each(|topic| topics.partitions(topic).map(drop))
}

/// Writes the selected letters to a new file, to be edited and sent. Returns their number.
///
/// # Errors
/// Errors of PostgreSQL or of the file, which must not exist yet.
pub fn export(config: &Config, selection: Selection, limit: u64, path: &Path) -> Result<u64> {
    let cannot_write = || format!("cannot write {}", path.display());
    // What customers paid is nobody else's business.
    let file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(cannot_write)?;
    let mut file = BufWriter::new(file);
    let mut letters = Letters::open(connect(&config.postgres)?, selection, false)?;
    let mut written = 0;
    while written < limit {
        let page = letters.page(limit - written)?;
        if page.is_empty() {
            break;
        }
        page.iter().try_for_each(|letter| rewrite::write(&mut file, letter)).with_context(cannot_write)?;
        written += page.len() as u64;
    }
    file.flush().with_context(cannot_write)?;
    Ok(written)
}

struct Resubmission<'a, F> {
    topics: &'a [String],
    letters: Letters,
    rewrite: Option<Rewrite>,
    /// `None` in a dry run.
    sender: Option<Sender>,
    refuse: F,
    /// Ids of letters with a rewritten payload.
    rewritten: u64,
}

impl<F: FnMut(String)> Resubmission<'_, F> {
    fn run(&mut self, limit: u64) -> Result<ResubmissionSummary> {
        let (mut summary, mut selected, mut reported) = (ResubmissionSummary::default(), 0, Instant::now());
        while selected < limit {
            let page = self.letters.page(limit - selected)?;
            if page.is_empty() {
                break;
            }
            selected += page.len() as u64;
            self.send(page, &mut summary)?;
            if reported.elapsed() >= REPORT {
                reported = Instant::now();
                tracing::info!(selected, refused = summary.refused, "resubmitting");
            }
        }
        Ok(summary)
    }

    /// Sends a page and marks what Kafka has of it.
    fn send(&mut self, page: Vec<StoredDeadLetter>, summary: &mut ResubmissionSummary) -> Result<()> {
        for mut letter in page {
            let other =
                self.rewrite.as_mut().map(|rewrite| rewrite.payload(letter.number)).transpose()?.flatten();
            self.rewritten += u64::from(other.is_some());
            if let Some(problem) = problem(&letter, other.is_some(), self.topics) {
                summary.refused += 1;
                (self.refuse)(format!("dead letter {} is not sent: {problem}", letter.number));
                continue;
            }
            letter.payload = other.or(letter.payload);
            if let Some(sender) = &self.sender {
                sender.send(&letter)?;
            }
            *summary.sent.entry((letter.topic, letter.reason)).or_default() += 1;
        }
        let Some(sender) = &self.sender else { return Ok(()) };
        let delivered = sender.finish();
        let sent = delivered.ids.len();
        self.letters.mark(&delivered.ids).with_context(|| {
            format!("{sent} dead letters were sent and could not be marked: the next call sends copies, which is harmless")
        })?;
        match delivered.failure {
            Some(failure) => {
                bail!("not all dead letters reached Kafka; those that did are marked: {failure}")
            }
            None => Ok(()),
        }
    }
}

/// Why a letter cannot be sent.
fn problem(letter: &StoredDeadLetter, is_rewritten: bool, topics: &[String]) -> Option<String> {
    let StoredDeadLetter { topic, key, truncated, full_length, .. } = letter;
    if !topics.contains(topic) {
        // An old record of reference data would replace a newer one.
        Some(format!(
            "it came from {topic}, which is no topic of transactions; let its producer send it again"
        ))
    } else if *truncated && !is_rewritten {
        Some(format!("of its {full_length} bytes only the first 64 KiB are kept; use --rewrite"))
    } else if key.as_ref().is_some_and(|key| key.len() > PAYLOAD_LIMIT) {
        Some("its key was longer than 64 KiB and was cut; let its producer send it again".to_owned())
    } else {
        None
    }
}
