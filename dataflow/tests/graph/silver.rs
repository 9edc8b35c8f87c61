//! Silver, as far as the answers to pending events are read from it.

use std::collections::BTreeMap;
use streamflow_dataflow::amendments::{Answer, FinalPast, FinalPlace, Pending, Precedents, answerable};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::controls::ControlChange;
use streamflow_dataflow::detectors::stored::StoredEvidence;
use streamflow_dataflow::detectors::{EarlierTransaction, Evidence, Hit};
use streamflow_dataflow::history::Judge;
use streamflow_dataflow::operators::watermark::settled;
use streamflow_dataflow::score::{Amended, Scored};
use streamflow_dataflow::settings::Settings;
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Calendar, Currency, RuleId, Score, Source, Transaction};

/// The rows of transactions, what verdicts depend on beside them, and the events that wait.
#[derive(Default)]
pub(crate) struct Silver {
    /// Each with how often it was gained less lost.
    rows: BTreeMap<Scored, i64>,
    /// When each event was read.
    epochs: BTreeMap<Source, u64>,
    pub pending: BTreeMap<Source, Pending>,
    controls: Vec<ControlChange>,
    watermark: Option<i64>,
}

/// A row by what it is, whichever of its customer's in its minute was first.
pub(crate) fn row(scored: Scored) -> Scored {
    Scored { first_in_minute: false, ..scored }
}

impl Silver {
    /// Nothing yet, of a case whose events are read in these epochs.
    pub(crate) fn new(epochs: BTreeMap<Source, u64>) -> Self {
        Self { epochs, ..Self::default() }
    }

    pub(crate) fn apply(&mut self, change: ViewChange) {
        match change {
            ViewChange::Scored(scored, diff) => {
                *self.rows.entry(row(scored)).or_default() += i64::from(diff);
            }
            ViewChange::Pending((source, Some(pending))) => {
                self.pending.insert(source, pending);
            }
            ViewChange::Pending((source, None)) => {
                self.pending.remove(&source);
            }
            ViewChange::ListChange(change) => self.controls.push(ControlChange::List(change)),
            ViewChange::RulesChange(change) => self.controls.push(ControlChange::Rules(change)),
            ViewChange::Watermark(time) => self.watermark = self.watermark.max(Some(time)),
            _ => {}
        }
    }

    fn rows(&self) -> impl Iterator<Item = &Scored> {
        self.rows.iter().filter(|(_, count)| **count > 0).map(|(row, _)| row)
    }

    /// The answers to all events that can be answered: of each customer the first one, if
    /// what precedes it is final.
    pub(crate) fn answers(&self, initial: &Settings, settings: &Settings) -> Vec<Answer> {
        let settled = settled(self.watermark.unwrap_or(i64::MIN), settings.correction_horizon);
        let due = self.pending.values().filter(|pending| pending.final_before <= settled);
        let mut in_order: Vec<_> = due.cloned().collect();
        in_order.sort_by_key(Pending::order);
        answerable(in_order).iter().map(|pending| self.answer(pending, initial)).collect()
    }

    fn answer(&self, pending: &Pending, settings: &Settings) -> Answer {
        let calendar = Calendar::new(settings.time_zone);
        let new = &pending.event.transaction;
        // Of several transactions that an id has named, the one whose event was read last.
        let read = |row: &Scored| (self.epochs.get(&row.transaction.source).copied(), row.transaction.source);
        let of_id = self.rows().filter(|row| row.transaction.id == new.id);
        let found = of_id.max_by_key(|row| read(row));
        let found = found.filter(|row| row.transaction.event_time >= pending.reaches_back_to);
        let others = self.rows().filter(|row| Some(*row) != found);
        let others = others.map(|row| &row.transaction);
        let others = others.filter(|other| other.customer == new.customer && !other.voided);
        let mut others: Vec<&Transaction> = others.map(|transaction| &**transaction).collect();
        others.sort_by(|a, b| a.cmp_in_history(b));
        let is_final = |transaction: &Transaction| transaction.event_time < pending.final_before;
        let sole = |transaction: &Transaction, alike: &dyn Fn(&Transaction) -> bool| {
            let alike = |other: &&&Transaction| other.currency == transaction.currency && alike(other);
            !transaction.voided && !others.iter().filter(|other| is_final(other)).any(|other| alike(&other))
        };
        let minute = |transaction: &Transaction| transaction.event_time.div_euclid(MINUTE);
        let in_minute =
            |transaction: &Transaction| sole(transaction, &|other| minute(other) == minute(transaction));
        let hour = |transaction: &Transaction| calendar.hour_start(transaction.event_time);
        let in_hour = |transaction: &Transaction| {
            sole(transaction, &|other| hour(other) == hour(transaction) && other.store == transaction.store)
        };
        let judge = Judge::new(
            settings.rules.clone(),
            self.controls.iter().cloned(),
            Calendar::new(settings.time_zone),
        );
        let before = others.iter().copied().filter(|other| other.cmp_in_history(new).is_lt());
        let precedents = precedents(&before.collect::<Vec<_>>(), new.currency, &calendar);
        let verdict = if is_final(new) { judge.verdict(new, &precedents) } else { Default::default() };
        let mut past: Vec<&Transaction> = others.iter().copied().filter(|other| is_final(other)).collect();
        if is_final(new) && !new.voided {
            past.push(new);
            past.sort_by(|a, b| a.cmp_in_history(b));
        }
        Answer {
            number: 0,
            pending: pending.clone(),
            verdict,
            sole_in_minute: in_minute(new),
            sole_in_hour: in_hour(new),
            past: final_past(&past),
            whole_from: i64::MIN,
            found: found.filter(|found| !leaves_out(pending) || is_final(&found.transaction)).map(|found| {
                Amended {
                    sole_in_hour: in_hour(&found.transaction),
                    scored: Scored { first_in_minute: in_minute(&found.transaction), ..found.clone() },
                    hits: found.verdict.hits.iter().map(|hit| hit_of(hit.rule, hit.score)).collect(),
                }
            }),
        }
    }
}

/// Some answers leave out what is not final.
fn leaves_out(pending: &Pending) -> bool {
    pending.event.transaction.source.offset().is_multiple_of(2)
}

/// A hit whose evidence is not stored.
fn hit_of(rule: RuleId, score: Score) -> Hit {
    Hit { rule, score, evidence: Evidence::Stored(StoredEvidence { details: String::new() }) }
}

fn final_past(transactions: &[&Transaction]) -> FinalPast {
    let mut past = FinalPast { currencies: Vec::new(), last_place: last_place(transactions) };
    for transaction in transactions {
        past.add(transaction.currency, earlier(transaction), i64::MIN);
    }
    past
}

fn precedents(transactions: &[&Transaction], currency: Currency, calendar: &Calendar) -> Precedents {
    let mut precedents = Precedents { last_place: last_place(transactions), ..Precedents::default() };
    for transaction in transactions {
        let minute = calendar.minute_of_day(transaction.event_time);
        precedents.add(earlier(transaction), minute, transaction.currency == currency, i64::MIN);
    }
    precedents
}

fn earlier(transaction: &Transaction) -> EarlierTransaction {
    EarlierTransaction { event_time: transaction.event_time, cents: transaction.amount.0 }
}

fn last_place(transactions: &[&Transaction]) -> Option<FinalPlace> {
    transactions.iter().rev().find_map(|transaction| {
        let (event_time, id) = (transaction.event_time, transaction.id.clone());
        transaction.place.map(|place| FinalPlace { event_time, place, id })
    })
}
