//! Listens while the dataflow runs. A process that connects then cannot join, because a running dataflow cannot gain
//! workers. So all processes commit the records in flight and form anew together with it.
//!
//! The first of those that run lets others in, because whoever does not reach it could not work with it. It also
//! looks for those before it, who do not look for those after them.

use super::dialing::{Call, Dialing};
use super::greeting::{Answer, Greeting};
use super::reception::Guest;
use super::site::Site;
use crate::lock::lock;
use crate::stop::Stop;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it checks for a connection.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// For so long those that do not reach all others stay outside, so that they do not keep the others from work.
const OUTSIDE: Duration = Duration::from_secs(60);

/// Answers processes that connect, and has those that run form anew where that is necessary.
pub struct Door {
    site: Arc<Site>,
    stop: Arc<Stop>,
    /// Those that run.
    list: Vec<usize>,
    /// Those that do not reach all of these.
    left_out: Vec<usize>,
    /// Those before the first of these, where this process is that.
    dialing: Vec<Dialing>,
    begun: Instant,
}

impl Door {
    pub fn new(site: &Arc<Site>, stop: &Arc<Stop>, list: Vec<usize>, left_out: Vec<usize>) -> Self {
        let before = list.first().copied().filter(|first| *first == site.process()).unwrap_or(0);
        Self {
            site: Arc::clone(site),
            stop: Arc::clone(stop),
            list,
            left_out,
            dialing: (0..before).map(|_| Dialing::new()).collect(),
            begun: Instant::now(),
        }
    }

    /// Watches it, in a thread that ends when the workers are to.
    pub fn watch(mut self) -> std::io::Result<JoinHandle<()>> {
        let watch = move || {
            while !self.stop.is_asked() {
                self.look_for_those_before();
                let guest = lock(&self.site.reception).next();
                match guest {
                    Ok(Some(guest)) => self.answer(guest),
                    // Too many open files, say, are no reason to end.
                    Ok(None) | Err(_) => std::thread::sleep(LOOK_EVERY),
                }
            }
        };
        std::thread::Builder::new().name("door".to_owned()).spawn(watch)
    }

    fn look_for_those_before(&mut self) {
        for (process, dialing) in self.dialing.iter_mut().enumerate() {
            // The connection has served its purpose: both connect again when all form anew.
            if dialing.connection(|| Call::new(&self.site, process)).is_some() {
                self.stop.leave(format!("process {process} is there: all form anew with it"));
            }
        }
    }

    fn answer(&self, guest: Guest) {
        let reason = self.site.party.refuse(&guest.greeting).map(str::to_owned);
        let reason = reason.unwrap_or_else(|| self.let_in(&guest.greeting));
        // It tries again until it is accepted.
        let _ = guest.answer(&Answer::Refused(reason));
    }

    /// The answer to a process of the same build and settings.
    fn let_in(&self, greeting: &Greeting) -> String {
        let process = greeting.from.process;
        if self.list.contains(&process) {
            self.stop.lose(format!("process {process} has started anew: so must all"));
        } else if !self.site.members.may_have(process) {
            return format!("it says that it is process {process}, and there is none");
        } else if self.list.first() != Some(&self.site.process()) {
            return format!("the others run without it, and process {:?} lets it in", self.list.first());
        } else if self.left_out.contains(&process) && self.begun.elapsed() < OUTSIDE {
            return "the others run without it, because it does not reach all of them".to_owned();
        } else {
            self.stop.leave(format!("process {process} joins: all form anew with it"));
        }
        "the others run without it and form anew".to_owned()
    }
}
