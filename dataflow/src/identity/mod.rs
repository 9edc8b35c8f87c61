//! Identity: a transaction is its id; here events become new transactions, duplicates, corrections or voids.
//!
//! Law: events are taken in the order of (epoch, partition, offset). Producers keep a customer's events in
//! one partition, so for them this is the order of offsets, however the epochs were cut. The highest revision
//! is current; of several events with it, the one in the smallest (partition, offset).
//!
//! ```text
//! events ────(by transaction id)── known ids ──┬── versions ──> history
//!                                              ├── received ──> bronze
//!                                              ├── dead letters (conflicting identity, late corrections)
//!                                              └── tallies
//! ```

mod known;

use crate::admission::AdmittedEvent;
use crate::decode::SCHEMA_VERSION;
use crate::operators::output;
use crate::operators::stash::Stash;
use crate::operators::state_size::StateSizeLog;
use crate::operators::watermark::{PartitionTime, Watermark};
use crate::resume::{Restored, RestoredTransaction, Resume};
use crate::settings::Settings;
use crate::tally::{Observation, Tallies, Tally};
use differential_dataflow::{AsCollection, VecCollection};
use known::{Known, KnownIds};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamflow_model::timestamp::{MINUTE, Rfc3339};
use streamflow_model::{Account, DeadLetter, Id, Reason, Received, Transaction, id};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// A version of a transaction that becomes current.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Event time of the version that it replaces, microseconds since 1970; `None` for a new transaction.
    pub replaces: Option<i64>,
}

/// The outputs of [`identify`].
pub struct Identified<'s> {
    /// Versions that become current, in order: those of a transaction replace each other.
    pub versions: StreamVec<'s, u64, Version>,
    /// Every event that is no dead letter.
    pub received: VecCollection<'s, u64, Received, isize>,
    /// Conflicting identities, and corrections that come too late.
    pub dead_letters: StreamVec<'s, u64, DeadLetter>,
    /// Counts of observations.
    pub tallies: StreamVec<'s, u64, Tally>,
}

/// Decides for each event whether it is a new transaction, a duplicate, a correction or a void. Without
/// `received_wanted`, `received` is empty.
pub fn identify<'s>(
    settings: &Settings,
    received_wanted: bool,
    resume: &Resume,
    restored: &Restored<'s>,
    events: StreamVec<'s, u64, AdmittedEvent>,
    partition_times: StreamVec<'s, u64, PartitionTime>,
) -> Identified<'s> {
    let scope = events.scope();
    let mut builder = OperatorBuilder::new("identity".to_owned(), scope);
    let state_size = StateSizeLog::new(scope, &builder.operator_info());
    let by_id = Exchange::new(|event: &AdmittedEvent| id::route(&event.transaction.id));
    let mut events = builder.new_input(events, by_id);
    let mut partition_times = builder.new_input(partition_times, Pipeline);
    let by_id = |restored: &RestoredTransaction| id::route(&restored.transaction.id);
    let mut restored = builder.new_input(restored.transactions.clone(), Exchange::new(by_id));
    let (mut versions_out, versions) = output::add(&mut builder);
    let (mut received_out, received) = output::add(&mut builder);
    let (mut letters_out, dead_letters) = output::add(&mut builder);
    let (mut tallies_out, tallies) = output::add(&mut builder);
    let mut identity = Identity::new(settings);
    let remembered_since = resume.settled(settings).saturating_sub(settings.identity_retention);
    builder.build(move |_| {
        let mut stash = Stash::new(4);
        move |frontiers| {
            events.for_each(|capability, data| stash.hold_first(&capability, data));
            partition_times.for_each(|capability, data| stash.hold_second(&capability, data));
            restored.for_each(|_, data| {
                for RestoredTransaction { transaction, .. } in data.drain(..) {
                    if transaction.event_time >= remembered_since {
                        identity.known.remember(&transaction);
                    }
                }
            });
            if !frontiers[2].is_empty() {
                return;
            }
            while let Some(mut epoch) = stash.next_complete(&[&frontiers[0], &frontiers[1]]) {
                let [on_versions, on_received, on_letters, on_tallies] = epoch.capabilities.as_slice() else {
                    return;
                };
                let (mut received_out, mut letters_out) = (received_out.activate(), letters_out.activate());
                let mut versions = Vec::with_capacity(epoch.first.len());
                let mut received = received_out.session(on_received);
                let mut letters = letters_out.session(on_letters);
                // Nearly always in order already, which costs one comparison each.
                epoch.first.sort_by_key(|event| event.transaction.source);
                let mut events = epoch.first.into_iter();
                while !events.as_slice().is_empty() {
                    let entries = identity.known.look_ahead(events.as_slice());
                    for (entry, event) in entries.into_iter().zip(events.by_ref()) {
                        match identity.decide(&event, entry) {
                            Outcome::Refused(reason, message) => {
                                letters.give(event.dead_letter(reason, message));
                            }
                            outcome => {
                                let (row, transaction) = event.received();
                                if received_wanted {
                                    received.give((row, epoch.time, 1));
                                }
                                if let Outcome::Current(replaces) = outcome {
                                    versions.push(Version { transaction, replaces });
                                }
                            }
                        }
                    }
                }
                versions_out.activate().session(on_versions).give_container(&mut versions);
                tallies_out.activate().session(on_tallies).give_iterator(identity.tallies.take());
                identity.watermark.update(epoch.second.drain(..));
                identity.forget();
                state_size.report(|| (identity.known.len(), identity.known.bytes()));
            }
        }
    });
    Identified { versions, received: received.as_collection(), dead_letters, tallies }
}

