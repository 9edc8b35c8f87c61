//! Metrics and their samples, in the form in which Prometheus' own library takes them.

use crate::histogram::Histogram;
use prometheus::core::Desc;
use prometheus::proto::{self, Bucket, LabelPair, MetricFamily, MetricType};
use std::collections::{BTreeMap, HashMap};

/// The description of a metric.
pub struct Metric {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Metric {
    pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, help, kind: Kind::Counter, labels }
    }

    pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, help, kind: Kind::Gauge, labels }
    }

    pub const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, help, kind: Kind::Histogram, labels }
    }

    /// The form in which the registry takes it.
    pub fn description(&self) -> prometheus::Result<Desc> {
        let labels = self.labels.iter().map(|label| (*label).to_owned()).collect();
        Desc::new(self.name.to_owned(), self.help.to_owned(), labels, HashMap::new())
    }

    /// The first cells of its row in docs/METRICS.md: name, type and labels.
    #[cfg(test)]
    pub fn row(&self) -> String {
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = self.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("`{}` {kind} {}", self.name, labels.join(", "))
    }

    fn family(&self) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family
    }

    fn sample(&self, labels: &[&str]) -> proto::Metric {
        let pair = |(name, value): (&&'static str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        debug_assert_eq!(self.labels.len(), labels.len(), "{}", self.name);
        proto::Metric::from_label(self.labels.iter().zip(labels).map(pair).collect())
    }
}

/// Samples by metric.
#[derive(Default)]
pub struct Samples(BTreeMap<&'static str, MetricFamily>);

impl Samples {
    /// Adds the value of a counter or gauge. `labels` are the values of its labels, in their order.
    pub fn add(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        let mut sample = metric.sample(labels);
        if let Kind::Counter = metric.kind {
            let mut counter = proto::Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        } else {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
        self.push(metric, sample);
    }

    /// Adds the value of a counter or gauge that is a whole number.
    pub fn count(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        self.add(metric, labels, value as f64);
    }

    /// Adds a boolean gauge (0 or 1).
    pub fn flag(&mut self, metric: &'static Metric, labels: &[&str], value: bool) {
        self.count(metric, labels, value.into());
    }

    pub fn histogram(&mut self, metric: &'static Metric, labels: &[&str], histogram: &Histogram) {
        let bucket = |(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        };
        let mut value = proto::Histogram::default();
        value.set_bucket(histogram.cumulative().map(bucket).collect());
        value.set_sample_count(histogram.count());
        value.set_sample_sum(histogram.sum());
        let mut sample = metric.sample(labels);
        sample.set_histogram(value);
        self.push(metric, sample);
    }

    /// The metric families as Prometheus encodes them.
    pub fn into_families(self) -> Vec<MetricFamily> {
        self.0.into_values().collect()
    }

    fn push(&mut self, metric: &'static Metric, sample: proto::Metric) {
        self.0.entry(metric.name).or_insert_with(|| metric.family()).mut_metric().push(sample);
    }
}
