//! Configuration: one file, in which every key has a default. Each error names the key, its value and what is
//! allowed.

use crate::cluster::ClusterSettings;
use anyhow::{Context, Result, bail};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use streamflow_connectors::kafka::{KafkaSettings, TopicSettings};
use streamflow_connectors::postgres::PostgresSettings;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::rules::Rules;
use streamflow_dataflow::settings::Settings;
use streamflow_model::timestamp::{DAY, SECOND};
use streamflow_verification::checks::Deployment;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The zone in which days, hours and minutes of the day are counted.
    pub time_zone: Tz,
    /// How far behind its partition time an event is still accepted, in seconds.
    pub correction_horizon_seconds: u32,
    /// How long ids are remembered beyond the correction horizon, in seconds; at least as long as that.
    pub identity_retention_seconds: u32,
    /// How old a transaction can be that is still corrected or voided, days.
    pub correction_retention_days: u32,
    /// How far an event's time may be past its record's time, in seconds.
    pub future_allowance_seconds: u32,
    /// How far before a transaction the rules of any set may look at single earlier ones, in seconds.
    pub longest_rule_window_seconds: u32,
    pub workers: usize,
    pub topics: TopicNames,
    pub rules: Rules,
    pub kafka: KafkaSettings,
    pub postgres: PostgresSettings,
    pub pipeline: PipelineSettings,
    pub publisher: PublisherSettings,
    pub metrics: MetricsSettings,
    /// How long `maintain` keeps data that the pipeline no longer needs.
    pub maintenance: MaintenanceSettings,
    pub cluster: ClusterSettings,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicNames {
    /// At least one.
    pub transactions: Vec<String>,
    pub customers: String,
    pub stores: String,
    pub products: String,
    pub blacklist: String,
    /// Versions of the rules; created where it is missing.
    pub rules: String,
    pub alerts: String,
    /// One-minute windows of `gold.realtime_metrics`.
    pub metrics: String,
    pub dead_letters: String,
    /// The publisher's progress records.
    pub progress: String,
    /// Markers, to learn the brokers' time.
    pub clock: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineSettings {
    /// A worker keeps as many records in flight as become durable within this time, in milliseconds, at the rate
    /// just seen.
    pub commit_target_ms: u64,
    /// A worker stops reading at this many records that are read but not committed.
    pub uncommitted_records: u64,
    /// A worker stops reading at this many MiB of such records.
    pub uncommitted_mib: u64,
    /// No worker reads while the process has more resident memory than this, in MiB.
    pub memory_limit_mib: u64,
    /// How often Kafka is asked whether the topics still have the partitions that are read, in seconds.
    pub partition_check_seconds: u64,
    /// How often an idle worker advances its epoch, in milliseconds; where there is one process, at most ten times
    /// a second.
    pub heartbeat_ms: u64,
    /// The partition time of a partition that is read to its end follows the brokers' clock at this distance,
    /// in seconds.
    pub idle_allowance_seconds: u32,
    /// A partition is read at most this far ahead of the slowest one, in seconds of record time.
    pub alignment_seconds: u32,
    /// Whether topics whose record times decide something must carry the broker's clock (LogAppendTime).
    pub require_log_append_time: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PublisherSettings {
    /// The publisher's name in Kafka and the key of its progress record. Each database needs its own.
    pub transactional_id: String,
    /// One transaction sends at most this many alert changes, and as many dead letters and windows.
    pub batch_records: u32,
    /// One transaction sends at most this many bytes of alert changes, and as many of dead letters.
    pub batch_bytes: u32,
    /// How often the publisher looks for new rows, in milliseconds, beside at once after a commit that it is told of.
    pub poll_ms: u64,
    /// How often the publisher looks for changed windows, in milliseconds.
    pub metrics_interval_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// The address (`host:port`) that serves metrics, health and the status page; `None` serves nothing.
    pub listen: Option<String>,
    /// Names with a dot under which the status page is served, beside addresses and names without one.
    pub hosts: Vec<String>,
    /// Whether the status page shows the ids of customers and transactions in the latest alerts.
    pub show_ids: bool,
    /// The process is ready while its last commit is at most this old, in seconds.
    pub ready_within_seconds: u32,
}

/// How long `maintain` keeps data that the pipeline no longer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaintenanceSettings {
    /// Days for which events are kept as they were received.
    pub raw_transactions_days: u32,
    /// Days for which alert changes and the history of alerts are kept.
    pub alert_history_days: u32,
    /// Days for which counts of the quality checks are kept.
    pub quality_results_days: u32,
    /// Days for which events that were not accepted are kept; `None`: for ever.
    pub dead_letters_days: Option<u32>,
    /// Days for which transactions and their alerts are kept; `None`: for ever.
    pub transactions_days: Option<u32>,
}

impl MetricsSettings {
    /// The address to listen on, `None` if nothing is served.
    pub fn address(&self) -> Option<&str> {
        self.listen.as_deref().filter(|address| !address.is_empty())
    }
}

impl MaintenanceSettings {
    /// An amendment needs the transaction that it means, what a rule looks back to before it, and local days that
    /// are whole. A partition that is new sets the watermark back by a day at most.
    const BEYOND_CORRECTIONS: u32 = 3;

    fn check(&self, correction_retention_days: u32) -> Result<()> {
        let Self { raw_transactions_days: events, alert_history_days: alerts, .. } = *self;
        let (quality, letters) = (self.quality_results_days, self.dead_letters_days);
        // What was removed of alerts and dead letters shows in their topics, which keep a month. No restart reads a
        // month back.
        check_limits([
            ("maintenance.raw_transactions_days", u64::from(events), 2, 3650),
            ("maintenance.alert_history_days", u64::from(alerts), 30, 3650),
            ("maintenance.quality_results_days", u64::from(quality), 2, 3650),
            ("maintenance.dead_letters_days", u64::from(letters.unwrap_or(3650)), 30, 3650),
            ("maintenance.transactions_days", u64::from(self.transactions_days.unwrap_or(3650)), 31, 3650),
        ])?;
        if alerts < events {
            bail!(
                "configuration: maintenance.alert_history_days = {alerts}: must not be below \
                 maintenance.raw_transactions_days = {events}"
            );
        }
        let Some(transactions) = self.transactions_days else { return Ok(()) };
        let least = events.max(correction_retention_days.saturating_add(Self::BEYOND_CORRECTIONS));
        if transactions < least {
            bail!(
                "configuration: maintenance.transactions_days = {transactions}: must not be below {least}: \
                 maintenance.raw_transactions_days, and correction_retention_days and {} more",
                Self::BEYOND_CORRECTIONS
            );
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            time_zone: chrono_tz::America::Sao_Paulo,
            correction_horizon_seconds: 3600,
            identity_retention_seconds: 3600,
            correction_retention_days: 120,
            future_allowance_seconds: 300,
            longest_rule_window_seconds: 3600,
            workers: 1,
            topics: TopicNames::default(),
            rules: Rules::default(),
            kafka: KafkaSettings::default(),
            postgres: PostgresSettings::default(),
            pipeline: PipelineSettings::default(),
            publisher: PublisherSettings::default(),
            metrics: MetricsSettings::default(),
            maintenance: MaintenanceSettings::default(),
            cluster: ClusterSettings::default(),
        }
    }
}

impl Default for TopicNames {
    fn default() -> Self {
        Self {
            transactions: vec!["transactions.raw".to_owned()],
            customers: "reference.customers".to_owned(),
            stores: "reference.stores".to_owned(),
            products: "reference.products".to_owned(),
            blacklist: "fraud.blacklist".to_owned(),
            rules: "fraud.rules".to_owned(),
            alerts: "fraud.alerts".to_owned(),
            metrics: "metrics.realtime".to_owned(),
            dead_letters: "streamflow.dlq".to_owned(),
            progress: "streamflow.progress".to_owned(),
            clock: "streamflow.clock".to_owned(),
        }
    }
}

impl Default for PipelineSettings {
    fn default() -> Self {
        Self {
            commit_target_ms: 400,
            uncommitted_records: 100_000,
            uncommitted_mib: 128,
            memory_limit_mib: 2048,
            partition_check_seconds: 30,
            heartbeat_ms: 10,
            idle_allowance_seconds: 60,
            alignment_seconds: 3600,
            require_log_append_time: true,
        }
    }
}

impl Default for PublisherSettings {
    fn default() -> Self {
        Self {
            transactional_id: "streamflow".to_owned(),
            batch_records: 1_000,
            batch_bytes: 1 << 20,
            poll_ms: 100,
            metrics_interval_ms: 1_000,
        }
    }
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            listen: Some("127.0.0.1:9464".to_owned()),
            hosts: Vec::new(),
            show_ids: true,
            ready_within_seconds: 10,
        }
    }
}

