//! The metrics, by family. Each is described in docs/METRICS.md.

mod commits;
mod events;
mod flow;
mod frontiers;
mod health;
mod kafka;
mod latency;
mod operators;
mod process;
mod publisher;
mod samples;
mod start;

use super::Observed;
use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use samples::{Metric, Samples};
use std::sync::Arc;

struct Family {
    metrics: &'static [&'static Metric],
    read: fn(&Observed, &mut Samples),
}

const FAMILIES: [Family; 11] = [
    events::FAMILY,
    latency::FAMILY,
    frontiers::FAMILY,
    kafka::FAMILY,
    commits::FAMILY,
    publisher::FAMILY,
    start::FAMILY,
    flow::FAMILY,
    operators::FAMILY,
    process::FAMILY,
    health::FAMILY,
];

/// A registry of all families. They read `observed` when they are gathered.
///
/// # Errors
/// Two metrics have one name, or Prometheus does not allow a name: a defect of this program.
pub fn registry(observed: &Arc<Observed>) -> prometheus::Result<Registry> {
    let registry = Registry::new();
    for Family { metrics, read } in FAMILIES {
        let descriptions = metrics.iter().map(|metric| metric.description()).collect::<Result<_, _>>()?;
        registry.register(Box::new(Reader { observed: Arc::clone(observed), descriptions, read }))?;
    }
    Ok(registry)
}

struct Reader {
    observed: Arc<Observed>,
    descriptions: Vec<Desc>,
    read: fn(&Observed, &mut Samples),
}

impl Collector for Reader {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut samples = Samples::default();
        (self.read)(&self.observed, &mut samples);
        samples.into_families()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pipeline::Status;
    use crate::stop::Stop;
    use std::collections::BTreeSet;

    #[test]
    fn every_metric_is_documented_as_it_is() {
        let documented = include_str!("../../../docs/METRICS.md");
        let rows = documented.lines().filter(|line| line.starts_with("| `streamflow_"));
        let documented: BTreeSet<String> = rows
            .map(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                format!("{} {} {}", cells[1], cells[2], cells[3])
            })
            .collect();
        let told: BTreeSet<String> =
            FAMILIES.iter().flat_map(|family| family.metrics).map(|m| m.row()).collect();
        assert_eq!(documented, told);
    }

    #[test]
    fn a_pipeline_that_has_not_begun_can_be_asked() {
        let config = Config::load(None, &[]).unwrap();
        let observed = Observed::new(&config, &Arc::<Status>::default(), &Arc::<Stop>::default());
        let families = registry(&Arc::new(observed)).unwrap().gather();
        let value = |name: &str| {
            let family = families.iter().find(|family| family.name() == name);
            family.map(|family| family.get_metric()[0].get_gauge().get_value())
        };
        assert_eq!(value("streamflow_healthy"), Some(1.0));
        assert_eq!(value("streamflow_ready"), Some(0.0));
        assert_eq!(value("streamflow_frontier_timestamp_seconds"), None);
    }
}
