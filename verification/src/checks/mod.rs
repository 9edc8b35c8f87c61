//! The checks of a deployment: topics, offsets, books, keys, freshness, the recomputations, and what is
//! published.
//!
//! ```text
//!  Kafka: offsets, what is published ──> PostgreSQL: one snapshot ──> Kafka: offsets, records up to what was published
//! ```
//!
//! The order matters: what Kafka had before must be in the snapshot, and what is in the snapshot must be in
//! Kafka after it. So a running pipeline causes no false differences. Nothing is written.

mod books;
mod brokers;
mod foreign_keys;
mod freshness;
mod offsets;
mod published;
mod recomputation;
mod report;
mod schema;
mod topics;

pub use freshness::FreshnessLimits;
pub use report::{Check, Grade, Outcome, Report};

use crate::error::VerificationError;
use crate::snapshot::Snapshot;
use crate::{bronze, silver};
use brokers::{Brokers, Ranges};
use offsets::Committed;
use postgres::Client;
use published::Before;
use std::collections::BTreeMap;
use streamflow_connectors::kafka::KafkaSettings;
use streamflow_connectors::postgres::{PostgresSettings, connect};
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::rules::RuleSet;
use streamflow_medallion::Progress;

/// What is verified: a database, the topics that it is computed from, and those that its publisher writes.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Brokers, and how they let a client in.
    pub kafka: KafkaSettings,
    /// The database.
    pub postgres: PostgresSettings,
    /// Those in force before the first version in `gold.rule_versions`.
    pub rules: RuleSet,
    /// The topics that are read.
    pub inputs: Vec<(String, Role)>,
    /// The topic of alert changes.
    pub alerts: String,
    /// The topic of one-minute windows.
    pub metrics: String,
    /// The topic of events that were not accepted.
    pub dead_letters: String,
    /// The topic of the publisher's progress records.
    pub progress: String,
    /// The topic of markers, by which the brokers' time is learned.
    pub clock: String,
    /// The publisher's name in Kafka and the key of its progress record.
    pub publisher: String,
    /// Whether topics whose record times decide something must carry the broker's clock.
    pub require_log_append_time: bool,
}

/// How much of gold is compared with silver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Full,
    /// This many keys and days, chosen at random.
    Sample(u32),
    /// Nothing.
    Skipped,
}

/// How thorough a verification is.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// How much of gold is compared with silver.
    pub depth: Depth,
    /// Whether silver is compared with bronze, too. That holds every event in memory.
    pub from_bronze: bool,
    /// How old the committed frontier may be.
    pub freshness: FreshnessLimits,
}

/// Makes all checks. What cannot be checked is in the report.
pub fn run(deployment: &Deployment, scope: Scope) -> Report {
    let mut report = Report::default();
    let client = match connect_postgres(&deployment.postgres) {
        Ok((client, check)) => {
            report.add(check);
            Some(client)
        }
        Err(error) => {
            let advice = "runbook, \"PostgreSQL away\"; nothing of the database was verified";
            report.add(Outcome::fail(error.to_string(), advice).of("postgresql"));
            None
        }
    };
    let brokers = match Brokers::connect(&deployment.kafka, &deployment.progress) {
        Ok((brokers, number)) => {
            report.add(Outcome::pass(format!("{number} brokers answer")).of("kafka"));
            Some(brokers)
        }
        Err(error) => {
            let advice = "runbook, \"No transactions\"; nothing of Kafka was verified";
            report.add(Outcome::fail(error.to_string(), advice).of("kafka"));
            None
        }
    };
    let mut verification = Verification { deployment, scope, brokers, report };
    match client {
        Some(mut client) => {
            let checked = verification.database(&mut client);
            verification.report.made("database", checked);
        }
        None => verification.topics(None),
    }
    verification.report
}

fn connect_postgres(settings: &PostgresSettings) -> Result<(Client, Check), VerificationError> {
    let mut client = connect(settings)?;
    let sql = "SELECT format('version %s, as %s', current_setting('server_version'), current_user)";
    let found: String = client.query_one(sql, &[])?.try_get(0)?;
    Ok((client, Outcome::pass(found).of("postgresql")))
}

struct Verification<'a> {
    deployment: &'a Deployment,
    scope: Scope,
    /// `None` if no broker answers.
    brokers: Option<Brokers>,
    report: Report,
}

/// Offsets by topic.
type ByTopic = BTreeMap<String, Ranges>;

