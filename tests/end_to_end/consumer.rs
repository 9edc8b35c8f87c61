//! A consumer that sees what is committed, and nothing else.

use postgres::Client;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A record that is visible.
#[derive(Clone, Debug)]
pub struct Consumed {
    /// Its partition.
    pub partition: i32,
    /// Where it stands in the partition.
    pub offset: i64,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value, if it has one.
    pub value: Option<Vec<u8>>,
    /// Name and value of each.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Consumed {
    /// The value as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.value.as_ref().unwrap()).unwrap()
    }
}

/// All committed records of a topic, in the order of partition and offset.
pub fn read_committed(brokers: &str, topic: &str) -> Vec<Consumed> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "tests")
        .set("isolation.level", "read_committed")
        // Markers of transactions take offsets: the end is told by an event, not by the last record.
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition as i32, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut records, mut ended): (Vec<Consumed>, usize) = (Vec::new(), 0);
    while ended < partitions {
        match consumer.poll(Duration::from_secs(60)).expect("Kafka answers") {
            Ok(message) => records.push(consumed(&message)),
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{topic}: {error}"),
        }
    }
    records.sort_unstable_by_key(|record| (record.partition, record.offset));
    records
}

fn consumed(message: &BorrowedMessage<'_>) -> Consumed {
    let headers = message.headers().map(|headers| {
        let owned = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
        };
        headers.iter().map(owned).collect()
    });
    Consumed {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}

/// The last message of each window, store and currency; each must come once for a frontier, in the order of frontiers.
/// Windows that were emptied are gone.
pub fn told_windows(records: &[Consumed]) -> BTreeMap<String, Value> {
    let mut latest: BTreeMap<String, Value> = BTreeMap::new();
    for window in records.iter().map(Consumed::json) {
        let key = window_key(&window);
        let old = latest.get(&key).map_or(-1, |old| old["frontier"].as_i64().unwrap());
        assert!(old < window["frontier"].as_i64().unwrap(), "{window} comes after {old}");
        latest.insert(key, window);
    }
    latest.retain(|_, window| window["transaction_count"] != 0);
    latest
}

/// The rows of `gold.realtime_metrics` in the form of messages.
pub fn table_windows(client: &mut Client) -> BTreeMap<String, Value> {
    let sql = "SELECT json_build_object('window_start', \
             to_char(window_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), \
             'store_key', store_key, 'store_id', store_id, 'currency', currency, 'transaction_count', transaction_count, \
             'total_amount', total_amount::text, 'avg_amount', avg_amount::text, \
             'alert_count', alert_count, 'distinct_customers', distinct_customers, \
             'frontier', changed_frontier)::text \
         FROM gold.realtime_metrics LEFT JOIN gold.dim_store USING (store_key)";
    let rows = client.query(sql, &[]).unwrap();
    let windows = rows.iter().map(|row| serde_json::from_str::<Value>(row.get(0)).unwrap());
    windows.map(|window| (window_key(&window), window)).collect()
}

fn window_key(window: &Value) -> String {
    format!("{} {} {}", window["window_start"], window["store_key"], window["currency"])
}
