//! A backlog whose topics are unequally full: the one that is read sooner waits, so that what lies between them
//! does not fill memory.

use crate::parts::Parts;
use serde_json::json;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::Producer;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The backlog's length, without the gap in the middle of all topics.
const HOURS: i64 = 10;
const GAP_HOURS: i64 = 3;
const FULL: i64 = 40_000;
const SPARSE: i64 = 400;
const ALIGNMENT_SECONDS: i64 = 3_000;

#[test]
fn a_topic_far_ahead_of_the_slowest_waits_for_it() {
    let more = json!({
        "correction_horizon_seconds": 60, "identity_retention_seconds": 60,
        "pipeline": {"alignment_seconds": ALIGNMENT_SECONDS},
    });
    let parts = Parts::start("alignment", 1, &more);
    let (full, sparse) = (parts.topic("transactions"), parts.topic("sparse"));
    parts.kafka.create_topic(&sparse, 1, &[]).unwrap();
    for (topic, count) in [(&full, FULL), (&sparse, SPARSE)] {
        parts.fill_with_the_past(topic, &[], |producer| send(producer, topic, count));
    }
    let mut run = parts.command("run", &["--set", &format!("topics.transactions=[{full},{sparse}]")]);
    let mut client = parts.connect();
    let sql = "SELECT (reference_times -> $1 ->> '0')::int8, (reference_times -> $2 ->> '0')::int8, \
             coalesce((offsets -> $1 ->> '0')::int8, 0) FROM streamflow.progress WHERE reference_times ?& ARRAY[$1, $2]";
    let (begun, mut looks) = (Instant::now(), 0);
    loop {
        run.keep_waiting(begun, PATIENCE, "all is read");
        let Some(row) = client.query_opt(sql, &[&full, &sparse]).unwrap() else { continue };
        let (slow, fast, read) = (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2));
        let ahead = (fast - slow) / 1_000_000;
        assert!(ahead <= ALIGNMENT_SECONDS + GAP_HOURS * 3600, "{ahead} s ahead");
        if read >= FULL {
            break;
        }
        looks += i32::from(read > 0);
    }
    assert!(looks > 3, "{looks} looks while it was read");
    let sql = "SELECT sum(events)::int8 FROM streamflow.books WHERE account = 'new'";
    while client.query_one(sql, &[]).unwrap().get::<_, Option<i64>>(0) != Some(FULL + SPARSE) {
        run.keep_waiting(begun, PATIENCE, "all is accepted");
    }
    assert!(run.terminate().success());
}

fn send(producer: &Producer, topic: &str, count: i64) {
    let begin = chrono::Utc::now() - chrono::Duration::hours(HOURS + GAP_HOURS + 1);
    for number in 0..count {
        let gap = if number * 2 < count { 0 } else { GAP_HOURS };
        let at = begin + chrono::Duration::milliseconds(number * HOURS * 3_600_000 / count + gap * 3_600_000);
        let event = json!({
            "transaction_id": format!("{topic}-{number}"), "customer_id": format!("{topic}-{}", number % 50),
            "store_id": "s", "amount": "10.00", "timestamp": at.to_rfc3339(),
        });
        let time = at.timestamp_millis();
        producer.send(topic, b"key", Some(event.to_string().as_bytes()), Some(time)).unwrap();
    }
}
