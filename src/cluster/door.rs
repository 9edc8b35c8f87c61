//! Listens while the cluster runs. A process that connects then cannot join, because a running dataflow
//! cannot gain workers. So all processes commit the records in flight, end, and restart together with it.

use super::greeting::{Answer, Party};
use super::reception::{Guest, Reception};
use crate::stop::Stop;
use std::sync::Arc;
use std::time::Duration;

/// How often it checks for a connection.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Answers processes that connect, and stops this one where that is necessary.
pub struct Door {
    pub reception: Reception,
    /// This process.
    pub party: Party,
    /// Whether the number of processes can grow.
    pub can_grow: bool,
    pub stop: Arc<Stop>,
}

impl Door {
    /// Watches it, in a thread that ends when the process stops.
    pub fn watch(mut self) -> std::io::Result<()> {
        let watch = move || {
            while !self.stop.is_asked() {
                match self.reception.next() {
                    Ok(Some(guest)) => self.answer(guest),
                    // Too many open files, say, are no reason to end.
                    Ok(None) | Err(_) => std::thread::sleep(LOOK_EVERY),
                }
            }
        };
        std::thread::Builder::new().name("door".to_owned()).spawn(watch).map(drop)
    }

    fn answer(&self, guest: Guest) {
        let reason = self.party.refuse(&guest.greeting).map(str::to_owned);
        let reason = reason.unwrap_or_else(|| self.let_in(&guest.greeting.from));
        // It tries again until it is accepted.
        let _ = guest.answer(&Answer::Refused(reason));
    }

    /// The answer to a process of the same build and settings.
    fn let_in(&self, other: &Party) -> String {
        let Party { processes, process, .. } = *other;
        let known = self.party.processes;
        if process < known {
            self.stop.fail(format!("process {process} has started anew: so must all"));
        } else if self.can_grow {
            self.stop.leave(format!("process {process} joins: all start anew, as {processes} processes"));
        } else {
            return format!("there are only {known} processes here");
        }
        "the others run without it and start anew".to_owned()
    }
}
