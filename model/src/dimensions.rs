//! Dimensions - customers, stores and products - and the blacklist.

use super::{Id, Place};
use serde::{Deserialize, Serialize};

/// A customer of `reference.customers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Customer {
    /// Identity.
    pub customer_id: Id,
    /// Full name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Home city.
    pub city: Option<String>,
    /// Federal state.
    pub state: Option<String>,
    /// `low`, `normal`, `high` or `critical`.
    pub risk_profile: Option<String>,
    /// When registered, microseconds since 1970.
    pub registered_at: Option<i64>,
}

/// A store of `reference.stores`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Store {
    /// Identity.
    pub store_id: Id,
    /// Name.
    pub name: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Federal state.
    pub state: Option<String>,
    /// Category of goods.
    pub category: Option<String>,
    /// `online` or `physical`.
    pub channel: Option<String>,
    /// Its location.
    pub place: Option<Place>,
}

/// A product of `reference.products`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Product {
    /// Identity.
    pub product_id: Id,
    /// Name.
    pub name: Option<String>,
    /// Category of goods.
    pub category: Option<String>,
    /// List price in cents.
    pub price: Option<i64>,
}

/// Who can be listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Entity {
    /// A customer by id.
    Customer(Id),
    /// A store by id.
    Store(Id),
}

impl Entity {
    /// `customer` or `store`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::Store(_) => "store",
        }
    }

    /// The id within its kind.
    pub fn id(&self) -> &Id {
        match self {
            Self::Customer(id) | Self::Store(id) => id,
        }
    }

    /// From a kind and an id.
    pub fn new(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "customer" => Some(Self::Customer(id.into())),
            "store" => Some(Self::Store(id.into())),
            _ => None,
        }
    }

    /// From a record key, `customer:ID` or `store:ID`.
    pub fn from_key(key: &str) -> Option<Self> {
        let (kind, id) = key.split_once(':')?;
        Self::new(kind, id)
    }
}

/// An entry of the blacklist.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListEntry {
    /// First instant in force, microseconds since 1970; `None` is always.
    pub valid_from: Option<i64>,
    /// First instant no longer in force; `None` is never.
    pub expires_at: Option<i64>,
    /// Why it is listed.
    pub reason: Option<String>,
}

impl ListEntry {
    /// Whether it is in force at `instant`: valid_from <= instant < expires_at.
    pub fn in_force(&self, instant: i64) -> bool {
        self.valid_from.is_none_or(|from| from <= instant) && self.expires_at.is_none_or(|end| instant < end)
    }
}

/// A change of the blacklist: a new version of `entity`'s entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListChange {
    /// The listed customer or store.
    pub entity: Entity,
    /// The first event time to which it applies, microseconds since 1970: its record's time less the
    /// horizon. Older transactions are final.
    pub applies_from: i64,
    /// The new entry; `None` removes the entity from the list.
    pub entry: Option<ListEntry>,
}