impl Default for MaintenanceSettings {
    fn default() -> Self {
        Self {
            raw_transactions_days: 30,
            alert_history_days: 90,
            quality_results_days: 7,
            dead_letters_days: None,
            transactions_days: None,
        }
    }
}

impl TopicNames {
    /// All topics that are read, with their kind. A topic's index here is its index in offsets and books.
    pub fn roles(&self) -> Vec<(String, Role)> {
        let reference = [
            (&self.customers, Role::Customers),
            (&self.stores, Role::Stores),
            (&self.products, Role::Products),
            (&self.blacklist, Role::Blacklist),
        ];
        let transactions = self.transactions.iter().map(|name| (name, Role::Transactions));
        let all = reference.into_iter().chain(transactions).chain([(&self.rules, Role::Rules)]);
        all.map(|(name, role)| (name.clone(), role)).collect()
    }

    /// The topic of the rules, with the settings with which a missing one is created: one partition, so that
    /// versions have an order, and the broker's clock, which decides from which event time on one applies.
    pub fn rules_topic(&self) -> TopicSettings {
        let broker_clock = ("message.timestamp.type", "LogAppendTime".to_owned());
        output(&self.rules, 1, &[broker_clock, ("cleanup.policy", "compact".to_owned())])
    }

    /// The topics that are written, with the settings with which missing ones are created.
    pub fn outputs(&self) -> [TopicSettings; 5] {
        [
            output(&self.alerts, 3, &retained(30)),
            output(&self.metrics, 1, &retained(1)),
            output(&self.dead_letters, 1, &retained(30)),
            // A record with every transaction, of which the last one counts: small segments, cleaned soon.
            output(
                &self.progress,
                1,
                &[
                    ("cleanup.policy", "compact".to_owned()),
                    ("segment.ms", HOUR_MS.to_string()),
                    ("min.cleanable.dirty.ratio", "0.1".to_owned()),
                ],
            ),
            // Nobody reads it.
            output(
                &self.clock,
                1,
                &[
                    ("message.timestamp.type", "LogAppendTime".to_owned()),
                    ("cleanup.policy", "delete".to_owned()),
                    ("retention.ms", HOUR_MS.to_string()),
                    ("segment.ms", HOUR_MS.to_string()),
                ],
            ),
        ]
    }
}

