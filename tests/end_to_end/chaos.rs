//! Rounds of bad luck under load, whose events are late, copied, malformed, visible late, aborted, and corrections
//! and voids of any age, days among them. A round starts a worker, lets it work for a moment, and ends it or what it
//! stands on; then what is in PostgreSQL must be exactly what the events in it give, and consumers of Kafka
//! must have seen each alert change and dead letter once, in order, none before it was committed. At the end
//! nothing of Kafka is missing, and consumers have seen all.
//!
//! `STREAMFLOW_CHAOS_ROUNDS` sets how many rounds; `STREAMFLOW_CHAOS_SEED` repeats a run's choices, not its
//! moments.

use crate::command::Running;
use crate::exactness::{
    Published, amendments, check_bronze, check_published, is_caught_up, pending, read, verify,
};
use crate::parts::Parts;
use crate::shop::Shop;
use crate::traffic::DISTURBED;
use crate::upstream::{Outcomes, Upstream};
use chrono::DateTime;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::KafkaSettings;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const PARTITIONS: i32 = 3;

/// Beyond the horizon.
const REFUNDED: [&str; 2] = ["refunded_rate=0.02", "refunded_within=300"];

/// Shops that write in Kafka transactions.
const SHOPS: [&str; 2] = ["north", "south"];

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
    /// Its host's clock is so many seconds ahead, or behind; then it is killed.
    ClockOff(i32),
}

const ENDS: [End; 14] = [
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
    End::ClockOff(7200),
    End::ClockOff(-7200),
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
    // A short horizon: what is final and what is forgotten is restored too. The past is read at once, so that the
    // rounds have the present's traffic.
    let more = json!({
        "correction_horizon_seconds": 60, "identity_retention_seconds": 60,
        "pipeline": {"idle_allowance_seconds": 10, "alignment_seconds": 604_800},
    });
    let mut chaos =
        Chaos { parts: Parts::start("chaos", PARTITIONS, &more), dice: StdRng::seed_from_u64(seed) };
    let upstreams = chaos.open_shops(seed);
    let mut generate = chaos.generate();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds {
        // Each kind of end comes, whatever the dice say.
        let place =
            if round < ENDS.len() as u64 { round as usize } else { chaos.dice.random_range(0..ENDS.len()) };
        chaos.round(ENDS[place]);
        *ends.entry(format!("{:?}", ENDS[place])).or_default() += 1;
        let (rows, published) = (verify(&chaos.parts), check_published(&chaos.parts).alert_changes);
        let waiting = pending(&mut chaos.parts.connect());
        println!(
            "round {}: {:?}, {rows} rows equal, {published} alert changes told, {waiting} events wait",
            round + 1,
            ENDS[place]
        );
    }
    let outcomes: Vec<Outcomes> = upstreams.into_iter().map(Upstream::stop).collect();
    println!("Kafka transactions: {outcomes:?}");
    let happened =
        |kind: fn(&Outcomes) -> u32| rounds < ENDS.len() as u64 || outcomes.iter().any(|of| kind(of) > 0);
    assert!(happened(|of| of.committed) && happened(|of| of.committed_late) && happened(|of| of.aborted));
    assert!(generate.ended().is_none(), "{}", generate.printed());
    assert!(generate.terminate().success(), "{}", generate.printed());
    chaos.catch_up();
    let rows = verify(&chaos.parts);
    check_bronze(&chaos.parts);
    let Published { alert_changes, dead_letters, is_all } = check_published(&chaos.parts);
    assert!(is_all);
    let mut check = chaos.parts.command("verify", &["--from-bronze", "--fail-behind", "3600"]);
    assert!(check.wait().success(), "{}", check.printed());
    let amendments = amendments(&mut chaos.parts.connect());
    assert!(amendments.correcting.min(amendments.voiding).min(amendments.waited) > 0, "{amendments:?}");
    println!("{amendments:?}");
    println!(
        "{rounds} rounds ({ends:?}): {rows} rows equal, {alert_changes} alert changes and {dead_letters} dead letters told once \
         each, 0 differences"
    );
}

impl Chaos {
    /// Shops with a past of days, whose payments go on to be amended.
    fn open_shops(&self, seed: u64) -> Vec<Upstream> {
        let topic = self.parts.topic("transactions");
        let seeds = seed.wrapping_add(1)..;
        let shops: Vec<_> = SHOPS.iter().zip(seeds).map(|(name, seed)| Shop::open(name, seed)).collect();
        let mut past: Vec<&Value> = shops.iter().flat_map(Shop::payments).collect();
        past.sort_by_key(|payment| payment["timestamp"].as_str());
        self.parts.fill_with_the_past(&topic, &[("retention.ms", "-1")], |producer| {
            for payment in past {
                let field = |name: &str| payment[name].as_str().unwrap();
                let time = DateTime::parse_from_rfc3339(field("timestamp")).unwrap().timestamp_millis();
                let (key, value) = (field("customer_id").as_bytes(), payment.to_string());
                producer.send(&topic, key, Some(value.as_bytes()), Some(time)).unwrap();
            }
        });
        let start = |shop: Shop| {
            let (settings, id) =
                (KafkaSettings::plaintext(self.parts.kafka.brokers()), self.parts.topic(&shop.name));
            Upstream::start(shop, settings, id, topic.clone())
        };
        shops.into_iter().map(start).collect()
    }

    /// Live traffic with everything that can be wrong with it.
    fn generate(&self) -> Running {
        let rates = DISTURBED.iter().chain(&REFUNDED).flat_map(|rate| ["--set", *rate]);
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
        let mut run = match end {
            End::ClockOff(seconds) => {
                let variable = ("STREAMFLOW_FAILPOINT", format!("clock@{seconds}"));
                self.parts.command_with("run", &["--set", "workers=2"], Some(variable))
            }
            _ => self.start(),
        };
        let moment = |chaos: &mut Self, most: u64| Duration::from_millis(chaos.dice.random_range(0..most));
        if matches!(end, End::KilledAtStart) {
            sleep(moment(self, 400));
            return;
        }
        self.wait_for_progress(&mut run);
        sleep(moment(self, 2000));
        match end {
            End::Killed | End::KilledAtStart | End::At(_) | End::ClockOff(_) => {}
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

    /// Lets a worker read, decide and publish all there is.
    fn catch_up(&mut self) {
        let mut run = self.start();
        let mut client = self.parts.connect();
        let begun = Instant::now();
        while pending(&mut client) > 0 || !is_caught_up(&self.parts, &mut client) {
            run.keep_waiting(begun, PATIENCE, "all is decided and committed");
        }
        assert!(run.terminate().success(), "{}", run.printed());
    }
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
