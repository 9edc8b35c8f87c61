//! A random world of transactions, and what each step changes in every view: recomputed from scratch each
//! time.

pub mod closing;
mod views;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use streamflow_dataflow::alerts::{Alert, AlertChange, Cause, ChangeKind};
use streamflow_dataflow::changes::{PartitionPosition, ViewChange};
use streamflow_dataflow::detectors::blacklist::BlacklistEvidence;
use streamflow_dataflow::detectors::high_value::HighValueEvidence;
use streamflow_dataflow::detectors::velocity::VelocityEvidence;
use streamflow_dataflow::detectors::{Evidence, Hit};
use streamflow_dataflow::rules::{Rules, SetName};
use streamflow_dataflow::score::{Scored, ShadowAlert, ShownHit, ShownVerdict, Verdict};
use streamflow_dataflow::views::quality::{Measure, QualityKey};
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{
    Account, BooksEntry, Calendar, Cents, Currency, Customer, DeadLetter, Entity, Id, ListChange, ListEntry,
    PartitionId, Place, Product, Reason, Received, RuleId, Score, Source, Store, Transaction,
};
use views::Views;

/// Texts that break careless encodings.
pub const HOSTILE: [&str; 13] = [
    "88 bytes, so that ids reach 100: 0123456789012345678901234567890123456789012345678901234",
    "plain",
    "it's \"quoted\"",
    "back\\slash\\n",
    "tab\there",
    "line\nbreak\r",
    "\\.",
    "\\N",
    "NULL",
    "{a,b}",
    "emoji 🦀 é ü 日本",
    "a,b;c%d$1",
    " leading and trailing ",
];

/// Where event time starts: 2026-02-01T02:30Z, half an hour before a local midnight in Sao Paulo.
pub const START: i64 = 1_769_913_000_000_000;