enum Outcome {
    /// Becomes current and replaces the version at this event time, if any.
    Current(Option<i64>),
    NoEffect,
    Refused(Reason, String),
}

struct Identity {
    horizon: i64,
    retention: i64,
    known: KnownIds,
    watermark: Watermark,
    tallies: Tallies,
}

impl Identity {
    fn new(settings: &Settings) -> Self {
        Self {
            horizon: settings.correction_horizon,
            retention: settings.identity_retention,
            known: KnownIds::default(),
            watermark: Watermark::default(),
            tallies: Tallies::default(),
        }
    }

    /// Decides an event; `fresh` is its entry, to be remembered if it becomes current.
    fn decide(&mut self, event: &AdmittedEvent, fresh: Known) -> Outcome {
        let transaction = &event.transaction;
        self.tallies.open(transaction.source.partition().topic(), event.partition_time);
        let final_before = event.partition_time.saturating_sub(self.horizon);
        let forgotten_before = final_before.saturating_sub(self.retention);
        let account = if transaction.voided { Account::Voiding } else { Account::New };
        let (number, known) = match self.known.find(&fresh) {
            Some((number, known)) if known.event_time >= forgotten_before => (number, known),
            Some((number, _)) => {
                self.known.replace(number, fresh);
                return self.accept(event, account, None);
            }
            None => {
                self.known.add(fresh);
                return self.accept(event, account, None);
            }
        };
        if known.customer != fresh.customer {
            return self.refuse(Reason::ConflictingIdentity, conflict(&transaction.id));
        }
        let replaceable = known.event_time >= final_before;
        match transaction.revision.cmp(&known.revision) {
            std::cmp::Ordering::Less => self.ignore(Account::Superseded),
            std::cmp::Ordering::Equal if fresh.partition < known.partition && replaceable => {
                self.known.replace(number, fresh);
                self.tallies.count(Observation::Ended(Account::Duplicate));
                Outcome::Current(Some(known.event_time))
            }
            std::cmp::Ordering::Equal => self.ignore(Account::Duplicate),
            std::cmp::Ordering::Greater if replaceable => {
                self.known.replace(number, fresh);
                let account = if transaction.voided { Account::Voiding } else { Account::Correcting };
                self.accept(event, account, Some(known.event_time))
            }
            std::cmp::Ordering::Greater => {
                self.refuse(Reason::TooLate, late_correction(&known, final_before))
            }
        }
    }

    fn accept(&mut self, event: &AdmittedEvent, account: Account, replaces: Option<i64>) -> Outcome {
        self.tallies.count(Observation::Ended(account));
        let transaction = &event.transaction;
        let seen = [
            (transaction.place.is_none(), Observation::NoPlace),
            (transaction.product.is_none(), Observation::NoProduct),
            (transaction.payment_method.is_none(), Observation::NoPaymentMethod),
            (event.schema_version > SCHEMA_VERSION, Observation::NewerSchema),
            (event.partition_time - transaction.event_time > MINUTE, Observation::Late),
        ];
        for (_, observation) in seen.into_iter().filter(|(holds, _)| *holds) {
            self.tallies.count(observation);
        }
        Outcome::Current(replaces)
    }

    fn ignore(&mut self, account: Account) -> Outcome {
        self.tallies.count(Observation::Ended(account));
        Outcome::NoEffect
    }

    fn refuse(&mut self, reason: Reason, message: String) -> Outcome {
        self.tallies.count(Observation::DeadLetter(reason));
        Outcome::Refused(reason, message)
    }

    fn forget(&mut self) {
        let settled = self.watermark.settled(self.horizon);
        self.known.forget(settled.saturating_sub(self.retention));
    }
}

fn conflict(id: &Id) -> String {
    format!("transaction_id {id}: is known under another customer_id")
}

fn late_correction(known: &Known, limit: i64) -> String {
    format!(
        "revision: the version it replaces, of {}, must be at or after {}",
        Rfc3339(known.event_time),
        Rfc3339(limit)
    )
}
