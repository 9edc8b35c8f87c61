//! Listens while the cluster runs. A process that comes then cannot be let in: there is no way to give a running dataflow more
//! workers. So all of them commit what is in flight, end, and come back together with it.

use super::greeting::{Answer, Greeting};
use super::message;
use crate::pipeline::Stop;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether somebody knocks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long somebody who has knocked may take to say who it is.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);

/// Who answers, and who is told.
pub struct Door {
    pub listener: TcpListener,
    /// Of this process.
    pub greeting: Greeting,
    /// Whether more processes may come than there are.
    pub can_grow: bool,
    pub stop: Arc<Stop>,
}

impl Door {
    /// Watches it, in a thread that ends when the process stops.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn watch(self) -> std::io::Result<()> {
        self.listener.set_nonblocking(true)?;
        let watch = move || {
            while !self.stop.is_asked() {
                match self.listener.accept() {
                    Ok((stream, _)) => self.answer(stream),
                    Err(_) => std::thread::sleep(LOOK_EVERY),
                }
            }
        };
        std::thread::Builder::new().name("door".to_owned()).spawn(watch).map(drop)
    }

    fn answer(&self, mut stream: TcpStream) {
        // Whoever is no process of ours goes away with nothing.
        let Ok(other) = receive(&mut stream) else { return };
        let reason = self.greeting.refuse(&other).map(str::to_owned);
        let reason = reason.unwrap_or_else(|| self.let_in(&other));
        // It comes again until it is let in.
        let _ = message::send(&mut stream, &Answer::Refused(reason));
    }

    /// What somebody who is alike is told.
    fn let_in(&self, other: &Greeting) -> String {
        let Greeting { processes, process, .. } = *other;
        let known = self.greeting.processes;
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

/// # Errors
/// What came is no greeting, or nothing came in time.
pub fn receive(stream: &mut TcpStream) -> anyhow::Result<Greeting> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(GREETING_TIMEOUT))?;
    stream.set_write_timeout(Some(GREETING_TIMEOUT))?;
    message::receive(stream)
}
