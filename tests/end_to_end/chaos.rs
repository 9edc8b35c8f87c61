//! Rounds of bad luck under load. A round starts a worker, lets it work for a moment, and ends it or what it stands on; then what
//! is in PostgreSQL must be exactly what the events in it give. At the end nothing of Kafka is missing, and consumers have
//! seen each alert change once.
//!
//! `STREAMFLOW_CHAOS_ROUNDS` sets how many rounds; `STREAMFLOW_CHAOS_SEED` repeats a run's choices, not its moments.

use crate::command::Running;
use crate::consumer::Consumed;
use crate::parts::Parts;
use crate::traffic::DISTURBED;
use postgres::Client;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Topics};
use streamflow_dataflow::model::Rules;
use streamflow_verification as verification;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const PARTITIONS: i32 = 3;

const ROUNDS: usize = 8;

/// How a round ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// kill -9 while it works.
    Killed,
    /// kill -9 before it can have committed anything.
    KilledAtStart,
    /// SIGTERM: it commits what is in flight.
    Asked,
    /// Another worker takes the lease while it works.
    Fenced,
    /// PostgreSQL is killed under it and comes back; then it is killed.
    WithoutPostgres,
}

const ENDS: [End; 5] = [End::Killed, End::KilledAtStart, End::Asked, End::Fenced, End::WithoutPostgres];

struct Chaos {
    parts: Parts,
    dice: StdRng,
}

#[test]
fn kills_lose_nothing_and_repeat_nothing() {
    let number =
        |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let rounds = number("STREAMFLOW_CHAOS_ROUNDS", ROUNDS as u64);
    let seed = number("STREAMFLOW_CHAOS_SEED", u64::from(std::process::id()));
    println!("STREAMFLOW_CHAOS_SEED={seed}");
    // A short horizon: what is final and what is forgotten is restored too.
    let more = json!({"correction_horizon_seconds": 60, "identity_retention_seconds": 20});
    let mut chaos =
        Chaos { parts: Parts::start("chaos", PARTITIONS, &more), dice: StdRng::seed_from_u64(seed) };
    let mut generate = chaos.generate();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds {
        // Each kind of end comes, whatever the dice say.
        let place =
            if round < ENDS.len() as u64 { round as usize } else { chaos.dice.random_range(0..ENDS.len()) };
        chaos.round(ENDS[place]);
        *ends.entry(format!("{:?}", ENDS[place])).or_default() += 1;
        let rows = chaos.verify();
        println!("round {}: {:?}, {rows} rows equal", round + 1, ENDS[place]);
    }
    assert!(generate.ended().is_none(), "{}", generate.printed());
    generate.terminate();
    chaos.catch_up();
    let rows = chaos.verify();
    chaos.check_bronze();
    let alerts = chaos.check_alerts();
    println!(
        "{rounds} rounds ({ends:?}): {rows} rows equal, {alerts} alert changes told once each, 0 differences"
    );
}

impl Chaos {
    /// Live traffic with everything that can be wrong with it.
    fn generate(&self) -> Running {
        let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
        let dense = ["--rate", "600", "--customers", "2000", "--seed", "11"];
        let options: Vec<&str> = dense.into_iter().chain(rates).collect();
        self.parts.command("generate", &options)
    }

    fn start(&mut self) -> Running {
        let workers = format!("workers={}", self.dice.random_range(1..=3));
        self.parts.command("run", &["--set", &workers])
    }

    fn round(&mut self, end: End) {
        let mut run = self.start();
        let moment = |chaos: &mut Self, most: u64| Duration::from_millis(chaos.dice.random_range(0..most));
        if matches!(end, End::KilledAtStart) {
            sleep(moment(self, 400));
            return;
        }
        self.wait_for_progress(&mut run);
        sleep(moment(self, 2000));
        match end {
            End::Killed | End::KilledAtStart => {}
            End::Asked => {
                let status = run.terminate();
                assert!(status.success(), "{}", run.printed());
            }
            End::Fenced => self.fence(run),
            End::WithoutPostgres => {
                self.parts.postgres.kill().unwrap();
                sleep(moment(self, 1000));
                self.parts.postgres.restart().unwrap();
                self.wait_for_progress(&mut run);
            }
        }
    }

