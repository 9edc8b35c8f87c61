//! `gold.customer_totals`, and `gold.customer_profile` over it.

use super::view::{Column, Table, Value};
use streamflow_dataflow::views::customer_profile::{Profile, ProfileKey};

/// The table.
pub static TABLE: Table<ProfileKey, Profile> = Table::new(
    "gold.customer_totals",
    "gold.customer_profile",
    &[
        Column { name: "customer_key", value: Value::Customer(|key| &key.customer) },
        Column { name: "currency", value: Value::Text(|key| key.currency.as_str()) },
    ],
    &[
        Column { name: "first_seen", value: Value::Instant(|profile| profile.first_seen) },
        Column { name: "last_seen", value: Value::Instant(|profile| profile.last_seen) },
        Column { name: "transaction_count", value: Value::Count(|profile| count(profile.sums.count)) },
        Column { name: "minute_sum", value: Value::Count(|profile| count(profile.sums.minutes)) },
        Column {
            name: "minute_square_sum",
            value: Value::Count(|profile| count(profile.sums.squared_minutes)),
        },
        Column { name: "alert_count", value: Value::Count(|profile| count(profile.alerts)) },
        Column { name: "total_amount", value: Value::Money(|profile| profile.sums.cents) },
    ],
);

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
