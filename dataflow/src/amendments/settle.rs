//! Final transactions of a customer, before their time.

use serde::{Deserialize, Serialize};
use streamflow_model::Id;

/// Asks history to fold a customer's transactions before an event time, and to emit them as settled, although an
/// event of another customer still holds finality back.
///
/// To be sent where the watermark is a horizon behind that event time at least, and no earlier amendment of the
/// customer waits: then nothing changes them any more but amendments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SettleCustomer {
    /// The customer.
    pub customer: Id,
    /// The event time, microseconds since 1970.
    pub before: i64,
}
