//! What is to be done about a transaction.

use serde::{Deserialize, Serialize};

/// What whoever receives an alert is to do about the transaction, from the mildest on. Of several rules that
/// triggered the strictest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Nothing: it is only recorded.
    Allow,
    /// A person looks at it.
    #[default]
    Review,
    /// It is held.
    Block,
}

impl Action {
    /// All, from the mildest on.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Review, Self::Block];

    /// The name that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Review => "review",
            Self::Block => "block",
        }
    }
}
