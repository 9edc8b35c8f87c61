//! The domain: what flows through the graph, with exact money, time, place and score.

pub mod alert;
pub mod books;
pub mod calendar;
pub mod context;
pub mod dead_letter;
pub mod decimal;
pub mod hit;
pub mod id;
pub mod money;
pub mod place;
pub mod record;
pub mod reference;
pub mod root;
pub mod rules;
pub mod score;
pub mod timestamp;
pub mod transaction;
pub mod views;

pub use alert::{Alert, AlertChange, Cause, ChangeKind};
pub use books::{Account, BooksEntry};
pub use calendar::Calendar;
pub use context::{Context, Listing, PreviousPlace, Sums};
pub use dead_letter::{DeadLetter, Reason};
pub use decimal::Thousandths;
pub use hit::{Evidence, Hit, Rule};
pub use id::Id;
pub use money::Cents;
pub use place::Place;
pub use record::{PartitionId, Record, Source};
pub use reference::{Customer, Entity, ListChange, ListEntry, Product, Store};
pub use rules::{Rules, RulesChange};
pub use score::{Score, Verdict};
pub use transaction::{Currency, Received, Scored, Settled, Transaction};
pub use views::{Settings, Upsert, ViewChange};
