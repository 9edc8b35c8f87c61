//! The migrations in `sql/`, embedded; `build.rs` lists them.

use streamflow_connectors::postgres::Migration;

/// All migrations, in order.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    include!(concat!(env!("OUT_DIR"), "/migrations.rs"))
}
