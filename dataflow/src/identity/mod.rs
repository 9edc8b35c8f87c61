//! Identity: a transaction is its id; here events become new transactions, duplicates, corrections or voids.
//!
//! Law: events are taken in the order of (epoch, partition, offset). Producers keep a customer's events in
//! one partition, so for them this is the order of offsets, however the epochs were cut. The highest revision
//! is current; of several events with it, the one in the smallest (partition, offset). An event that memory
//! cannot decide, because it amends a transaction that is final or unknown, is pending until an answer comes,
//! and all later events of its transaction wait behind it.
//!
//! ```text
//! events ────(by transaction id)── known ids ──┬── versions, amendments ──> history
//! answers ───(by transaction id)──────┘        ├── pending events ──> tables; holds
//!                                              ├── received ──> bronze
//!                                              ├── dead letters (conflicting identity, too late)
//!                                              └── tallies
//! ```

mod decision;
mod known;
mod waiting;

use crate::admission::too_late;
use crate::admitted_event::AdmittedEvent;
use crate::amendments::{Amendment, Answer, Pending, Replaces};
use crate::decode::SCHEMA_VERSION;
use crate::operators::Upsert;
use crate::operators::hold::Hold;
use crate::operators::output;
use crate::operators::stash::Stash;
use crate::operators::state_size::StateSizeLog;
use crate::operators::watermark::{PartitionTime, Watermark};
use crate::resume::{Restored, RestoredTransaction, Resume};
use crate::settings::Settings;
use crate::tally::{Observation, Tallies, Tally};
use decision::{Current, Decision, decide};
use differential_dataflow::{AsCollection, VecCollection};
use known::{Known, KnownIds};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Account, DeadLetter, Id, Reason, Received, Source, Transaction, id};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use waiting::Waiting;

/// A version of a transaction that becomes current.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The epoch in which its event was read.
    pub arrived: u64,
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Event time of the version that it replaces, microseconds since 1970; `None` for a new transaction.
    pub replaces: Option<i64>,
}

/// The outputs of [`identify`].
pub struct Identified<'s> {
    /// Versions that become current; those of a transaction replace each other in the order of arrival.
    pub versions: StreamVec<'s, u64, Version>,
    /// Amendments that have been decided.
    pub amendments: StreamVec<'s, u64, Amendment>,
    /// Events that begin to wait for an answer, and those that no longer do.
    pub pending: StreamVec<'s, u64, Upsert<Source, Pending>>,
    /// While an event waits, finality stands.
    pub holds: StreamVec<'s, u64, Hold>,
    /// Every event that is no dead letter.
    pub received: VecCollection<'s, u64, Received, isize>,
    /// Conflicting identities, and corrections that come too late.
    pub dead_letters: StreamVec<'s, u64, DeadLetter>,
    /// Counts of observations.
    pub tallies: StreamVec<'s, u64, Tally>,
}

/// What comes beside the events.
enum Aside {
    PartitionTime(PartitionTime),
    Answer(Box<Answer>),
}

