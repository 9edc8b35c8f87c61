//! `history` as a timely operator.

use super::entry::Entry;
use super::state::{History, Optional, Outcome};
use crate::alerts::{AlertChange, AlertEvidence};
use crate::amendments::{Amendment, SettleCustomer};
use crate::changes::Upsert;
use crate::controls::ControlChange;
use crate::identity::Version;
use crate::operators::output;
use crate::operators::stash::Stash;
use crate::operators::state_size::StateSizeLog;
use crate::operators::watermark::{PartitionTime, Watermark};
use crate::resume::{Restored, RestoredCustomer, RestoredTransaction, Resume};
use crate::roster::OfMember;
use crate::score::{Amended, Scored, Settled};
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
    /// Versions of final transactions that amendments retract or assert, on their customers' workers.
    pub amended: VecCollection<'s, u64, OfMember<Amended>, isize>,
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

/// What identity has decided.
pub struct Replacements<'s> {
    /// Versions that become current and replace nothing that is final.
    pub versions: StreamVec<'s, u64, Version>,
    /// The others.
    pub amendments: StreamVec<'s, u64, Amendment>,
    /// Customers whose transactions are to be settled early, on any worker.
    pub settle: StreamVec<'s, u64, SettleCustomer>,
}

/// Input beside versions: changes of lists and rules, partition times, amendments, customers to settle.
#[derive(Clone, Debug)]
enum Common {
    Control(ControlChange),
    PartitionTime(PartitionTime),
    Amendment(Box<Amendment>),
    Settle(SettleCustomer),
}

impl Common {
    /// A version of the rules that somebody has put follows the one of the configuration, whoever sends it.
    fn is_put(&self) -> bool {
        matches!(self, Self::Control(ControlChange::Rules(change)) if change.is_put())
    }
}

/// Scores transactions in the context of their customers' histories. `controls` and `partition_times` must
/// hold everything on every worker.
pub fn history<'s>(
    settings: &Settings,
    wanted: Optional,
    resume: &Resume,
    restored: &Restored<'s>,
    replacements: Replacements<'s>,
    controls: StreamVec<'s, u64, ControlChange>,
    partition_times: StreamVec<'s, u64, PartitionTime>,
) -> Histories<'s> {
    let common = controls.map(Common::Control).concat(partition_times.map(Common::PartitionTime));
    let Replacements { versions, amendments, settle } = replacements;
    let scope = versions.scope();
    let mut builder = OperatorBuilder::new("history".to_owned(), scope);
    let state_size = StateSizeLog::new(scope, &builder.operator_info());
    let by_customer = Exchange::new(|version: &Version| id::route(&version.transaction.customer));
    let mut versions = builder.new_input(versions, by_customer);
    let mut common = builder.new_input(common, Pipeline);
    let by_customer = Exchange::new(|amendment: &Amendment| id::route(amendment.customer()));
    let mut amendments = builder.new_input(amendments, by_customer);
    let by_customer = |restored: &RestoredTransaction| id::route(&restored.transaction.customer);
    let mut transactions = builder.new_input(restored.transactions.clone(), Exchange::new(by_customer));
    let by_id = |restored: &RestoredCustomer| id::route(&restored.id);
    let mut customers = builder.new_input(restored.customers.clone(), Exchange::new(by_id));
    let by_customer = Exchange::new(|settle: &SettleCustomer| id::route(&settle.customer));
    let mut settle = builder.new_input(settle, by_customer);
    let (mut scored_out, scored) = output::add(&mut builder);
    let (mut amended_out, amended) = output::add(&mut builder);
    let (mut changes_out, alert_changes) = output::add(&mut builder);
    let (mut evidence_out, evidence) = output::add(&mut builder);
    let (mut profiles_out, profiles) = output::add(&mut builder);
    let (mut settled_out, settled) = output::add(&mut builder);
    let (mut restored_out, restored) = output::add(&mut builder);
    let mut history = History::new(settings, wanted, resume);
    let horizon = settings.correction_horizon;
    builder.build(move |_| {
        let mut stash = Stash::new(6);
        let mut watermark = Watermark::default();
        let mut out = Outcome::default();
        move |frontiers| {
            if streamflow_failpoint::is_stalled(streamflow_failpoint::HISTORY) {
                return;
            }
            versions.for_each(|capability, data| stash.hold_first(&capability, data));
            common.for_each(|capability, data| stash.hold_second(&capability, data));
            amendments.for_each(|capability, data| {
                let boxed = |amendment| Common::Amendment(Box::new(amendment));
                stash.hold_second(&capability, &mut data.drain(..).map(boxed).collect());
            });
            settle.for_each(|capability, data| {
                stash.hold_second(&capability, &mut data.drain(..).map(Common::Settle).collect());
            });
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
            if !(frontiers[3].is_empty() && frontiers[4].is_empty()) {
                return;
            }
            history.finish_restoring();
            let complete = [&frontiers[0], &frontiers[1], &frontiers[2], &frontiers[5]];
            while let Some(mut epoch) = stash.next_complete(&complete) {
                let [on_scored, on_amended, on_changes, on_evidence, on_profiles, on_settled] =
                    epoch.capabilities.as_slice()
                else {
                    return;
                };
                let mut settled_out = settled_out.activate();
                let mut settled = settled_out.session(on_settled);
                let mut amendments = Vec::new();
                epoch.second.sort_by_key(Common::is_put);
                for common in epoch.second.drain(..) {
                    match common {
                        Common::Control(change) => history.control(change, &mut out),
                        Common::PartitionTime(time) => watermark.update([time]),
                        Common::Amendment(amendment) => amendments.push(amendment),
                        Common::Settle(of) => {
                            history.settle_customer(&of, |mut some| settled.give_container(&mut some));
                        }
                    }
                }
                amendments.sort_by_key(|amendment| amendment.number);
                for amendment in amendments {
                    history.amend(*amendment, &mut out, |mut some| settled.give_container(&mut some));
                }
                epoch.first.sort_by_key(|version| (version.arrived, version.transaction.source));
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
                let amended = out.amended.drain(..).map(|(amended, diff)| (amended, time, diff));
                amended_out.activate().session(on_amended).give_iterator(amended);
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
    let (scored, amended) = (scored.as_collection(), amended.as_collection());
    Histories { scored, amended, restored, alert_changes, evidence, profiles, settled }
}
