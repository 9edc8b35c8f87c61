//! What does each detector cost? `cargo bench -p streamflow-dataflow --bench detectors`
//!
//! On a customer with a thousand earlier transactions, ten of them in the window: once where it triggers, and
//! once where it does not, as nearly always.

// What the macros of the library make needs no comment.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use streamflow_dataflow::detectors::{
    Context, Details, EarlierTransaction, Listing, PreviousPlace, Recent, Sums,
};
use streamflow_dataflow::rules::{RuleSet, Rules};
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Currency, Entity, Id, ListEntry, Place};

const EARLIER: u16 = 1000;
const NOON: u16 = 12 * 60;

/// The customer's latest transactions, the newest last.
struct Past {
    transactions: Vec<EarlierTransaction>,
    place: Place,
    id: Id,
}

impl Recent for Past {
    fn count_after(&self, start: i64) -> u64 {
        let before = self.transactions.partition_point(|earlier| earlier.event_time <= start);
        (self.transactions.len() - before) as u64
    }

    fn newest_first(&self, start: i64) -> Box<dyn Iterator<Item = EarlierTransaction> + '_> {
        let newest_first = self.transactions.iter().rev().copied();
        Box::new(newest_first.take_while(move |earlier| earlier.event_time > start))
    }

    fn latest_place(&self, _start: i64) -> Option<PreviousPlace<'_>> {
        Some(PreviousPlace { event_time: -MINUTE, place: self.place, transaction: &self.id })
    }
}

impl Details for Past {
    fn store(&self) -> &str {
        "s"
    }

    fn currency(&self) -> &Currency {
        &Currency::BRL
    }

    fn payment_method(&self) -> Option<&str> {
        None
    }
}

fn detectors(criterion: &mut Criterion) {
    let mut earlier = Sums::default();
    (0..EARLIER).for_each(|number| earlier.add(10_000, NOON - 30 + number % 60));
    let each_minute = |number: i64| EarlierTransaction { event_time: (number - 10) * MINUTE, cents: 100 };
    let here = Place::from_degrees(-23.55, -46.63).unwrap();
    let busy = Past { transactions: (0..10).map(each_minute).collect(), place: here, id: Id::from("t") };
    let quiet = Past { transactions: Vec::new(), place: here, id: Id::from("t") };
    let (entity, entry) = (Entity::Store(Id::from("s")), ListEntry::default());
    let normal = Context {
        amount: 10_000,
        event_time: 0,
        details: &quiet,
        place: Some(here),
        minute: NOON,
        earlier,
        earlier_minutes: earlier.into(),
        recent: &quiet,
        listing: None,
    };
    let fraud = Context {
        amount: 90_000,
        place: Place::from_degrees(-3.12, -60.02),
        minute: 3 * 60,
        recent: &busy,
        listing: Some(Listing { entity: &entity, entry: &entry }),
        ..normal
    };
    let mut rules = Rules::default();
    rules.card_testing.enabled = true;
    for (case, context) in [("normal", normal), ("triggers", fraud)] {
        let mut group = criterion.benchmark_group(case);
        for rule in RuleSet::from(rules.clone()).rules() {
            assert_eq!(rule.detect(&context).is_some(), case == "triggers", "{}", rule.id);
            group.bench_function(rule.id.as_str(), |bencher| {
                bencher.iter(|| black_box(rule.detect(black_box(&context))));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, detectors);
criterion_main!(benches);