/// Decides for each event whether it is a new transaction, a duplicate, a correction or a void. Without
/// `received_wanted`, `received` is empty.
pub fn identify<'s>(
    settings: &Settings,
    received_wanted: bool,
    resume: &Resume,
    restored: &Restored<'s>,
    events: StreamVec<'s, u64, AdmittedEvent>,
    answers: StreamVec<'s, u64, Answer>,
    partition_times: StreamVec<'s, u64, PartitionTime>,
) -> Identified<'s> {
    let scope = events.scope();
    let mut builder = OperatorBuilder::new("identity".to_owned(), scope);
    let state_size = StateSizeLog::new(scope, &builder.operator_info());
    let by_id = Exchange::new(|event: &AdmittedEvent| id::route(&event.transaction.id));
    let mut events = builder.new_input(events, by_id);
    let mut partition_times = builder.new_input(partition_times, Pipeline);
    let by_id = Exchange::new(|answer: &Answer| id::route(&answer.pending.event.transaction.id));
    let mut answers = builder.new_input(answers, by_id);
    let by_id = |restored: &RestoredTransaction| id::route(&restored.transaction.id);
    let mut restored_transactions = builder.new_input(restored.transactions.clone(), Exchange::new(by_id));
    let by_id = Exchange::new(|pending: &Pending| id::route(&pending.event.transaction.id));
    let mut restored_pending = builder.new_input(restored.pending.clone(), by_id);
    let (mut versions_out, versions) = output::add(&mut builder);
    let (mut amendments_out, amendments) = output::add(&mut builder);
    let (mut pending_out, pending) = output::add(&mut builder);
    let (mut holds_out, holds) = output::add(&mut builder);
    let (mut received_out, received) = output::add(&mut builder);
    let (mut letters_out, dead_letters) = output::add(&mut builder);
    let (mut tallies_out, tallies) = output::add(&mut builder);
    let mut identity = Identity::new(settings);
    let horizon = settings.correction_horizon;
    let remembered_since = resume.settled(settings).saturating_sub(settings.identity_retention);
    builder.build(move |_| {
        let mut stash = Stash::new(7);
        move |frontiers| {
            events.for_each(|capability, data| stash.hold_first(&capability, data));
            partition_times.for_each(|capability, data| {
                let mut times = data.drain(..).map(Aside::PartitionTime).collect();
                stash.hold_second(&capability, &mut times);
            });
            answers.for_each(|capability, data| {
                let mut answers = data.drain(..).map(|answer| Aside::Answer(Box::new(answer))).collect();
                stash.hold_second(&capability, &mut answers);
            });
            restored_transactions.for_each(|_, data| {
                for RestoredTransaction { transaction, .. } in data.drain(..) {
                    if transaction.event_time >= remembered_since {
                        identity.known.remember(&transaction);
                    }
                }
            });
            restored_pending.for_each(|capability, data| {
                let holds = data.iter().map(|pending| pending.hold(horizon, true));
                holds_out.activate().session(&capability).give_iterator(holds);
                data.drain(..).for_each(|pending| identity.waiting.add(pending));
            });
            if !(frontiers[3].is_empty() && frontiers[4].is_empty()) {
                return;
            }
            while let Some(mut epoch) = stash.next_complete(&[&frontiers[0], &frontiers[1], &frontiers[2]]) {
                let [on_versions, on_amendments, on_pending, on_holds, on_received, on_letters, on_tallies] =
                    epoch.capabilities.as_slice()
                else {
                    return;
                };
                let mut out = Decided::new(epoch.time, received_wanted, epoch.first.len());
                for aside in epoch.second.drain(..) {
                    match aside {
                        Aside::PartitionTime(time) => identity.watermark.update([time]),
                        Aside::Answer(answer) => identity.answer(*answer, &mut out),
                    }
                }
                // Nearly always in order already, which costs one comparison each.
                epoch.first.sort_by_key(|event| event.transaction.source);
                let mut events = epoch.first.into_iter();
                while !events.as_slice().is_empty() {
                    let entries = identity.known.look_ahead(events.as_slice());
                    for (entry, event) in entries.into_iter().zip(events.by_ref()) {
                        identity.take(event, entry, &mut out);
                    }
                }
                received_out.activate().session(on_received).give_container(&mut out.received);
                versions_out.activate().session(on_versions).give_container(&mut out.versions);
                amendments_out.activate().session(on_amendments).give_container(&mut out.amendments);
                pending_out.activate().session(on_pending).give_container(&mut out.pending);
                holds_out.activate().session(on_holds).give_container(&mut out.holds);
                letters_out.activate().session(on_letters).give_container(&mut out.dead_letters);
                tallies_out.activate().session(on_tallies).give_iterator(identity.tallies.take());
                identity.forget();
                state_size.report(|| (identity.known.len(), identity.known.bytes()));
            }
        }
    });
    let received = received.as_collection();
    Identified { versions, amendments, pending, holds, received, dead_letters, tallies }
}

/// An event that is to be decided.
struct Arrived {
    event: AdmittedEvent,
    /// The epoch in which it was read.
    epoch: u64,
    /// Transactions before this event time were final for its partition when it came, microseconds since 1970.
    own_final_before: i64,
    /// An id was forgotten then whose transaction is before this event time, microseconds since 1970.
    remembered_from: i64,
}

/// What has been decided in an epoch.
struct Decided {
    epoch: u64,
    received_wanted: bool,
    versions: Vec<Version>,
    amendments: Vec<Amendment>,
    pending: Vec<Upsert<Source, Pending>>,
    holds: Vec<Hold>,
    received: Vec<(Received, u64, isize)>,
    dead_letters: Vec<DeadLetter>,
}

impl Decided {
    /// Nothing yet, of an epoch with so many events.
    fn new(epoch: u64, received_wanted: bool, events: usize) -> Self {
        Self {
            epoch,
            received_wanted,
            versions: Vec::with_capacity(events),
            amendments: Vec::new(),
            pending: Vec::new(),
            holds: Vec::new(),
            received: Vec::with_capacity(if received_wanted { events } else { 0 }),
            dead_letters: Vec::new(),
        }
    }

    /// Adds the row in bronze of an event that is no dead letter, and returns its transaction. `final_before` is its
    /// line where it had to wait.
    fn receive(&mut self, event: AdmittedEvent, final_before: Option<i64>) -> Arc<Transaction> {
        let (received, transaction) = event.received();
        if self.received_wanted {
            self.received.push((Received { final_before, ..received }, self.epoch, 1));
        }
        transaction
    }
}

