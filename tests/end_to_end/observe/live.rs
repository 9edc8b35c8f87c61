//! A running pipeline fills every panel and every rule, and each thing that goes wrong fires the alerts that
//! it should, no others.

use super::dashboards::{Dashboard, Query};
use super::metrics::{FOREIGN, Teller};
use super::prometheus::{Pace, Prometheus, Sample};
use super::promql::{selectors, unfiltered};
use super::world::World;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What Grafana puts in the place of its variables.
const VARIABLES: [(&str, &str); 3] =
    [("$job", "streamflow"), ("$instance", ".*"), ("$__rate_interval", "20s")];

#[test]
fn panels_and_rules_have_data_and_outages_fire_what_they_should() {
    let mut world = World::start("observe", &Pace::Fast, None);
    world.wait_for(&BTreeSet::new(), |world| lacking(&world.prometheus));
    assert!(!has_data(&world.prometheus, "streamflow_told_by_nobody"));
    world.wait_for(&BTreeSet::new(), |world| firing(&world.prometheus));

    let without_postgres = expected(
        &["PostgresDown", "FrontierStalled", "LagHigh", "PublishingStalled"],
        &["availability", "freshness"],
    );
    world.parts.postgres.kill().unwrap();
    outage(&mut world, &without_postgres, |world| world.parts.postgres.restart().unwrap());

    let without_kafka = expected(&["BrokerDown", "PublishingStalled"], &["availability"]);
    world.flows = false;
    world.parts.kafka.pause().unwrap();
    world.change_windows();
    outage(&mut world, &without_kafka, |world| {
        world.parts.kafka.resume().unwrap();
        world.flows = true;
    });

    let without_worker = expected(&["WorkerDown"], &["availability", "freshness"]);
    world.kill_worker();
    outage(&mut world, &without_worker, World::restart_worker);
}

/// These alerts, and those of the objectives that are missed.
fn expected(alerts: &[&str], missed: &[&str]) -> BTreeSet<String> {
    let alerts = alerts.iter().map(|alert| format!("Streamflow{alert}"));
    let burns = ["BudgetBurnsFast", "BudgetBurnsSlowly"].iter();
    let burns = burns.flat_map(|alert| missed.iter().map(move |slo| format!("Streamflow{alert} {slo}")));
    alerts.chain(burns).collect()
}

/// Something has failed: exactly these alerts fire until `repair`. Then none does, and no other has
/// meanwhile.
fn outage(world: &mut World, expected: &BTreeSet<String>, repair: impl FnOnce(&mut World)) {
    let begun = Instant::now();
    world.wait_for(expected, |world| firing(&world.prometheus));
    repair(world);
    world.wait_for(&BTreeSet::new(), |world| firing(&world.prometheus));
    assert_eq!(fired(&world.prometheus, begun.elapsed()), *expected);
}

/// The alerts that fire now.
fn firing(prometheus: &Prometheus) -> BTreeSet<String> {
    names(&prometheus.query("ALERTS{alertstate=\"firing\"}"))
}

/// The alerts that have fired within this time.
fn fired(prometheus: &Prometheus, within: Duration) -> BTreeSet<String> {
    names(
        &prometheus.query(&format!("max_over_time(ALERTS{{alertstate=\"firing\"}}[{}s])", within.as_secs())),
    )
}

/// Alerts by name, and objective where they have one. Disks, and how fast events are committed, are this
/// machine's, whatever the test does to the pipeline: those alerts are left out.
fn names(samples: &[Sample]) -> BTreeSet<String> {
    let told = samples.iter().filter_map(|sample| {
        let name = &sample.labels["alertname"];
        match sample.labels.get("slo") {
            Some(slo) if slo == "latency" => None,
            Some(slo) => Some(format!("{name} {slo}")),
            None if name.starts_with("StreamflowDisk") || name == "StreamflowCommitsSlow" => None,
            None => Some(name.clone()),
        }
    });
    told.collect()
}

/// Panels, variables and rules that have no data, or only what is no number.
fn lacking(prometheus: &Prometheus) -> BTreeSet<String> {
    let dashboards = Dashboard::all();
    let mut lacking = BTreeSet::new();
    for Query { place, expression } in dashboards.iter().flat_map(Dashboard::variables) {
        let inner = expression.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (selector, label) = inner.rsplit_once(", ").unwrap();
        if prometheus.label_values(&filled(selector), label).is_empty() {
            lacking.insert(place);
        }
    }
    let panels = dashboards.iter().flat_map(Dashboard::queries);
    let rules = prometheus.rules().into_iter();
    let unfiltered = rules.map(|rule| Query { expression: unfiltered(&rule.expression), ..rule });
    for Query { place, expression } in panels.chain(unfiltered) {
        let expression = filled(&expression);
        if !has_data(prometheus, &expression) {
            lacking.insert(format!("{place}: {expression}"));
        }
        for selector in selectors(&expression) {
            if is_there(&selector.metric) && !has_data(prometheus, &selector.text) {
                lacking.insert(format!("{place}: {}", selector.text));
            }
        }
    }
    lacking
}

fn filled(expression: &str) -> String {
    VARIABLES.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn has_data(prometheus: &Prometheus, expression: &str) -> bool {
    prometheus.query(expression).iter().any(|sample| !sample.value.is_nan())
}

/// Whether somebody tells this metric in the test. Alerts and targets that are down are not there as long as
/// all is well.
fn is_there(metric: &str) -> bool {
    let foreign = FOREIGN.iter().find(|foreign| foreign.metric == metric);
    foreign.is_none_or(|foreign| [Teller::NodeExporter, Teller::PostgresExporter].contains(&foreign.teller))
}

/// `make observe`: all of it, for a person to look at.
#[test]
#[ignore = "runs until it is interrupted: make observe"]
fn for_a_person() {
    let mut world = World::start("observe", &Pace::Real, Some("127.0.0.1:9090"));
    let mut generate = world.parts.command("generate", &["--rate", "100", "--customers", "100000"]);
    println!("worker      http://{}/metrics", world.worker());
    println!("Prometheus  {}/alerts", world.prometheus.url());
    println!("Kafka       {}", world.parts.kafka.brokers());
    println!("PostgreSQL  {}", world.parts.postgres.psql_command());
    println!(
        "Grafana: add {} as a data source and import dashboards/*.json. Ctrl-C ends it.",
        world.prometheus.url()
    );
    loop {
        assert!(generate.ended().is_none(), "{}", generate.printed());
        let until = Instant::now() + Duration::from_secs(10);
        world.wait_until("somebody ends it", |_| Instant::now() >= until);
    }
}
