//! Alert rules and dashboards: they are what they should be, they say what they should, and a real Prometheus
//! fills them.

mod dashboards;
mod live;
mod metrics;
mod prometheus;
mod promql;
mod rules;
mod services;
mod world;