struct Identity {
    horizon: i64,
    retention: i64,
    correction_retention: i64,
    known: KnownIds,
    waiting: Waiting,
    watermark: Watermark,
    tallies: Tallies,
}

impl Identity {
    fn new(settings: &Settings) -> Self {
        Self {
            horizon: settings.correction_horizon,
            retention: settings.identity_retention,
            correction_retention: settings.correction_retention,
            known: KnownIds::default(),
            waiting: Waiting::default(),
            watermark: Watermark::default(),
            tallies: Tallies::default(),
        }
    }

    /// Takes an event; `fresh` is its entry, to be remembered if it becomes current.
    fn take(&mut self, event: AdmittedEvent, fresh: Known, out: &mut Decided) {
        self.open(&event);
        let own_final_before = event.final_before(self.horizon);
        let remembered_from = own_final_before.saturating_sub(self.retention);
        let arrived = Arrived { event, epoch: out.epoch, own_final_before, remembered_from };
        if self.waiting.contains(&arrived.event.transaction.id) {
            let line = self.waiting.line(&arrived.event.transaction.id);
            let line = line.map_or(own_final_before, |line| line.max(own_final_before));
            self.suspend(arrived, line, true, out);
        } else {
            self.decide(arrived, fresh, out);
        }
    }

    fn open(&mut self, event: &AdmittedEvent) {
        self.tallies.open(event.transaction.source.partition().topic(), event.partition_time);
    }

    /// Decides an event, or lets it wait for an answer.
    fn decide(&mut self, arrived: Arrived, fresh: Known, out: &mut Decided) {
        let Arrived { event, epoch, own_final_before, remembered_from } = &arrived;
        let (transaction, epoch, final_before) = (&event.transaction, *epoch, *own_final_before);
        let found = self.known.find(&fresh);
        let known = found.filter(|(_, known)| known.event_time >= *remembered_from).map(|(_, known)| known);
        if known.is_none() && transaction.amends() {
            return self.suspend(arrived, final_before, false, out);
        }
        if known.is_some_and(|known| known.customer != fresh.customer) {
            return self.refuse_conflict(arrived.event, out);
        }
        let current = known.as_ref().map(Current::from);
        match decide(transaction, current, final_before) {
            Decision::Amends => self.suspend(arrived, final_before, false, out),
            Decision::Becomes(account) => {
                match found {
                    Some((number, _)) => self.known.replace(number, fresh),
                    None => self.known.add(fresh),
                }
                self.count(&arrived.event, account);
                let transaction = out.receive(arrived.event, None);
                let replaces = known.map(|known| known.event_time);
                out.versions.push(Version { arrived: epoch, transaction, replaces });
            }
            Decision::NoEffect(account) => self.ignore(arrived.event, None, account, out),
            Decision::TooLate => self.refuse_late(arrived.event, final_before, out),
        }
    }

    /// Decides an event that has waited for an answer, and then those behind it up to one that has to wait for
    /// an answer too.
    ///
    /// Those behind are decided as if they had come now, each at its own line, or at that of an earlier one that
    /// had to wait at a later line. So the outcome does not depend on how long answers take.
    fn answer(&mut self, answer: Answer, out: &mut Decided) {
        let line = answer.pending.final_before;
        let id = answer.pending.event.transaction.id.clone();
        self.end_wait(&answer.pending, out);
        self.waiting.remove_first(&answer.pending);
        self.decide_answered(answer, out);
        while let Some(pending) = self.waiting.next(&id) {
            self.end_wait(&pending, out);
            let Pending { event, arrived: epoch, own_final_before, reaches_back_to, .. } = pending;
            let fresh = self.known.entry_for(&event.transaction);
            let arrived = Arrived { event, epoch, own_final_before, remembered_from: reaches_back_to };
            if line > own_final_before {
                self.suspend(arrived, line, false, out);
            } else {
                self.decide(arrived, fresh, out);
            }
        }
        self.wait_behind(&id, out);
    }

    /// Lets those behind the first event of a transaction wait as long as that at least.
    fn wait_behind(&mut self, id: &Id, out: &mut Decided) {
        let Some(line) = self.waiting.line(id) else { return };
        for pending in self.waiting.behind(id) {
            let final_before = pending.own_final_before.max(line);
            if pending.final_before != final_before {
                pending.final_before = final_before;
                out.pending.push((pending.event.transaction.source, Some(pending.clone())));
            }
        }
    }

    fn end_wait(&mut self, pending: &Pending, out: &mut Decided) {
        out.pending.push((pending.event.transaction.source, None));
        out.holds.push(pending.hold(self.horizon, false));
        self.open(&pending.event);
        self.tallies.take_back(Observation::Ended(Account::Pending));
    }