const HOUR_MS: u64 = 3_600_000;

fn output(name: &str, partitions: u16, configs: &[(&str, String)]) -> TopicSettings {
    let configs: BTreeMap<_, _> =
        configs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    // As many copies as the brokers make by default.
    TopicSettings { name: name.to_owned(), partitions, replication: -1, configs }
}

fn retained(days: u64) -> [(&'static str, String); 2] {
    let retention = days * 24 * HOUR_MS;
    [("cleanup.policy", "delete".to_owned()), ("retention.ms", retention.to_string())]
}

impl Config {
    /// Reads the file, if any, and sets `overrides` (`key=value`, keys with dots) on top.
    ///
    /// # Errors
    /// One line that names the key, its value and what is allowed.
    pub fn load(file: Option<&Path>, overrides: &[String]) -> Result<Self> {
        let mut tree = match file {
            Some(path) => read_yaml(path)?,
            None => Value::Object(Map::new()),
        };
        assign(&mut tree, overrides)?;
        let config: Self = serde_path_to_error::deserialize(tree).map_err(|error| {
            let path = error.path().to_string();
            anyhow::anyhow!("configuration: {path}: {}", plainly(&error.into_inner().to_string()))
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        self.kafka.check()?;
        self.postgres.check()?;
        self.cluster.check()?;
        if let Some(problem) = self.rules.problem() {
            bail!("configuration: rules.{problem}");
        }
        let limits = [
            ("correction_horizon_seconds", u64::from(self.correction_horizon_seconds), 60, 7 * 86_400),
            ("identity_retention_seconds", u64::from(self.identity_retention_seconds), 0, 7 * 86_400),
            ("correction_retention_days", u64::from(self.correction_retention_days), 1, 3650),
            ("future_allowance_seconds", u64::from(self.future_allowance_seconds), 0, 86_400),
            ("longest_rule_window_seconds", u64::from(self.longest_rule_window_seconds), 60, 86_400),
            ("workers", self.workers as u64, 1, 256),
            ("topics.transactions (number of topics)", self.topics.transactions.len() as u64, 1, 12),
            ("pipeline.commit_target_ms", self.pipeline.commit_target_ms, 10, 60_000),
            ("pipeline.uncommitted_records", self.pipeline.uncommitted_records, 1, 100_000_000),
            ("pipeline.uncommitted_mib", self.pipeline.uncommitted_mib, 1, 1 << 20),
            ("pipeline.memory_limit_mib", self.pipeline.memory_limit_mib, 64, 1 << 20),
            ("pipeline.partition_check_seconds", self.pipeline.partition_check_seconds, 1, 3600),
            ("pipeline.heartbeat_ms", self.pipeline.heartbeat_ms, 1, 60_000),
            ("pipeline.alignment_seconds", u64::from(self.pipeline.alignment_seconds), 1, 7 * 86_400),
            ("publisher.batch_records", u64::from(self.publisher.batch_records), 1, 100_000),
            ("publisher.batch_bytes", u64::from(self.publisher.batch_bytes), 1, 16 << 20),
            ("publisher.poll_ms", self.publisher.poll_ms, 1, 60_000),
            ("publisher.metrics_interval_ms", self.publisher.metrics_interval_ms, 1, 3_600_000),
            ("metrics.ready_within_seconds", u64::from(self.metrics.ready_within_seconds), 2, 3600),
        ];
        check_limits(limits)?;
        let (horizon, retention) = (self.correction_horizon_seconds, self.identity_retention_seconds);
        if retention < horizon {
            bail!(
                "configuration: identity_retention_seconds = {retention}: must not be below \
                 correction_horizon_seconds = {horizon}"
            );
        }
        self.maintenance.check(self.correction_retention_days)?;
        if self.publisher.transactional_id.is_empty() {
            bail!("configuration: publisher.transactional_id: must not be empty");
        }
        let written = self.topics.outputs().map(|topic| topic.name);
        let mut names: Vec<_> =
            self.topics.roles().into_iter().map(|(name, _)| name).chain(written).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("configuration: topics: {} is named twice: each topic can hold one thing", twice[0]);
        }
        Ok(())
    }

    /// What `verify` verifies.
    pub fn deployment(&self) -> Deployment {
        let TopicNames { alerts, metrics, dead_letters, progress, clock, .. } = self.topics.clone();
        Deployment {
            inputs: self.topics.roles(),
            alerts,
            metrics,
            dead_letters,
            progress,
            clock,
            kafka: self.kafka.clone(),
            postgres: self.postgres.clone(),
            rules: self.rules.clone().into(),
            publisher: self.publisher.transactional_id.clone(),
            require_log_append_time: self.pipeline.require_log_append_time,
        }
    }

    /// The settings on which results depend.
    pub fn graph_settings(&self) -> Settings {
        Settings {
            correction_horizon: i64::from(self.correction_horizon_seconds) * SECOND,
            identity_retention: i64::from(self.identity_retention_seconds) * SECOND,
            correction_retention: i64::from(self.correction_retention_days) * DAY,
            future_allowance: i64::from(self.future_allowance_seconds) * SECOND,
            time_zone: self.time_zone,
            rules: self.rules.clone().into(),
            longest_window: i64::from(self.longest_rule_window_seconds) * SECOND,
            ..Settings::default()
        }
    }
}

/// Fails for the first value, by its key, that is not within its limits.
fn check_limits<const N: usize>(limits: [(&str, u64, u64, u64); N]) -> Result<()> {
    for (key, value, low, high) in limits {
        if !(low..=high).contains(&value) {
            bail!("configuration: {key} = {value}: must be {low} to {high}");
        }
    }
    Ok(())
}

fn read_yaml(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let tree = parse_yaml(&text).with_context(|| format!("{}: no YAML", path.display()))?;
    match tree {
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Object(_) => Ok(tree),
        _ => bail!("{}: must be a map of keys to values", path.display()),
    }
}

/// The parser's message continues with an excerpt of the file; its first line is enough.
fn parse_yaml(text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).map_err(|error| {
        let message = error.to_string();
        anyhow::anyhow!("{}", plainly(message.lines().next().unwrap_or_default()))
    })
}

/// The parsers' messages without the words of a programming language.
fn plainly(message: &str) -> String {
    const WHOLE: &str = "expected a whole number from 0 on";
    let words = [
        ("invalid type: null", "no value"),
        ("expected usize", WHOLE),
        ("expected u64", WHOLE),
        ("expected u32", WHOLE),
        ("expected u16", WHOLE),
        ("expected f64", "expected a number"),
        (", set DuplicateKeyPolicy in Options if acceptable", ", each key may be there once"),
    ];
    let message = words.iter().fold(message.to_owned(), |message, (from, to)| message.replace(from, to));
    match message.split_once("expected struct ") {
        Some((begin, _)) => format!("{begin}expected a map of keys to values"),
        None => message,
    }
}

/// Sets keys of a tree, each given as `key=value` with dots in the key.
///
/// # Errors
/// An assignment without `=`, a value that is no YAML, or a key below a value.
pub fn assign(tree: &mut Value, assignments: &[String]) -> Result<()> {
    for assignment in assignments {
        let (key, value) =
            assignment.split_once('=').with_context(|| format!("--set {assignment}: must be key=value"))?;
        let value = parse_yaml(value).with_context(|| format!("--set {assignment}: the value is no YAML"))?;
        set(tree, key, value)?;
    }
    Ok(())
}

fn set(tree: &mut Value, key: &str, value: Value) -> Result<()> {
    let mut place = tree;
    for part in key.split('.') {
        let Value::Object(map) = place else {
            bail!("--set {key}: {part} is below a value, not below a map of keys");
        };
        place = map.entry(part).or_insert_with(|| Value::Object(Map::new()));
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(overrides: &[&str]) -> Result<Config> {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        Config::load(None, &overrides)
    }

    #[test]
    fn the_documented_file_holds_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/streamflow.yaml");
        let documented = Config::load(Some(&path), &[]).unwrap();
        assert_eq!(format!("{documented:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn values_can_be_set_on_the_command_line() {
        let config = load(&["workers=3", "rules.alert_threshold=0.65", "topics.customers=c"]).unwrap();
        assert_eq!(config.workers, 3);
        assert_eq!(config.rules.alert_threshold.to_string(), "0.650");
        assert_eq!(config.topics.customers, "c");
    }

    #[test]
    fn mistakes_name_the_key_the_value_and_what_is_allowed() {
        for (overrides, words) in [
            (["workers=0"], ["workers", "0", "1 to 256"]),
            (["rules.velocity.limt=5"], ["rules.velocity", "limt", "limit"]),
            (["rules.velocity.window_seconds=0"], ["velocity.window_seconds", "0", "86400"]),
            (["rules.alert_threshold=0.7001"], ["alert_threshold", "0.7001", "3 decimals"]),
            (["rules.impossible_travel.distance_km=500.0004"], ["distance_km", "500.0004", "3 decimals"]),
            (["time_zone=Mars/Base"], ["time_zone", "Mars/Base", ""]),
            (["topics.customers=transactions.raw"], ["topics", "transactions.raw", "twice"]),
            (["topics.alerts=transactions.raw"], ["topics", "transactions.raw", "twice"]),
            (["publisher.batch_records=0"], ["publisher.batch_records", "0", "1 to 100000"]),
            (["publisher.transactional_id=''"], ["publisher.transactional_id", "empty", ""]),
            (["identity_retention_seconds=3599"], ["identity_retention_seconds", "3599", "3600"]),
            (["correction_horizon_seconds=7200"], ["identity_retention_seconds", "3600", "7200"]),
            (["maintenance.quality_results_days=0"], ["quality_results_days", "0", "2 to 3650"]),
            (["maintenance.raw_transactions_days=91"], ["alert_history_days", "90", "91"]),
            (["maintenance.dead_letters_days=29"], ["dead_letters_days", "29", "30 to 3650"]),
            (["maintenance.transactions_days=122"], ["transactions_days", "122", "123"]),
            (["cluster.tls_ca_file=ca.crt"], ["cluster.tls_key_file", "tls_cert_file", "or none"]),
            (["cluster.tls_name=worker"], ["cluster.tls_name", "no effect", "tls_cert_file"]),
        ] {
            let message = load(&overrides).unwrap_err().to_string();
            assert!(!message.contains('\n'), "{message}");
            for word in words {
                assert!(message.contains(word), "{message} should name {word}");
            }
        }
    }
}