    /// A second worker takes over; the first one must notice and end.
    fn fence(&mut self, mut older: Running) {
        let mut newer = self.parts.command("run", &["--set", "workers=1"]);
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = older.ended() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "not fenced");
            sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(1));
        self.wait_for_progress(&mut newer);
    }

    /// Waits until it has committed something.
    fn wait_for_progress(&self, run: &mut Running) {
        let mut client = self.parts.connect();
        let before = read(&mut client);
        let begun = Instant::now();
        while read(&mut client) == before {
            assert!(run.ended().is_none(), "run has ended:\n{}", run.printed());
            assert!(begun.elapsed() < PATIENCE, "stuck:\n{}", run.printed());
            sleep(Duration::from_millis(20));
        }
    }

    /// Lets a worker read and publish all there is.
    fn catch_up(&mut self) {
        let mut run = self.start();
        let mut client = self.parts.connect();
        let end: i64 = self.ends().iter().map(|(_, end)| end).sum();
        let begun = Instant::now();
        loop {
            let told = self.parts.consume("alerts").len() as i64;
            if read(&mut client) == end
                && told == number(&mut client, "SELECT alert_changes FROM streamflow.progress")
            {
                break;
            }
            assert!(run.ended().is_none(), "run has ended:\n{}", run.printed());
            assert!(begun.elapsed() < PATIENCE, "stuck:\n{}", run.printed());
            sleep(Duration::from_millis(200));
        }
        assert!(run.terminate().success(), "{}", run.printed());
    }

    /// Where the partitions of all topics end.
    fn ends(&self) -> Vec<((String, i32), i64)> {
        let topics = Topics::connect(&KafkaSettings::plaintext(self.parts.kafka.brokers())).unwrap();
        let mut ends = Vec::new();
        for name in ["customers", "stores", "products", "blacklist", "transactions"] {
            let topic = self.parts.topic(name);
            for partition in 0..topics.partitions(&topic).unwrap() {
                let end = topics.offsets(&topic, partition).unwrap().latest as i64;
                ends.push(((topic.clone(), i32::from(partition)), end));
            }
        }
        ends
    }

    /// Every table against the recomputation; returns the rows compared.
    fn verify(&self) -> i64 {
        let comparisons = verification::all(&mut self.parts.connect(), &Rules::default()).unwrap();
        let differing: Vec<_> = comparisons.iter().filter(|comparison| comparison.differing > 0).collect();
        assert!(differing.is_empty(), "{differing:#?}");
        comparisons.iter().map(|comparison| comparison.rows).sum()
    }

    /// Every offset of the transactions is in bronze or among the dead letters, once.
    fn check_bronze(&self) {
        let sql = "SELECT source_topic, source_partition, count(*), count(DISTINCT source_offset), \
                 max(source_offset) + 1 \
             FROM (SELECT source_topic, source_partition, source_offset FROM bronze.raw_transactions \
                   UNION ALL SELECT source_topic, source_partition, source_offset FROM bronze.dead_letters) AS e \
             GROUP BY 1, 2";
        let rows = self.parts.connect().query(sql, &[]).unwrap();
        let events: BTreeMap<(String, i32), [i64; 3]> =
            rows.iter().map(|row| ((row.get(0), row.get(1)), [row.get(2), row.get(3), row.get(4)])).collect();
        let transactions = self.parts.topic("transactions");
        for (partition, end) in self.ends().into_iter().filter(|((topic, _), _)| *topic == transactions) {
            assert_eq!(events[&partition], [end; 3], "{partition:?}");
        }
    }

    /// Consumers have seen every change of the outbox once, those of an alert in order; returns how many.
    fn check_alerts(&self) -> usize {
        let rows = self
            .parts
            .connect()
            .query("SELECT payload::text FROM bronze.raw_fraud_alerts ORDER BY number", &[])
            .unwrap();
        let committed: Vec<Value> =
            rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect();
        let told: Vec<Value> = self.parts.consume("alerts").iter().map(Consumed::json).collect();
        assert_eq!(told.len(), committed.len());
        assert_eq!(by_alert(&told), by_alert(&committed));
        told.len()
    }
}

fn by_alert(changes: &[Value]) -> BTreeMap<&str, Vec<&Value>> {
    let mut alerts: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for change in changes {
        alerts.entry(change["alert_id"].as_str().unwrap()).or_default().push(change);
    }
    alerts
}

/// Events that are committed.
fn read(client: &mut Client) -> i64 {
    let sql = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account = 'read'";
    number(client, sql)
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}
