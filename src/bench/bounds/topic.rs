//! Topics for as long as something is measured.

use anyhow::Result;
use std::collections::BTreeMap;
use streamflow_connectors::kafka::{KafkaSettings, TopicAdmin, TopicSettings};

/// A topic that is deleted when dropped.
pub struct Topic<'a> {
    pub name: String,
    pub settings: &'a KafkaSettings,
    admin: TopicAdmin,
}

impl<'a> Topic<'a> {
    /// A new one, whose name ends in `of`.
    pub fn create(settings: &'a KafkaSettings, of: &str) -> Result<Self> {
        let name = format!("streamflow.bounds.{}.{of}", std::process::id());
        let topic =
            TopicSettings { name: name.clone(), partitions: 1, replication: -1, configs: BTreeMap::new() };
        let admin = TopicAdmin::connect(settings)?;
        admin.create_missing(&[topic])?;
        Ok(Self { name, settings, admin })
    }
}

impl Drop for Topic<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.admin.delete(std::slice::from_ref(&self.name)) {
            tracing::warn!("topic {} stays: {error}", self.name);
        }
    }
}
