//! Who belongs to the cluster, and which of them this process is.

use super::settings::ClusterSettings;
use anyhow::{Context, Result, bail};
use std::net::ToSocketAddrs;

/// All processes, by their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// A fixed list.
    Listed {
        /// `host:port` of each process.
        hosts: Vec<String>,
        /// The index of this process.
        process: usize,
    },
    /// The pods of a StatefulSet: this one, all before it, and those after it up to the first that has no name.
    /// A pod that is gone for good has none, nor have those that are not made yet.
    Pods {
        /// Name of the StatefulSet.
        name: String,
        /// Its headless service.
        service: String,
        /// The port on which all of them listen.
        port: u16,
        /// The ordinal of this pod.
        process: usize,
    },
}

impl Members {
    /// Who they are by the configuration; `pod` is this pod's name. `None` where this process is alone.
    ///
    /// # Errors
    /// The pod has no name, or one without an ordinal: whoever deployed it can fix that.
    pub fn new(settings: &ClusterSettings, pod: Option<&str>) -> Result<Option<Self>> {
        if let Some(process) = settings.process {
            return Ok(Some(Self::Listed { hosts: settings.hosts.clone(), process }));
        }
        let Some(service) = &settings.service else { return Ok(None) };
        let pod = pod.context("configuration: cluster.service: POD_NAME must hold the name of this pod")?;
        let parts = pod.rsplit_once('-').and_then(|(name, ordinal)| Some((name, ordinal.parse().ok()?)));
        let Some((name, process)) = parts else {
            bail!("POD_NAME = {pod}: must end in the ordinal of a StatefulSet's pod, as worker-0 does");
        };
        let (name, service) = (name.to_owned(), service.clone());
        Ok(Some(Self::Pods { name, service, port: settings.port, process }))
    }

    /// The number of this process.
    pub fn process(&self) -> usize {
        match self {
            Self::Listed { process, .. } | Self::Pods { process, .. } => *process,
        }
    }

    /// How many there are now, as far as this process knows: those after it connect to it anyway.
    pub fn count(&self) -> usize {
        match self {
            Self::Listed { hosts, .. } => hosts.len(),
            Self::Pods { process, .. } => {
                let after = (process + 1..).take_while(|process| has_address(&self.address(*process)));
                process + 1 + after.count()
            }
        }
    }

    /// Where a process listens.
    pub fn address(&self, process: usize) -> String {
        match self {
            Self::Listed { hosts, .. } => hosts.get(process).cloned().unwrap_or_default(),
            Self::Pods { name, service, port, .. } => format!("{name}-{process}.{service}:{port}"),
        }
    }

    /// Whether one of them can have this number.
    pub fn may_have(&self, process: usize) -> bool {
        match self {
            Self::Listed { hosts, .. } => process < hosts.len(),
            Self::Pods { .. } => true,
        }
    }

    /// Whether their number can change while they run.
    pub fn can_change(&self) -> bool {
        matches!(self, Self::Pods { .. })
    }
}

fn has_address(address: &str) -> bool {
    address.to_socket_addrs().is_ok_and(|mut addresses| addresses.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_service() -> ClusterSettings {
        ClusterSettings { service: Some("worker".to_owned()), ..ClusterSettings::default() }
    }

    #[test]
    fn a_pod_knows_its_place_by_its_name() {
        let members = Members::new(&of_service(), Some("streamflow-worker-12")).unwrap().unwrap();
        assert_eq!(members.process(), 12);
        assert_eq!(members.address(3), "streamflow-worker-3.worker:2101");
        for wrong in [None, Some("worker"), Some("worker-x"), Some("worker-")] {
            let told = Members::new(&of_service(), wrong).unwrap_err().to_string();
            assert!(told.contains("POD_NAME"), "{told}");
        }
    }

    #[test]
    fn without_hosts_or_service_there_is_no_cluster() {
        assert_eq!(Members::new(&ClusterSettings::default(), Some("worker-0")).unwrap(), None);
    }

    #[test]
    fn pods_are_counted_up_to_the_first_without_a_name_after_this_one() {
        let service = "nowhere.invalid".to_owned();
        let pods = Members::Pods { name: "nobody".to_owned(), service, port: 2101, process: 3 };
        assert_eq!(pods.count(), 4);
    }
}