pub struct World {
    rng: ChaCha8Rng,
    calendar: Calendar,
    pub transactions: BTreeMap<Id, Scored>,
    pub customers: BTreeMap<Id, Customer>,
    pub stores: BTreeMap<Id, Store>,
    pub dead_letters: Vec<DeadLetter>,
    pub alert_changes: u64,
    sequences: BTreeMap<Id, u32>,
    views: Views,
    books: BTreeMap<BooksEntry, i64>,
    offset: u64,
    now: i64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            calendar: Calendar::new(chrono_tz::America::Sao_Paulo),
            transactions: BTreeMap::new(),
            customers: BTreeMap::new(),
            stores: BTreeMap::new(),
            dead_letters: Vec::new(),
            alert_changes: 0,
            sequences: BTreeMap::new(),
            views: Views::default(),
            books: BTreeMap::new(),
            offset: 0,
            now: START,
        }
    }

    /// One ingest time's changes: of some transactions, of dimensions, and of every view they affect.
    pub fn step(&mut self) -> Vec<ViewChange> {
        let mut changes = Vec::new();
        self.now += self.rng.random_range(0..3 * MINUTE);
        for _ in 0..self.rng.random_range(0..12) {
            let old = self.transactions.values().nth(self.rng.random_range(0..self.transactions.len() + 1));
            let (new, cause) = match (old.cloned(), self.rng.random_range(0..6)) {
                (Some(old), 0) => (self.corrected(old), Cause::Correction),
                (Some(old), 1) => (voided(old), Cause::Void),
                (Some(old), 2) => (self.rescored(old), Cause::LateEvent),
                _ => (self.fresh(), Cause::Transaction),
            };
            self.apply(&mut changes, new, cause);
        }
        self.change_dimensions(&mut changes);
        self.add_dead_letter(&mut changes);
        let views = Views::of(self.transactions.values(), &self.calendar);
        self.views.changes_to(&views, &mut changes);
        self.views = views;
        self.finish(&mut changes);
        changes
    }

    fn apply(&mut self, changes: &mut Vec<ViewChange>, new: Scored, cause: Cause) {
        let id = new.transaction.id.clone();
        let old = self.transactions.insert(id, new.clone());
        if cause != Cause::LateEvent {
            changes.push(self.received(&new));
            let account = match cause {
                Cause::Correction => Account::Correcting,
                Cause::Void => Account::Voiding,
                _ => Account::New,
            };
            self.count(account);
        }
        self.push_alert(changes, old.as_ref().and_then(alert_of), alert_of(&new), cause);
        let lost = old.map(|old| ViewChange::Scored(old, -1));
        let gained = ViewChange::Scored(new, 1);
        // There is no order within one time.
        if self.rng.random() {
            changes.extend(lost);
            changes.push(gained);
        } else {
            changes.push(gained);
            changes.extend(lost);
        }
    }

    fn push_alert(
        &mut self,
        changes: &mut Vec<ViewChange>,
        old: Option<Alert>,
        new: Option<Alert>,
        cause: Cause,
    ) {
        let (kind, alert) = match (old, new) {
            (None, None) => return,
            (None, Some(new)) => (ChangeKind::Raised, new),
            (Some(old), None) => (ChangeKind::Withdrawn, old),
            (Some(old), Some(new)) if old == new => return,
            (Some(_), Some(new)) => (ChangeKind::Revised, new),
        };
        let sequence = self.sequences.entry(alert.transaction.clone()).or_default();
        *sequence += 1;
        self.alert_changes += 1;
        changes.push(ViewChange::AlertChange(AlertChange { sequence: *sequence, kind, cause, alert }));
    }

    fn received(&mut self, scored: &Scored) -> ViewChange {
        ViewChange::Received(Received {
            final_before: None,
            source: scored.transaction.source,
            record_time: Some(scored.transaction.event_time + 1),
            event_time: scored.transaction.event_time,
            schema_version: 1,
            payload: format!("{{\"x\":\"{}\"}}", self.hostile()).into(),
        })
    }

    fn hostile(&mut self) -> String {
        let text = HOSTILE[self.rng.random_range(0..HOSTILE.len())];
        // Ids have up to 100 bytes.
        if self.rng.random_range(0..8) == 0 {
            text.repeat(4).chars().take(30).collect()
        } else {
            text.to_owned()
        }
    }

    fn id(&mut self, kind: &str, count: u32) -> Id {
        let number = self.rng.random_range(0..count);
        let text = HOSTILE[number as usize % HOSTILE.len()];
        Id::from(format!("{kind}-{number}-{text}"))
    }

    fn next_source(&mut self) -> Source {
        self.offset += 1;
        Source::new(PartitionId::new(0, (self.offset % 3) as u16).unwrap(), self.offset)
    }

    fn fresh(&mut self) -> Scored {
        let place =
            Place::from_degrees(self.rng.random_range(-90.0..90.0), self.rng.random_range(-180.0..180.0));
        let hostile = self.hostile();
        let transaction = Transaction {
            id: Id::from(format!("txn-{}-{hostile}", self.offset)),
            customer: self.id("cust", 20),
            store: self.id("store", 5),
            product: self.rng.random::<bool>().then(|| self.id("prod", 9)),
            payment_method: self.rng.random::<bool>().then(|| Id::from(self.hostile())),
            amount: Cents(self.rng.random_range(1..99_999_999_999_900)),
            currency: Currency::parse(["BRL", "BRL", "USD", "AUD"][self.rng.random_range(0..4)]).unwrap(),
            place: place.filter(|_| self.rng.random()),
            event_time: self.now - self.rng.random_range(0..10 * MINUTE),
            revision: 0,
            voided: false,
            source: self.next_source(),
        };
        let verdict = self.verdict();
        Scored { transaction: Arc::new(transaction), verdict, first_in_minute: false, alert_changes: 0 }
    }

    fn corrected(&mut self, mut old: Scored) -> Scored {
        let transaction = Arc::make_mut(&mut old.transaction);
        transaction.revision += 1;
        transaction.voided = false;
        transaction.source = self.next_source();
        transaction.amount = Cents(self.rng.random_range(1..100_000));
        transaction.store = self.id("store", 5);
        transaction.event_time -= MINUTE;
        self.rescored(old)
    }

    fn rescored(&mut self, mut old: Scored) -> Scored {
        if !old.transaction.voided {
            old.verdict = self.verdict();
        }
        old
    }

    fn verdict(&mut self) -> ShownVerdict {
        let mut hits = Vec::new();
        for (rule, one_in) in [(HIGH_VALUE, 3), (VELOCITY, 4), (Rules::IDS[4], 5)] {
            if self.rng.random_range(0..one_in) == 0 {
                hits.push(ShownHit { rule, score: self.score() });
            }
        }
        let score = hits.iter().map(|hit| hit.score).max().unwrap_or_default();
        let shadows = if self.rng.random_range(0..6) == 0 { vec![self.shadow()] } else { Vec::new() };
        ShownVerdict { score, alert: score >= Score::ratio(7, 10), hits, shadows }
    }

    fn shadow(&mut self) -> ShadowAlert<ShownHit> {
        let name = ["night", "s.2"][self.rng.random_range(0..2)];
        let score = self.score();
        let hits = vec![ShownHit { rule: VELOCITY, score }];
        ShadowAlert { set: SetName::Shadow(RuleId::padded(name)), score, hits }
    }

    fn score(&mut self) -> Score {
        Score::from_units(self.rng.random_range(1..=Score::ONE.units())).shown()
    }

    fn change_dimensions(&mut self, changes: &mut Vec<ViewChange>) {
        let id = self.id("cust", 25);
        let customer = self.rng.random::<bool>().then(|| Customer {
            customer_id: id.clone(),
            name: Some(self.hostile()),
            registered_at: Some(START),
            ..Customer::default()
        });
        match &customer {
            Some(customer) => self.customers.insert(id.clone(), customer.clone()),
            None => self.customers.remove(&id),
        };
        changes.push(ViewChange::Customer((id, customer)));
        let id = self.id("store", 6);
        let place = Place::from_degrees(-23.55052, -46.63331);
        let store = Store { store_id: id.clone(), city: Some(self.hostile()), place, ..Store::default() };
        self.stores.insert(id.clone(), store.clone());
        changes.push(ViewChange::Store((id, Some(store))));
        let id = self.id("prod", 9);
        let product = Product { product_id: id.clone(), price: Some(1990), ..Product::default() };
        changes.push(ViewChange::Product((id, Some(product))));
        let entity = Entity::Store(self.id("store", 6));
        let entry =
            self.rng.random::<bool>().then(|| ListEntry { valid_from: Some(START), ..ListEntry::default() });
        changes.push(ViewChange::ListChange(ListChange { entity, applies_from: self.now, entry }));
    }

    fn add_dead_letter(&mut self, changes: &mut Vec<ViewChange>) {
        let payloads: [&[u8]; 4] = [b"{\"no\":", b"\xff\xfe\x00", b"a\0b", "é\\.".as_bytes()];
        let payload = payloads[self.rng.random_range(0..payloads.len())];
        let letter = DeadLetter {
            source: self.next_source(),
            record_time: Some(1_700_000_000_000_000),
            reason: Reason::MalformedJson,
            message: format!("nul \0 and {}", self.hostile()),
            key: Some(b"\x80".as_slice().into()),
            payload: Some(payload.into()),
            full_length: payload.len() as u64 + u64::from(self.rng.random::<bool>()),
        };
        self.count(Account::DeadLetter(letter.reason));
        self.dead_letters.push(letter.clone());
        changes.push(ViewChange::DeadLetter(letter));
    }

    fn count(&mut self, account: Account) {
        *self.books.entry(BooksEntry::Read { topic: 0 }).or_default() += 1;
        *self.books.entry(BooksEntry::Ended { topic: 0, account }).or_default() += 1;
    }

    fn finish(&mut self, changes: &mut Vec<ViewChange>) {
        changes.extend(self.books.iter().map(|(entry, events)| ViewChange::Books((*entry, Some(*events)))));
        let read = self.books.get(&BooksEntry::Read { topic: 0 }).copied();
        for (measure, events) in [(Measure::Read, read), (Measure::Duplicate, Some(1))] {
            changes.push(ViewChange::Quality((QualityKey { window_start: START, measure }, events)));
        }
        let partition = PartitionId::new(0, 1).unwrap();
        changes.push(ViewChange::Progress(PartitionPosition {
            partition,
            next_offset: self.offset + 1,
            partition_time: Some(self.now),
        }));
        changes.push(ViewChange::Watermark(self.now));
    }
}

