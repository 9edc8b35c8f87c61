//! Answers events that wait: looks up in the tables what the graph's memory does not hold.
//!
//! Law: the events of one batch are answered before the next batch is read, and their effects are committed:
//! so each answer sees the effects of those before it. Nothing else waits for an answer.

use super::plan::Plan;
use crate::stop::Stop;
use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use postgres::Client;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use streamflow_connectors::outage::{Outage, Pauses, Words};
use streamflow_connectors::postgres::{PostgresError, PostgresSettings, connect};
use streamflow_connectors::source::Wake;
use streamflow_dataflow::amendments::Answer;
use streamflow_medallion::answers::Answers;
use streamflow_model::Source;

/// The most events of one batch.
const BATCH: i64 = 1000;

/// How often the table is looked at while nothing waits.
const IDLE_PAUSE: Duration = Duration::from_millis(200);

/// How often it is looked at whether the answers given have been taken and committed.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

const WORDS: Words =
    Words { wait: "events that wait cannot be looked up", go_on: "events that wait are looked up again" };
const PAUSES: Pauses = Pauses { shortest: Duration::from_millis(500), longest: Duration::from_secs(5) };

/// A thread with a connection of its own, until it is dropped.
pub struct Answering {
    /// Never used to send: the thread ends when this is dropped.
    owner: Option<Sender<()>>,
    answers: Receiver<Vec<Answer>>,
    thread: Option<JoinHandle<()>>,
}

impl Answering {
    /// Starts the thread. `wake` is called when there are answers.
    pub fn start(plan: &Plan, stop: &Arc<Stop>, wake: Wake) -> Result<Self> {
        let (owner, ended) = bounded(0);
        let (given, answers) = bounded(1);
        let answering = Thread {
            postgres: plan.postgres.clone(),
            answers: Answers::new(plan.settings.clone(), Arc::clone(&plan.names)),
            ended,
            given,
            wake,
        };
        let stop = Arc::clone(stop);
        let thread = std::thread::Builder::new()
            .name("answer".to_owned())
            .spawn(move || answering.run(&stop))
            .context("cannot start a thread")?;
        Ok(Self { owner: Some(owner), answers, thread: Some(thread) })
    }

    /// The answers that are to be given to the graph now.
    pub fn take(&self) -> Vec<Answer> {
        self.answers.try_recv().unwrap_or_default()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        drop(self.owner.take());
        if let Some(thread) = self.thread.take() {
            // Its failures are in `stop` already.
            let _ = thread.join();
        }
    }
}

/// Why answering goes no further.
enum End {
    /// It is no longer wanted.
    Dropped,
    /// What it reads cannot be right.
    Failed(PostgresError),
}

struct Thread {
    postgres: PostgresSettings,
    answers: Answers,
    ended: Receiver<()>,
    given: Sender<Vec<Answer>>,
    wake: Wake,
}

impl Thread {
    fn run(&self, stop: &Stop) {
        let mut outage = Outage::new(WORDS, PAUSES);
        loop {
            let pause = match self.session(&mut outage) {
                End::Dropped => return,
                End::Failed(error @ (PostgresError::Fenced(_) | PostgresError::Settings { .. })) => {
                    return stop.fail(error.to_string());
                }
                End::Failed(error) => outage.note(&error),
            };
            if self.pause(pause).is_err() {
                return;
            }
        }
    }

    fn session(&self, outage: &mut Outage) -> End {
        let result = connect(&self.postgres).and_then(|mut client| {
            self.answers.on_connect(&mut client)?;
            loop {
                let answers = self.answers.read(&mut client, BATCH)?;
                outage.over();
                if answers.is_empty() {
                    if self.pause(IDLE_PAUSE).is_err() {
                        return Ok(());
                    }
                } else if self.give(&mut client, answers)?.is_err() {
                    return Ok(());
                }
            }
        });
        result.map_or_else(End::Failed, |()| End::Dropped)
    }

    /// Gives answers to the graph, and waits until they have been taken and committed.
    fn give(&self, client: &mut Client, answers: Vec<Answer>) -> Result<Result<(), Ended>, PostgresError> {
        let given: Vec<Source> =
            answers.iter().map(|answer| answer.pending.event.transaction.source).collect();
        tracing::debug!(events = given.len(), "answers for events that wait");
        if self.given.send(answers).is_err() {
            return Ok(Err(Ended));
        }
        (self.wake)();
        while self.answers.any_waits(client, &given)? {
            if self.pause(BUSY_PAUSE).is_err() {
                return Ok(Err(Ended));
            }
        }
        Ok(Ok(()))
    }

    fn pause(&self, time: Duration) -> Result<(), Ended> {
        match self.ended.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            _ => Err(Ended),
        }
    }
}

/// The thread is no longer wanted.
struct Ended;
