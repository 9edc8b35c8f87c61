//! The names of metrics: those that the pipeline tells, and those of others that rules and dashboards read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Metrics that are not ours, and who tells them.
pub const FOREIGN: [Foreign; 10] = [
    Foreign { metric: "up", teller: Teller::Prometheus },
    Foreign { metric: "ALERTS", teller: Teller::Prometheus },
    Foreign { metric: "node_filesystem_avail_bytes", teller: Teller::NodeExporter },
    Foreign { metric: "node_filesystem_free_bytes", teller: Teller::NodeExporter },
    Foreign { metric: "node_filesystem_size_bytes", teller: Teller::NodeExporter },
    Foreign { metric: "pg_up", teller: Teller::PostgresExporter },
    Foreign { metric: "kubelet_volume_stats_used_bytes", teller: Teller::Kubernetes },
    Foreign { metric: "kubelet_volume_stats_capacity_bytes", teller: Teller::Kubernetes },
    Foreign { metric: "kube_statefulset_replicas", teller: Teller::Kubernetes },
    Foreign { metric: "kube_pod_container_status_restarts_total", teller: Teller::Kubernetes },
];

/// A metric that is not ours.
pub struct Foreign {
    /// Its name.
    pub metric: &'static str,
    /// Who tells it.
    pub teller: Teller,
}

/// Who tells a metric that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// Prometheus itself.
    Prometheus,
    /// Debian's prometheus-node-exporter, on each machine.
    NodeExporter,
    /// Debian's prometheus-postgres-exporter.
    PostgresExporter,
    /// The kubelet and kube-state-metrics; the tests run none.
    Kubernetes,
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files in a directory of the repository with this ending, in their order.
pub fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository(directory)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "no *.{ending} in {directory}");
    files
}

/// What docs/METRICS.md tells of.
pub fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository("docs/METRICS.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `streamflow_"));
    rows.map(|row| format!("streamflow_{}", row.split('`').next().unwrap())).collect()
}

/// The name under which a sample is documented: that of its histogram, where it is of one.
pub fn family(sample: &str) -> &str {
    let documented = documented();
    let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| sample.strip_suffix(part));
    parts.into_iter().find(|family| documented.contains(*family)).unwrap_or(sample)
}