fn voided(mut old: Scored) -> Scored {
    let transaction = Arc::make_mut(&mut old.transaction);
    transaction.revision += 1;
    transaction.voided = true;
    old.verdict = ShownVerdict::default();
    old
}

const HIGH_VALUE: RuleId = Rules::IDS[0];
const VELOCITY: RuleId = Rules::IDS[1];

/// The alert of a transaction that has one; the evidence is made up.
pub fn alert_of(scored: &Scored) -> Option<Alert> {
    let evidence = |rule: RuleId| match rule {
        HIGH_VALUE => Evidence::HighValue(HighValueEvidence { amount: Cents(5), mean: Cents(1), count: 7 }),
        VELOCITY => Evidence::Velocity(VelocityEvidence { count: 7, window: 600_000_000 }),
        _ => Evidence::Blacklist(BlacklistEvidence {
            entity: Entity::Customer(scored.transaction.customer.clone()),
            entry: ListEntry { reason: Some(HOSTILE.concat()), ..ListEntry::default() },
        }),
    };
    let ShownVerdict { score, alert, hits, .. } = &scored.verdict;
    let hits = hits.iter().map(|hit| Hit { rule: hit.rule, score: hit.score, evidence: evidence(hit.rule) });
    let verdict = Verdict { score: *score, alert: *alert, hits: hits.collect(), shadows: Vec::new() };
    Alert::from_verdict(&scored.transaction, &verdict)
}
