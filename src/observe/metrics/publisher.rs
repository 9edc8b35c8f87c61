//! The publisher.

use super::samples::{Metric, Samples};
use super::{Family, Observed};

const UP: Metric = Metric::gauge(
    "streamflow_publisher_up",
    &[],
    "Whether publishing goes on: 0 while it repeats an attempt because Kafka or PostgreSQL is away.",
);
const TRANSACTIONS: Metric = Metric::counter(
    "streamflow_publisher_transactions_total",
    &[],
    "Transactions of Kafka acknowledged since the start.",
);
const RECORDS: Metric = Metric::counter(
    "streamflow_publisher_records_total",
    &["topic"],
    "Records in transactions acknowledged since the start.",
);
const RETRIES: Metric = Metric::counter(
    "streamflow_publisher_retries_total",
    &[],
    "Attempts that failed and were repeated since the start.",
);

pub const FAMILY: Family = Family { metrics: &[&UP, &TRANSACTIONS, &RECORDS, &RETRIES], read };

fn read(observed: &Observed, samples: &mut Samples) {
    if !observed.status.commits() {
        return;
    }
    let activity = observed.status.publisher.activity();
    let topics = &observed.limits.published;
    samples.flag(&UP, &[], activity.retrying_since.is_none());
    samples.count(&TRANSACTIONS, &[], activity.transactions);
    samples.count(&RECORDS, &[&topics.alerts], activity.sent.alerts);
    samples.count(&RECORDS, &[&topics.dead_letters], activity.sent.dead_letters);
    samples.count(&RECORDS, &[&topics.windows], activity.sent.windows);
    samples.count(&RETRIES, &[], activity.retries);
}