    fn decide_answered(&mut self, answer: Answer, out: &mut Decided) {
        let Answer { number, pending, found, verdict, sole_in_minute, sole_in_hour, past, whole_from } =
            answer;
        let Pending { event, final_before, reaches_back_to, .. } = pending;
        let transaction = &event.transaction;
        let fresh = self.known.entry_for(transaction);
        let known = self.known.find(&fresh).map(|(_, known)| known);
        let known = known.filter(|known| known.event_time >= reaches_back_to);
        let (conflicts, current) = match (&found, known) {
            (Some(found), _) => {
                let found = &found.scored.transaction;
                (found.customer != transaction.customer, Some(Current::from(&**found)))
            }
            (None, Some(known)) => (known.customer != fresh.customer, Some(Current::from(&known))),
            (None, None) => (false, None),
        };
        if conflicts {
            return self.refuse_conflict(event, out);
        }
        let earlier = current.map_or(i64::MAX, |current| current.event_time).min(transaction.event_time);
        let account = match decide(transaction, current, final_before) {
            Decision::Becomes(account) => account,
            Decision::Amends if earlier < whole_from => {
                return self.refuse_removed(event, earlier, whole_from, out);
            }
            Decision::Amends if transaction.voided => Account::Voiding,
            Decision::Amends => Account::Correcting,
            Decision::NoEffect(account) => return self.ignore(event, Some(final_before), account, out),
            Decision::TooLate => return self.refuse_late(event, final_before, out),
        };
        let event_time = current.map(|current| current.event_time);
        let replaces = match found {
            Some(found) if event_time < Some(final_before) => Some(Replaces::Final(found)),
            _ => event_time.map(|event_time| Replaces::Held { event_time }),
        };
        self.known.remember_or_replace(transaction);
        self.count(&event, account);
        let transaction = out.receive(event, Some(final_before));
        out.amendments.push(Amendment {
            number,
            final_before,
            replaces,
            transaction,
            verdict,
            sole_in_minute,
            sole_in_hour,
            past,
        });
    }

    /// Lets an event wait, for an answer or behind another one.
    fn suspend(&mut self, arrived: Arrived, final_before: i64, waits_behind: bool, out: &mut Decided) {
        let Arrived { event, epoch: arrived, own_final_before, remembered_from } = arrived;
        self.tallies.count(Observation::Ended(Account::Pending));
        // What memory held then is within reach in any case.
        let reaches_back_to = if waits_behind {
            remembered_from
        } else {
            let remembered_from =
                remembered_from.saturating_add(final_before.saturating_sub(own_final_before));
            let amended_from = event.partition_time.saturating_sub(self.correction_retention);
            if event.transaction.amends() { remembered_from.min(amended_from) } else { remembered_from }
        };
        let pending =
            Pending { event, arrived, own_final_before, waits_behind, final_before, reaches_back_to };
        self.waiting.add(pending.clone());
        out.holds.push(pending.hold(self.horizon, true));
        out.pending.push((pending.event.transaction.source, Some(pending)));
    }

    /// Counts an event that becomes current.
    fn count(&mut self, event: &AdmittedEvent, account: Account) {
        self.tallies.count(Observation::Ended(account));
        if account == Account::Duplicate {
            return;
        }
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
    }

    fn ignore(
        &mut self,
        event: AdmittedEvent,
        final_before: Option<i64>,
        account: Account,
        out: &mut Decided,
    ) {
        self.tallies.count(Observation::Ended(account));
        out.receive(event, final_before);
    }

    fn refuse_conflict(&mut self, event: AdmittedEvent, out: &mut Decided) {
        let message = conflict(&event.transaction.id);
        self.refuse(event, Reason::ConflictingIdentity, message, out);
    }

    fn refuse_late(&mut self, event: AdmittedEvent, final_before: i64, out: &mut Decided) {
        let message = too_late(event.transaction.event_time, final_before);
        self.refuse(event, Reason::TooLate, message, out);
    }

    fn refuse_removed(&mut self, event: AdmittedEvent, event_time: i64, whole_from: i64, out: &mut Decided) {
        let message = format!("{}, before which transactions are removed", too_late(event_time, whole_from));
        self.refuse(event, Reason::TooLate, message, out);
    }

    fn refuse(&mut self, event: AdmittedEvent, reason: Reason, message: String, out: &mut Decided) {
        self.tallies.count(Observation::DeadLetter(reason));
        out.dead_letters.push(event.dead_letter(reason, message));
    }

    fn forget(&mut self) {
        // What is not final while an event waits stays known.
        let settled = self.watermark.settled(self.horizon).min(self.waiting.final_before());
        self.known.forget(settled.saturating_sub(self.retention));
    }
}

fn conflict(id: &Id) -> String {
    format!("transaction_id {id}: is known under another customer_id")
}
