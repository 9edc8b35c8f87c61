//! Several processes as one dataflow.
//!
//! ```text
//!  members: who belongs to it ──> gathering: a connection to each of them, greeted and found alike
//!                                     └──> connected: the first process says from where all go on
//!                                              ├──> link: what timely sends through; the end of one is the end of all
//!                                              ├──> door: whoever knocks while it runs makes it form anew
//!                                              └──> farewell: one that is asked to stop takes the others along, in order
//! ```
//!
//! Laws: no process starts before all are connected, and all start from the same committed frontier. And there is no
//! partial cluster: a process that loses another one ends, with one line that names it. All state is in PostgreSQL, so
//! a restart loses nothing.

mod connected;
mod door;
mod farewell;
mod gathering;
mod greeting;
mod link;
mod members;
mod message;
mod process_index;
mod settings;

pub use connected::{Cluster, Communication};
pub use farewell::Farewell;
pub use greeting::Identity;
pub use members::Members;
pub use process_index::ProcessIndex;
pub use settings::ClusterSettings;
