//! Topics as the oracle refers to them: by their place.

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

    pub(crate) fn place(&self, name: &str, table: &'static str) -> Result<u16, VerificationError> {
        let place = self.0.iter().position(|topic| topic == name).and_then(|place| u16::try_from(place).ok());
        place.ok_or_else(|| unreadable(table, &format!("topic {name}, which streamflow.topics lacks")))
    }

    pub(crate) fn name(&self, place: u16) -> &str {
        self.0.get(usize::from(place)).map_or("", String::as_str)
    }

    /// What each place holds for the oracle: events of transactions, and in one place more the list entries.
    pub(crate) fn roles(&self) -> Vec<TopicRole> {
        let mut roles = vec![TopicRole::Transactions; self.0.len()];
        roles.push(TopicRole::Blacklist);
        roles
    }

    /// The place of the list entries.
    pub(crate) fn blacklist(&self) -> u16 {
        self.0.len() as u16
    }
}
