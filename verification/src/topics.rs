//! Topics as the oracle refers to them: by index.

use crate::VerificationError;
use crate::error::unreadable;
use crate::snapshot::Snapshot;
use streamflow_oracle::TopicRole;

/// The topics in the order of their keys, which is that of the configuration they were first seen with.
pub(crate) struct Topics(Vec<String>);

impl Topics {
    pub(crate) fn read(snapshot: &mut Snapshot<'_>) -> Result<Self, VerificationError> {
        let sql = "SELECT topic FROM streamflow.topics ORDER BY topic_key";
        Ok(Self(snapshot.rows(sql, |row| Ok(row.try_get(0)?))?))
    }

    pub(crate) fn index(&self, name: &str, table: &'static str) -> Result<u16, VerificationError> {
        let index = self.0.iter().position(|topic| topic == name).and_then(|index| u16::try_from(index).ok());
        index.ok_or_else(|| unreadable(table, &format!("topic {name}, which streamflow.topics lacks")))
    }

    pub(crate) fn name(&self, index: u16) -> &str {
        self.0.get(usize::from(index)).map_or("", String::as_str)
    }

    /// What the topic at each index holds: transaction events, and list entries at one more index.
    pub(crate) fn roles(&self) -> Vec<TopicRole> {
        let mut roles = vec![TopicRole::Transactions; self.0.len()];
        roles.push(TopicRole::Blacklist);
        roles
    }

    /// The index of the list entries.
    pub(crate) fn blacklist(&self) -> u16 {
        self.0.len() as u16
    }
}
