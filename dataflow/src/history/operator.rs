//! `history` as a timely operator.

use super::entry::Entry;
use super::state::{History, Optional, Outcome};
use crate::alerts::{AlertChange, AlertEvidence};
use crate::changes::Upsert;
use crate::controls::ControlChange;
use crate::identity::Version;
use crate::operators::output;
use crate::operators::stash::Stash;
use crate::operators::state_size::StateSizeLog;
use crate::operators::watermark::{PartitionTime, Watermark};
use crate::resume::{Restored, RestoredCustomer, RestoredTransaction, Resume};
use crate::roster::OfMember;
use crate::score::{Scored, Settled};
use crate::settings::Settings;
use crate::views::customer_profile::{Profile, ProfileKey};
use differential_dataflow::{AsCollection, VecCollection};
use std::sync::Arc;
use streamflow_model::{Transaction, id};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Map;

/// The outputs of [`history`].
pub struct Histories<'s> {
    /// Each current transaction with its verdict, voided ones included, on its customer's worker.
    pub scored: VecCollection<'s, u64, OfMember<Scored>, isize>,
    /// The restored transactions of before the first epoch, on their customers' workers.
    pub restored: StreamVec<'s, u64, OfMember<Arc<Transaction>>>,
    /// The changes of alerts, in order and numbered within each alert.
    pub alert_changes: StreamVec<'s, u64, AlertChange>,
    /// The evidence of alerts that have not changed since; the last of an alert counts. Empty unless wanted.
    pub evidence: StreamVec<'s, u64, AlertEvidence>,
    /// The profiles of customers, by currency.
    pub profiles: StreamVec<'s, u64, Upsert<ProfileKey, Profile>>,
    /// Transactions as they leave the horizon; empty unless wanted.
    pub settled: StreamVec<'s, u64, Settled>,
}

/// Input for all customers: changes of lists and rules, and partition times.
#[derive(Clone, Debug)]
enum Common {
    Control(ControlChange),
    PartitionTime(PartitionTime),
}

/// Scores transactions in the context of their customers' histories. `controls` and `partition_times` must
/// hold everything on every worker.
pub fn history<'s>(
    settings: &Settings,
    wanted: Optional,
    resume: &Resume,
    restored: &Restored<'s>,
    versions: StreamVec<'s, u64, Version>,
    controls: StreamVec<'s, u64, ControlChange>,
    partition_times: StreamVec<'s, u64, PartitionTime>,
) -> Histories<'s> {
    let common = controls.map(Common::Control).concat(partition_times.map(Common::PartitionTime));
    let scope = versions.scope();
    let mut builder = OperatorBuilder::new("history".to_owned(), scope);
    let state_size = StateSizeLog::new(scope, &builder.operator_info());
    let by_customer = Exchange::new(|version: &Version| id::route(&version.transaction.customer));
    let mut versions = builder.new_input(versions, by_customer);
    let mut common = builder.new_input(common, Pipeline);
    let by_customer = |restored: &RestoredTransaction| id::route(&restored.transaction.customer);
    let mut transactions = builder.new_input(restored.transactions.clone(), Exchange::new(by_customer));
    let by_id = |restored: &RestoredCustomer| id::route(&restored.id);
    let mut customers = builder.new_input(restored.customers.clone(), Exchange::new(by_id));
    let (mut scored_out, scored) = output::add(&mut builder);
    let (mut changes_out, alert_changes) = output::add(&mut builder);
    let (mut evidence_out, evidence) = output::add(&mut builder);
    let (mut profiles_out, profiles) = output::add(&mut builder);
    let (mut settled_out, settled) = output::add(&mut builder);
    let (mut restored_out, restored) = output::add(&mut builder);
    let mut history = History::new(settings, wanted, resume);
    let horizon = settings.correction_horizon;
    builder.build(move |_| {
        let mut stash = Stash::new(5);
        let mut watermark = Watermark::default();
        let mut out = Outcome::default();
        move |frontiers| {
            if streamflow_failpoint::is_stalled(streamflow_failpoint::HISTORY) {
                return;
            }
            versions.for_each(|capability, data| stash.hold_first(&capability, data));
            common.for_each(|capability, data| stash.hold_second(&capability, data));
            transactions.for_each(|capability, data| {
                let restore = |restored: RestoredTransaction| OfMember {
                    slot: history.restore_transaction(&restored),
                    value: restored.transaction,
                };
                restored_out.activate().session(&capability).give_iterator(data.drain(..).map(restore));
            });
            customers.for_each(|_, data| {
                data.drain(..).for_each(|restored| history.restore_customer(&restored));
            });
            if !(frontiers[2].is_empty() && frontiers[3].is_empty()) {
                return;
            }
            while let Some(mut epoch) = stash.next_complete(&[&frontiers[0], &frontiers[1]]) {
                let [on_scored, on_changes, on_evidence, on_profiles, on_settled] =
                    epoch.capabilities.as_slice()
                else {
                    return;
                };
                for common in epoch.second.drain(..) {
                    match common {
                        Common::Control(change) => history.control(change, &mut out),
                        Common::PartitionTime(time) => watermark.update([time]),
                    }
                }
                epoch.first.sort_by_key(|version| version.transaction.source);
                let time = epoch.time;
                let mut scored = Vec::with_capacity(epoch.first.len());
                let mut versions = epoch.first.into_iter();
                while !versions.as_slice().is_empty() {
                    let slots = history.look_ahead(versions.as_slice());
                    for (slot, version) in slots.into_iter().zip(versions.by_ref()) {
                        history.apply(slot, version, &mut out);
                    }
                    scored.extend(out.scored.drain(..).map(|(scored, diff)| (scored, time, diff)));
                }
                scored.extend(out.scored.drain(..).map(|(scored, diff)| (scored, time, diff)));
                history.take_evidence(&mut out);
                evidence_out.activate().session(on_evidence).give_iterator(out.evidence.drain(..));
                scored_out.activate().session(on_scored).give_container(&mut scored);
                let mut settled_out = settled_out.activate();
                let mut settled = settled_out.session(on_settled);
                history.settle(watermark.settled(horizon), |mut some| settled.give_container(&mut some));
                changes_out.activate().session(on_changes).give_iterator(out.alert_changes.drain(..));
                profiles_out
                    .activate()
                    .session(on_profiles)
                    .give_iterator(history.take_profiles().into_iter());
                state_size.report(|| {
                    let bytes = history.customers.bytes() + history.entries * size_of::<Entry>();
                    (history.entries, bytes)
                });
            }
        }
    });
    Histories { scored: scored.as_collection(), restored, alert_changes, evidence, profiles, settled }
}
