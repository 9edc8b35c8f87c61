//! Several processes as one dataflow.
//!
//! ```text
//!  site: where this process listens, as long as it lives; members: who belongs to the cluster
//!   └──> gathering: a connection to each that is there, greeted and found alike; all agree who begins
//!         │    (dialing and reception: both sides of a greeting; challenge: its proofs; peer: what is said then;
//!         │     accord: who begins where not all reach each other; connection: over a wire as it is, or in a session
//!         │     that is encrypted, as encryption says)
//!         └──> connected: the first process decides from where all continue
//!                  ├──> link: what timely sends through; the end of one is the end of all
//!                  │    (ties: all of one dataflow, which break as one; framing: where their messages end)
//!                  ├──> door: whoever knocks while they run makes them form anew
//!                  └──> farewell: one that is asked to stop, or to form anew, takes the others along, in order
//! ```
//!
//! Laws: those that begin have agreed on one list of them, and each of these is connected to each before any begins;
//! and all start from the same committed frontier. There is no half of a dataflow: the loss of one of them, or of a
//! connection between two, ends it on all, and they gather anew in the same processes. Who does not come is left out;
//! so there may be several such groups, and those that are not complete begin only while nobody holds the lease: one
//! of them runs, the others wait. All state is in PostgreSQL, so nothing is lost.

mod accord;
#[cfg(test)]
mod certified;
mod challenge;
mod connected;
mod connection;
mod credentials;
mod dialing;
mod door;
mod encryption;
mod farewell;
mod framing;
mod gathering;
mod greeting;
mod link;
mod members;
mod message;
mod named;
mod peer;
mod process_index;
mod reception;
mod refusal;
mod session;
mod settings;
mod site;
mod ties;
mod wire;

pub use connected::{Cluster, Communication, Decision};
pub use farewell::Farewell;
pub use greeting::Identity;
pub use members::Members;
pub use process_index::ProcessIndex;
pub use settings::ClusterSettings;
pub use site::Site;
pub use ties::Ties;
