//! How each table is written.

pub(crate) mod aggregates;
pub(crate) mod alerts;
pub(crate) mod bronze;
mod history;
pub(crate) mod lists;
pub(crate) mod quality;
pub(crate) mod realtime;
pub(crate) mod reference;
pub(crate) mod transactions;
mod view;
