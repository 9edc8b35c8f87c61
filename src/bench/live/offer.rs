//! The offered load: each event is sent at its due time, whatever has become of those before.

use super::plan::Plan;
use crate::config::Config;
use crate::lock::lock;
use anyhow::Result;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use streamflow_connectors::kafka::{Delivery, Producer};
use streamflow_generator::{GeneratedEvent, Traffic};
use streamflow_harness::schedule::{Clock, Schedule};

const DELIVERED_WITHIN: Duration = Duration::from_secs(120);

/// Transactions whose rows are looked for, a second.
const SAMPLES_PER_SECOND: f64 = 20.0;

/// Of ten transactions one is the hot customer's.
const HOT_OF: u64 = 10;

const BEFORE_ID: &[u8] = br#"{"transaction_id":"txn-"#;
const BEFORE_CUSTOMER: &[u8] = br#""customer_id":""#;
/// How the first version of a transaction ends.
const FIRST_VERSION: &[u8] = br#""revision":0,"voided":false}"#;

/// What was sent.
#[derive(Debug, Default)]
pub struct Offered {
    /// By the number of the event.
    pub sent: Vec<Sent>,
    pub deliveries: Vec<Delivery>,
}

#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The number in its id; `None` where it is no first version of a transaction.
    pub transaction: Option<u64>,
    /// Microseconds of the clock.
    pub due: i64,
    /// How much later it was given to the client, microseconds.
    pub behind: i64,
}

/// A transaction whose row is looked for.
#[derive(Clone, Debug)]
pub struct Sample {
    pub id: String,
    /// Microseconds of the clock.
    pub due: i64,
}

/// Samples on their way to those who look for them.
pub type Samples = Mutex<Vec<Sample>>;

/// Offers events from the start of the schedule until `end`, or until it `has_ended`.
pub fn offer(
    config: &Config,
    plan: &Plan,
    (clock, schedule, end): (Clock, Schedule, i64),
    samples: &Samples,
    has_ended: impl Fn() -> bool,
) -> Result<Offered> {
    let mut settings = plan.traffic.clone();
    settings.start = chrono::Utc::now().timestamp_micros();
    let mut traffic = Traffic::new(settings)?;
    let hot = traffic.population().customers().next().filter(|_| plan.hot_key).map(|customer| customer.key);
    let deliveries = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&deliveries);
    let producer = Producer::open_telling(&config.kafka, move |delivery| lock(&told).push(delivery))?;
    let mut chosen = Chosen::new(plan.rate);
    let mut sent = Vec::new();
    let mut event = GeneratedEvent::default();
    loop {
        traffic.next_into(&mut event);
        let transaction = first_version(&event.payload);
        if let (Some(hot), Some(number)) = (&hot, number(&event.payload))
            && number.is_multiple_of(HOT_OF)
        {
            make_hot(&mut event, hot.as_bytes());
        }
        let due = schedule.due(sent.len() as u64);
        if due >= end || has_ended() {
            break;
        }
        let behind = clock.wait_until(due);
        producer.send_numbered(&config.topics.transactions[0], &event.key, &event.payload, sent.len())?;
        if let Some(id) = transaction.and_then(|number| chosen.choose(number)) {
            lock(samples).push(Sample { id, due });
        }
        sent.push(Sent { transaction, due, behind });
    }
    producer.flush(DELIVERED_WITHIN)?;
    let deliveries = std::mem::take(&mut *lock(&deliveries));
    Ok(Offered { sent, deliveries })
}

/// Which transactions are looked for: by their ids, so that a copy is not taken for another one.
struct Chosen {
    one_of: u64,
    before: HashSet<u64>,
}

impl Chosen {
    fn new(rate: f64) -> Self {
        Self { one_of: (rate / SAMPLES_PER_SECOND).max(1.0) as u64, before: HashSet::new() }
    }

    fn choose(&mut self, number: u64) -> Option<String> {
        // Not the digits by which hot transactions are chosen.
        let is_new = (number >> 32).is_multiple_of(self.one_of) && self.before.insert(number);
        is_new.then(|| format!("txn-{number:016x}"))
    }
}

/// The number in the transaction's id.
pub fn number(payload: &[u8]) -> Option<u64> {
    let digits = payload.strip_prefix(BEFORE_ID)?.get(..16)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn first_version(payload: &[u8]) -> Option<u64> {
    number(payload).filter(|_| payload.ends_with(FIRST_VERSION))
}

/// Makes an event one of another customer, whose id has the same length.
fn make_hot(event: &mut GeneratedEvent, customer: &[u8]) {
    let position = event.payload.windows(BEFORE_CUSTOMER.len()).position(|bytes| bytes == BEFORE_CUSTOMER);
    let id = position.map(|position| position + BEFORE_CUSTOMER.len());
    let place = id.and_then(|id| event.payload.get_mut(id..id + customer.len()));
    if let Some(place) = place.filter(|_| customer.len() == event.key.len()) {
        place.copy_from_slice(customer);
        event.key.copy_from_slice(customer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_generator::GeneratorSettings;

    fn events(count: usize) -> impl Iterator<Item = GeneratedEvent> {
        // Corrections come within ten minutes.
        let settings =
            GeneratorSettings { transactions_per_second: 1.0, corrected_rate: 0.3, ..Default::default() };
        Traffic::new(settings).unwrap().take(count)
    }

    #[test]
    fn the_first_version_of_a_transaction_has_a_number() {
        let (mut first, mut later) = (0, 0);
        for event in events(2_000) {
            let text = String::from_utf8_lossy(&event.payload).into_owned();
            if let Some(number) = first_version(&event.payload) {
                assert!(text.contains(&format!(r#""transaction_id":"txn-{number:016x}""#)), "{text}");
                first += 1;
            } else {
                later += 1;
            }
        }
        assert!(first > 1_000 && later > 0, "{first} {later}");
        assert_eq!(number(b"no transaction"), None);
    }

    #[test]
    fn a_hot_customers_event_is_whole() {
        let mut event = events(1).next().unwrap();
        make_hot(&mut event, b"cust-0123456789ab");
        let read: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
        assert_eq!(read["customer_id"], "cust-0123456789ab");
        assert_eq!(&event.key, b"cust-0123456789ab");
    }

    #[test]
    fn a_transaction_is_looked_for_once() {
        let mut chosen = Chosen::new(1.0);
        assert_eq!(chosen.choose(5).as_deref(), Some("txn-0000000000000005"));
        assert_eq!(chosen.choose(5), None);
    }
}
