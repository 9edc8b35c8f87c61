//! What a set of rules would change: the live set and a candidate side by side over history, through the graph.
//!
//! ```text
//! silver.transactions, list, stores ──(source)──┐
//! files ────────────────────────────────────────┴──> replay: live + candidate ──> Report ──> text, JSON, page
//! ```
//!
//! Law: a verdict is a function of the current transactions, the list and the rules. So what is gained, lost and
//! moved within the correction horizon is what activation would raise, withdraw and revise at that frontier, and
//! what is older is what would have been. The list counts as it is now.

mod labels;
mod page;
mod report;
mod source;
mod text;

pub use labels::read as read_labels;
pub use page::page;
pub use report::{Period, Report, Subject};
pub use source::Export;
pub use text::text;
