//! The transactions that a rule looks at.

use crate::detectors::Context;
use serde::{Deserialize, Serialize};
use streamflow_model::{Cents, Currency, Id};

/// A part of the transactions; one that restricts nothing is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// Any of these payment methods; empty for all, also for transactions without one.
    pub payment_methods: Vec<Id>,
    /// Any of these stores; empty for all.
    pub stores: Vec<Id>,
    /// Any of these currencies; empty for all.
    pub currencies: Vec<Currency>,
    /// The least amount, in units of the transaction's currency.
    pub amount_from: Option<Cents>,
    /// The amount from which on they do not belong to it any more.
    pub amount_below: Option<Cents>,
}

impl Segment {
    /// Most values in each list.
    const MOST_VALUES: usize = 100;

    /// Whether a transaction belongs to it. Fields that it does not restrict are not asked for: most segments
    /// restrict nothing, and each would be a wait for memory.
    pub fn contains(&self, context: &Context<'_>) -> bool {
        let details = context.details;
        self.amount_from.is_none_or(|from| context.amount >= from.0)
            && self.amount_below.is_none_or(|below| context.amount < below.0)
            && (self.currencies.is_empty() || self.currencies.contains(details.currency()))
            && (self.stores.is_empty() || names(&self.stores, details.store()))
            && (self.payment_methods.is_empty()
                || details.payment_method().is_some_and(|method| names(&self.payment_methods, method)))
    }

    /// What is wrong with it, if anything.
    pub fn problem(&self) -> Option<String> {
        let most = Self::MOST_VALUES;
        let long = [
            ("payment_methods", self.payment_methods.len()),
            ("stores", self.stores.len()),
            ("currencies", self.currencies.len()),
        ];
        if let Some((key, length)) = long.into_iter().find(|(_, length)| *length > most) {
            return Some(format!("{key}: {length} values: must be at most {most}"));
        }
        let (from, below) = self.amount_from.zip(self.amount_below)?;
        (from >= below).then(|| {
            format!("amount_from = {from}: must be below amount_below, or no transaction belongs to it")
        })
    }
}

fn names(ids: &[Id], one: &str) -> bool {
    ids.iter().any(|id| id == one)
}
