//! How each table is written.

pub(crate) mod alerts;
pub(crate) mod bronze;
pub mod customer_profile;
pub(crate) mod dimensions;
mod history;
pub(crate) mod lists;
pub(crate) mod pending_events;
pub(crate) mod quality;
mod rule_ids;
pub(crate) mod transactions;
pub mod view;

use streamflow_dataflow::for_each_view;
use streamflow_dataflow::views::{PerView, View, Views};
use view::Aggregate;

/// The tables of the views over facts.
pub struct Tables;

impl PerView for Tables {
    type Of<V: View> = &'static Aggregate<V::Key, V::Sum>;
}

macro_rules! tables {
    ($($module:ident $View:ident,)+) => {
        $(mod $module;)+

        /// The table of each view: that of the file of its name.
        #[must_use]
        pub fn tables() -> Views<Tables> {
            Views { $($module: &$module::TABLE,)+ }
        }
    };
}

for_each_view!(tables);
