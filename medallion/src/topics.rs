//! The names of the configured topics.

/// Topic names by their index in the configuration, the number in a `PartitionId`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics(Vec<String>);

impl Topics {
    /// The topics in the order of the configuration.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// The name of a topic; empty for a number that the configuration does not have.
    #[must_use]
    pub fn name(&self, topic: u16) -> &str {
        self.0.get(usize::from(topic)).map_or("", String::as_str)
    }

    /// The number of a topic; `None` for one that the configuration does not have.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u16> {
        let index = self.0.iter().position(|topic| topic == name)?;
        u16::try_from(index).ok()
    }

    /// All names in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}
