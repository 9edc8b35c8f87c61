//! Rounds of bad luck under load. A round starts a worker, lets it work for a moment, and ends it or what it stands on; then what
//! is in PostgreSQL must be exactly what the events in it give, and consumers of Kafka must have seen each alert change and dead
//! letter once, in order, none before it was committed. At the end nothing of Kafka is missing, and consumers have seen all.
//!
//! `STREAMFLOW_CHAOS_ROUNDS` sets how many rounds; `STREAMFLOW_CHAOS_SEED` repeats a run's choices, not its moments.

use crate::command::Running;
use crate::consumer::Consumed;
use crate::parts::Parts;
use crate::traffic::DISTURBED;
use postgres::{Client, Row};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Topics};
use streamflow_dataflow::model::Rules;
use streamflow_verification as verification;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const PARTITIONS: i32 = 3;

/// The signal of a process that aborts itself.
const ABORTED: i32 = 6;

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
    /// It dies at a named line: see `connectors/src/failpoint.rs`.
    At(&'static str),
    /// PostgreSQL is killed under it and comes back; then it is killed.
    WithoutPostgres,
    /// Kafka is killed under it and comes back; then it is killed.
    WithoutKafka,
}

const ENDS: [End; 12] = [
    End::Killed,
    End::KilledAtStart,
    End::Asked,
    End::Fenced,
    End::At("before-postgres-commit"),
    End::At("during-postgres-commit"),
    End::At("after-postgres-commit"),
    End::At("before-kafka-commit"),
    End::At("during-kafka-commit"),
    End::At("after-kafka-commit"),
    End::WithoutPostgres,
    End::WithoutKafka,
];

/// Each time it is passed, an armed failpoint strikes with this chance.
const CHANCE: &str = "0.3";

struct Chaos {
    parts: Parts,
    dice: StdRng,
}

#[test]
fn kills_lose_nothing_and_repeat_nothing() {
    let number =
        |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let rounds = number("STREAMFLOW_CHAOS_ROUNDS", ENDS.len() as u64);
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
        let (rows, published) = (chaos.verify(), chaos.check_published().alert_changes);
        println!("round {}: {:?}, {rows} rows equal, {published} alert changes told", round + 1, ENDS[place]);
    }
    assert!(generate.ended().is_none(), "{}", generate.printed());
    generate.terminate();
    chaos.catch_up();
    let rows = chaos.verify();
    chaos.check_bronze();
    let Published { alert_changes, dead_letters, is_all } = chaos.check_published();
    assert!(is_all);
    println!(
        "{rounds} rounds ({ends:?}): {rows} rows equal, {alert_changes} alert changes and {dead_letters} dead letters told once \
         each, 0 differences"
    );
}

impl Chaos {
    /// Live traffic with everything that can be wrong with it.
    fn generate(&self) -> Running {
        let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
        let dense = ["--rate", "300", "--customers", "1000", "--seed", "11"];
        let options: Vec<&str> = dense.into_iter().chain(rates).collect();
        self.parts.command("generate", &options)
    }

    fn start(&mut self) -> Running {
        let workers = format!("workers={}", self.dice.random_range(1..=3));
        self.parts.command("run", &["--set", &workers])
    }

    fn round(&mut self, end: End) {
        if let End::At(failpoint) = end {
            return self.strike(failpoint);
        }
        let mut run = self.start();
        let moment = |chaos: &mut Self, most: u64| Duration::from_millis(chaos.dice.random_range(0..most));
        if matches!(end, End::KilledAtStart) {
            sleep(moment(self, 400));
            return;
        }
        self.wait_for_progress(&mut run);
        sleep(moment(self, 2000));
        match end {
            End::Killed | End::KilledAtStart | End::At(_) => {}
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
            End::WithoutKafka => {
                self.parts.kafka.kill().unwrap();
                sleep(moment(self, 1000));
                self.parts.kafka.restart().unwrap();
                self.wait_for_progress(&mut run);
            }
        }
    }

    /// A worker that dies at a failpoint.
    fn strike(&mut self, failpoint: &str) {
        let variable = ("STREAMFLOW_FAILPOINT", format!("{failpoint}@{CHANCE}"));
        let mut run = self.parts.command_with("run", &["--set", "workers=2"], Some(variable));
        let status = wait_for_end(&mut run);
        assert_eq!(status.signal(), Some(ABORTED), "{failpoint}: {status}\n{}", run.printed());
    }

    /// A second worker takes over; the first one must notice and end.
    fn fence(&mut self, mut older: Running) {
        let mut newer = self.parts.command("run", &["--set", "workers=1"]);
        assert_eq!(wait_for_end(&mut older).code(), Some(1));
        self.wait_for_progress(&mut newer);
    }

    /// Waits until it has committed something.
    fn wait_for_progress(&self, run: &mut Running) {
        let mut client = self.parts.connect();
        let before = read(&mut client);
        let begun = Instant::now();
        while read(&mut client) == before {
            run.keep_waiting(begun, PATIENCE, "all is committed");
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
                && self.parts.consume("dead_letters").len() as i64
                    == number(&mut client, "SELECT dead_letters FROM streamflow.progress")
            {
                break;
            }
            run.keep_waiting(begun, PATIENCE, "all is committed");
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

    /// Consumers have seen changes of the outbox once each, those of an alert from its first on in order, and dead letters once each,
    /// with their values.
    fn check_published(&self) -> Published {
        let mut client = self.parts.connect();
        // Kafka first: what is there has been committed before.
        let (told, letters) = (self.parts.consume("alerts"), self.parts.consume("dead_letters"));
        let sql = "SELECT payload::text FROM bronze.raw_fraud_alerts ORDER BY number";
        let json = |row: &Row| serde_json::from_str(row.get(0)).unwrap();
        let committed: Vec<Value> = client.query(sql, &[]).unwrap().iter().map(json).collect();
        let changes: Vec<Value> = told.iter().map(Consumed::json).collect();
        let committed_changes = by_alert(&committed);
        for (alert, changes) in by_alert(&changes) {
            assert!(
                committed_changes.get(alert).is_some_and(|all| all.starts_with(&changes)),
                "{alert}: {changes:#?}"
            );
        }
        let sql = "SELECT id, CASE WHEN payload_is_base64 THEN decode(payload, 'base64') \
                 ELSE convert_to(payload, 'UTF8') END FROM bronze.dead_letters";
        let value = |row: &Row| -> (i64, Option<Vec<u8>>) { (row.get(0), row.get(1)) };
        let committed_letters: BTreeMap<_, _> = client.query(sql, &[]).unwrap().iter().map(value).collect();
        let mut seen = BTreeSet::new();
        for letter in &letters {
            let number = number_of(letter);
            assert!(seen.insert(number), "dead letter {number} came twice");
            assert_eq!(committed_letters.get(&number), Some(&letter.value), "dead letter {number}");
        }
        Published {
            alert_changes: told.len(),
            dead_letters: letters.len(),
            is_all: told.len() == committed.len() && letters.len() == committed_letters.len(),
        }
    }
}

/// What consumers have seen.
struct Published {
    alert_changes: usize,
    dead_letters: usize,
    is_all: bool,
}

/// The number of a dead letter.
fn number_of(letter: &Consumed) -> i64 {
    let (_, number) = letter.headers.iter().find(|(name, _)| name == "dlq.number").unwrap();
    std::str::from_utf8(number).unwrap().parse().unwrap()
}

/// Waits until a worker has ended by itself.
fn wait_for_end(run: &mut Running) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = run.ended() {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "has not ended:\n{}", run.printed());
        sleep(Duration::from_millis(20));
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
