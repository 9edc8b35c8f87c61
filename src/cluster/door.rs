//! Listens while the cluster runs. A process that connects then cannot join, because a running dataflow
//! cannot gain workers. So all processes commit the records in flight, end, and restart together with it.

use super::greeting::{Answer, Greeting};
use super::message;
use crate::stop::Stop;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How often it checks for a connection.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a new connection may take to send its greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers processes that connect, and stops this one where that is necessary.
pub struct Door {
    pub listener: TcpListener,
    /// The identity of this process.
    pub greeting: Greeting,
    /// Whether the number of processes can grow.
    pub can_grow: bool,
    pub stop: Arc<Stop>,
}

impl Door {
    /// Watches it, in a thread that ends when the process stops.
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
        // What is no process of StreamFlow gets no answer.
        let Ok(other) = receive(&mut stream) else { return };
        let reason = self.greeting.refuse(&other).map(str::to_owned);
        let reason = reason.unwrap_or_else(|| self.let_in(&other));
        // It tries again until it is accepted.
        let _ = message::send(&mut stream, &Answer::Refused(reason));
    }

    /// The answer to a process of the same build and settings.
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
/// The message is not a greeting, or none arrived in time.
pub fn receive(stream: &mut TcpStream) -> anyhow::Result<Greeting> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(GREETING_TIMEOUT))?;
    stream.set_write_timeout(Some(GREETING_TIMEOUT))?;
    message::receive(stream)
}
