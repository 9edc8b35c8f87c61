//! Apache Kafka's jars.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the jars are in a checkout, by `make jars`.
const CHECKOUT: &str = ".cache/kafka";

/// The directory with Kafka's jars: that which `STREAMFLOW_KAFKA_JARS` names, else `.cache/kafka` of the current
/// directory or one above it; `None` where there are none.
#[must_use]
pub fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("STREAMFLOW_KAFKA_JARS") {
        return Some(PathBuf::from(named)).filter(|directory| version(directory).is_some());
    }
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|directory| directory.join(CHECKOUT)).find(|directory| version(directory).is_some())
}

/// The version of the Kafka in a directory.
#[must_use]
pub fn version(directory: &Path) -> Option<String> {
    let names = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| {
            Some(name.to_str()?.strip_prefix("kafka-clients-")?.strip_suffix(".jar")?.to_owned())
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_kafka_has_its_version() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(version(directory.path()), None);
        fs::write(directory.path().join("kafka-clients-4.4.0.jar"), "").unwrap();
        assert_eq!(version(directory.path()).as_deref(), Some("4.4.0"));
        assert_eq!(version(&directory.path().join("none")), None);
    }
}