impl Verification<'_> {
    fn database(&mut self, client: &mut Client) -> Result<(), VerificationError> {
        let schema = schema::check(client)?;
        self.report.add(schema.check);
        if !schema.is_complete {
            self.topics(None);
            return Ok(());
        }
        let ranges = self.ranges();
        let before = self.before();
        let mut snapshot = Snapshot::take(client)?;
        let progress = Progress::read(snapshot.part()?.transaction())?;
        let after = self.ranges();
        self.topics(Some(&progress));
        self.report.add_family("freshness", freshness::check(&mut snapshot.part()?, self.scope.freshness));
        self.offsets(&mut snapshot, &progress, &ranges, &after)?;
        self.report.add_family("foreign keys", foreign_keys::check(&mut snapshot.part()?));
        self.recomputations(&mut snapshot)?;
        if let (Some(brokers), Some(before)) = (&self.brokers, &before) {
            let checks = published::check(&mut snapshot.part()?, brokers, self.deployment, before, &progress);
            self.report.add_family("published", checks);
        }
        Ok(())
    }

    fn recomputations(&mut self, snapshot: &mut Snapshot<'_>) -> Result<(), VerificationError> {
        let from_silver = match self.scope.depth {
            Depth::Full => Some(silver::compare(&mut snapshot.part()?)),
            Depth::Sample(keys) => Some(silver::compare_sample(&mut snapshot.part()?, keys)),
            Depth::Skipped => None,
        };
        if let Some(comparisons) = from_silver {
            self.report.add_family("recomputation", comparisons.map(recomputation::checks));
        }
        if self.scope.from_bronze {
            let comparisons = bronze::compare(&mut snapshot.part()?, &self.deployment.rules);
            let checks = recomputation::checks_if_complete(comparisons);
            self.report.add_family("recomputation from bronze", checks);
        }
        Ok(())
    }

    fn topics(&mut self, progress: Option<&Progress>) {
        if let Some(brokers) = &self.brokers {
            self.report.add_family("topics", topics::check(brokers, self.deployment, progress));
        }
    }

    /// The offsets of all topics that are read and that exist.
    fn ranges(&self) -> ByTopic {
        let Some(brokers) = &self.brokers else { return ByTopic::new() };
        let names = self.deployment.inputs.iter().map(|(name, _)| name);
        // Why there are none the check of the topic says.
        names.filter_map(|name| Some((name.clone(), brokers.ranges(name).ok()?))).collect()
    }

    fn before(&mut self) -> Option<Before> {
        self.report.made("published", Before::ask(self.brokers.as_ref()?, self.deployment))
    }

    /// Checks offsets, events and books of each topic that is or was read.
    fn offsets(
        &mut self,
        snapshot: &mut Snapshot<'_>,
        progress: &Progress,
        before: &ByTopic,
        after: &ByTopic,
    ) -> Result<(), VerificationError> {
        let rows = books::Rows::count(&mut snapshot.part()?)?;
        let none = (Committed::new(), BTreeMap::new());
        let mut names: Vec<&String> = progress.books.keys().chain(progress.offsets.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let committed = progress.offsets.get(name).unwrap_or(&none.0);
            let mut empty = None;
            if let (Some(before), Some(after)) = (before.get(name), after.get(name)) {
                self.report.add(offsets::within(name, committed, before, after));
                empty = self.events(&mut snapshot.part()?, name, committed, before);
            }
            let accounts = progress.books.get(name).unwrap_or(&none.1);
            let topic = books::Topic { name, accounts, committed, before: before.get(name), empty };
            self.report.add(books::check(&topic, &rows));
        }
        Ok(())
    }

    /// Checks the events of a transaction topic. Returns the number of offsets that are known to hold none.
    fn events(
        &mut self,
        snapshot: &mut Snapshot<'_>,
        topic: &str,
        committed: &Committed,
        before: &Ranges,
    ) -> Option<u64> {
        let mut inputs = self.deployment.inputs.iter();
        let is_transactions = inputs.any(|(name, role)| name == topic && *role == Role::Transactions);
        let brokers = self.brokers.as_ref().filter(|_| is_transactions)?;
        let events = offsets::in_bronze(snapshot, brokers, topic, committed, before);
        let offsets::InBronze { check, empty } = self.report.made(format!("events of {topic}"), events)?;
        self.report.add(check);
        empty
    }
}
