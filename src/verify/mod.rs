//! The checks of `streamflow verify`.
//!
//! ```text
//!  Kafka: offsets, what is published ──> PostgreSQL: one snapshot ──> Kafka: offsets, records up to what was published
//! ```
//!
//! The order matters: what Kafka had before must be in the snapshot, and what is in the snapshot must be in Kafka after it. So a
//! running pipeline causes no false differences. Nothing is written.

mod books;
mod brokers;
mod check;
mod foreign_keys;
mod freshness;
mod offsets;
mod published;
mod recomputation;
mod sample;
mod schema;
mod snapshot;
mod table;
mod topics;

pub use check::Report;
pub use freshness::FreshnessLimits;
pub use table::{Format, format};

use crate::config::Config;
use anyhow::Result;
use brokers::{Brokers, Ranges};
use check::{Check, Outcome};
use offsets::Committed;
use postgres::{Client, Transaction};
use published::Before;
use snapshot::Snapshot;
use std::collections::BTreeMap;
use streamflow_connectors::postgres::connect;
use streamflow_dataflow::dimensions::Role;
use streamflow_medallion::Progress;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Full,
    /// This many keys and days, chosen at random.
    Sample(u32),
    Skipped,
}

#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub depth: Depth,
    /// Whether silver is compared with bronze, too. That holds every event in memory.
    pub from_bronze: bool,
    /// How old the committed frontier may be.
    pub freshness: FreshnessLimits,
}

pub fn run(config: &Config, scope: Scope) -> Report {
    let mut report = Report::default();
    let client = match connect_postgres(config) {
        Ok((client, check)) => {
            report.add(check);
            Some(client)
        }
        Err(check) => {
            report.add(*check);
            None
        }
    };
    let brokers = match Brokers::connect(&config.kafka, &config.topics.progress) {
        Ok((brokers, number)) => {
            report.add(Outcome::pass(format!("{number} brokers answer")).of("kafka"));
            Some(brokers)
        }
        Err(error) => {
            let advice = "runbook, \"No transactions\"; nothing of Kafka was verified";
            report.add(Outcome::fail(format!("{error:#}"), advice).of("kafka"));
            None
        }
    };
    let mut verification = Verification { config, scope, brokers, report };
    match client {
        Some(mut client) => {
            if let Err(error) = verification.database(&mut client) {
                verification.report.add(Outcome::error(&error).of("database"));
            }
        }
        None => verification.topics(None),
    }
    verification.report
}

fn connect_postgres(config: &Config) -> Result<(Client, Check), Box<Check>> {
    let failed = |problem: String| {
        let advice = "runbook, \"PostgreSQL away\"; nothing of the database was verified";
        Box::new(Outcome::fail(problem, advice).of("postgresql"))
    };
    let mut client = connect(&config.postgres).map_err(|error| failed(error.to_string()))?;
    let sql = "SELECT format('version %s, as %s', current_setting('server_version'), current_user)";
    let row = client.query_one(sql, &[]).map_err(|error| failed(error.to_string()))?;
    let found: String = row.try_get(0).map_err(|error| failed(error.to_string()))?;
    Ok((client, Outcome::pass(found).of("postgresql")))
}

struct Verification<'a> {
    config: &'a Config,
    scope: Scope,
    /// `None` if no broker answers.
    brokers: Option<Brokers>,
    report: Report,
}

/// Offsets by topic.
type ByTopic = BTreeMap<String, Ranges>;

impl Verification<'_> {
    fn database(&mut self, client: &mut Client) -> Result<()> {
        let schema = schema::check(client)?;
        self.report.add(schema.check);
        if !schema.is_complete {
            self.topics(None);
            return Ok(());
        }
        let ranges = self.ranges();
        let before = self.before();
        let mut snapshot = Snapshot::take(client)?;
        let progress = Progress::read(&mut snapshot.part()?)?;
        let after = self.ranges();
        self.topics(Some(&progress));
        self.add("freshness", freshness::check(&mut snapshot.part()?, self.scope.freshness));
        self.offsets(&mut snapshot, &progress, &ranges, &after)?;
        self.add("foreign keys", foreign_keys::check(&mut snapshot.part()?));
        match self.scope.depth {
            Depth::Full => self.add("recomputation", recomputation::from_silver(&snapshot, self.config)),
            Depth::Sample(keys) => {
                self.add("recomputation", sample::from_silver(&mut snapshot.part()?, keys));
            }
            Depth::Skipped => {}
        }
        if self.scope.from_bronze {
            self.add("recomputation from bronze", recomputation::from_bronze(&snapshot, self.config));
        }
        if let (Some(brokers), Some(before)) = (&self.brokers, &before) {
            let checks = published::check(&mut snapshot.part()?, brokers, self.config, before, &progress);
            self.report.add_family("published", checks);
        }
        Ok(())
    }

    fn add(&mut self, family: &str, checks: Result<Vec<Check>>) {
        self.report.add_family(family, checks);
    }

    fn topics(&mut self, progress: Option<&Progress>) {
        if let Some(brokers) = &self.brokers {
            self.report.add_family("topics", topics::check(brokers, self.config, progress));
        }
    }

    /// The offsets of all topics that are read and that exist.
    fn ranges(&self) -> ByTopic {
        let Some(brokers) = &self.brokers else { return ByTopic::new() };
        let names = self.config.topics.roles().into_iter().map(|(name, _)| name);
        // Why there are none the check of the topic says.
        names.filter_map(|name| brokers.ranges(&name).ok().map(|ranges| (name, ranges))).collect()
    }

    fn before(&mut self) -> Option<Before> {
        match Before::ask(self.brokers.as_ref()?, self.config) {
            Ok(before) => Some(before),
            Err(error) => {
                self.report.add(Outcome::error(&error).of("published"));
                None
            }
        }
    }

    /// Checks offsets, events and books of each topic that is or was read.
    fn offsets(
        &mut self,
        snapshot: &mut Snapshot<'_>,
        progress: &Progress,
        before: &ByTopic,
        after: &ByTopic,
    ) -> Result<()> {
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
        transaction: &mut Transaction<'_>,
        topic: &str,
        committed: &Committed,
        before: &Ranges,
    ) -> Option<u64> {
        let mut roles = self.config.topics.roles().into_iter();
        let is_transactions = roles.any(|(name, role)| name == topic && role == Role::Transactions);
        let brokers = self.brokers.as_ref().filter(|_| is_transactions)?;
        match offsets::in_bronze(transaction, brokers, topic, committed, before) {
            Ok(offsets::InBronze { check, empty }) => {
                self.report.add(check);
                empty
            }
            Err(error) => {
                self.report.add(Outcome::error(&error).of(format!("events of {topic}")));
                None
            }
        }
    }
}
