//! The domain's values, shared by all crates: records and transactions, money, time, place, score, the
//! accounts of the books. No dataflow, no input or output, no rules.

pub mod books;
pub mod calendar;
pub mod dead_letter;
pub mod decimal;
pub mod dimensions;
pub mod id;
pub mod money;
pub mod place;
pub mod record;
pub mod root;
pub mod rule_id;
pub mod score;
pub mod timestamp;
pub mod transaction;

pub use books::{Account, BooksEntry};
pub use calendar::Calendar;
pub use dead_letter::{DeadLetter, Reason};
pub use decimal::Thousandths;
pub use dimensions::{Customer, Entity, ListChange, ListEntry, Product, Store};
pub use id::Id;
pub use money::Cents;
pub use place::Place;
pub use record::{PartitionId, Record, Source};
pub use rule_id::RuleId;
pub use score::Score;
pub use transaction::{Currency, Received, Transaction};
