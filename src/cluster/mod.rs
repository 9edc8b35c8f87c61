//! Several processes as one dataflow.
//!
//! ```text
//!  members: who belongs to it ──> gathering: a connection to each of them, greeted and found alike
//!                                     │    (dialing and reception: both sides of a greeting; challenge: its proofs)
//!                                     └──> connected: the first process decides from where all continue
//!                                              ├──> link: what timely sends through; the end of one is the end of all
//!                                              ├──> door: whoever knocks while it runs makes it form anew
//!                                              └──> farewell: one that is asked to stop takes the others along, in order
//! ```
//!
//! Laws: no process starts before all are connected, and all start from the same committed frontier; and
//! there is no half of a cluster: a process that loses another ends, with one line that says which. All state
//! is in PostgreSQL, so whoever starts them again loses nothing.

mod challenge;
mod connected;
mod connection;
mod credentials;
mod dialing;
mod door;
mod farewell;
mod gathering;
mod greeting;
mod link;
mod members;
mod message;
mod process_index;
mod reception;
mod settings;

pub use connected::{Cluster, Communication};
pub use farewell::Farewell;
pub use greeting::Identity;
pub use members::Members;
pub use process_index::ProcessIndex;
pub use settings::ClusterSettings;
