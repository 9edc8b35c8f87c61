//! Synthetic card traffic with labelled fraud, as bytes: no broker, no database, no dataflow.
//!
//! ```text
//! GeneratorSettings ─> Population ─┬─> DimensionRecord, ...   (customers, stores, products, blacklist)
//!                                  └─> Traffic ─> GeneratedEvent, ...   (payload, key, due time, label)
//! ```
//!
//! The law: equal settings give equal bytes, on every run. All randomness comes from seeded ChaCha8
//! streams, one for each concern, so that changing one rate leaves the other draws alone.

mod agenda;
mod currency;
mod defect;
mod disturbance;
mod event;
mod history;
mod identity;
mod label;
mod payload;
mod payment;
mod population;
mod purchase;
mod randomness;
mod scenarios;
mod settings;
mod time;
mod traffic;

pub use event::GeneratedEvent;
pub use label::{Label, Pattern};
pub use population::{DimensionRecord, Population};
pub use settings::{GeneratorSettings, SettingsError};
pub use traffic::Traffic;
