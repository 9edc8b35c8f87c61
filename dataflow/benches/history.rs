//! What does the operator `history` cost, by the length of a customer's history and by how many are late?
//! `cargo bench -p streamflow-dataflow --bench history`
//!
//! Only this operator, on one worker: versions of transactions go in, scored ones come out.

// What the macros of the library make needs no comment.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use streamflow_dataflow::decode::decode_payload;
use streamflow_dataflow::history::{Optional, Replacements, history};
use streamflow_dataflow::identity::Version;
use streamflow_dataflow::inputs::Inputs;
use streamflow_dataflow::operators::watermark::PartitionTime;
use streamflow_dataflow::resume::Resume;
use streamflow_dataflow::settings::Settings;
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{PartitionId, Source, Transaction};
use timely::dataflow::operators::Input;

const EVENTS: u64 = 20_000;
const EPOCH: usize = 2048;
/// Event time between two transactions of all.
const STEP: i64 = 3 * MINUTE;

/// Transactions of customers in turn; a part of them late by up to half an hour.
fn transactions(customers: u64, late_percent: u32) -> Vec<Transaction> {
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let transaction = |number: u64| {
        let payload = format!(
            r#"{{"transaction_id":"txn-{number:016x}","customer_id":"cust-{:012x}","store_id":"store-{:08x}","amount":"{}.50","timestamp":"2026-02-01T12:00:00Z"}}"#,
            number % customers,
            number % 200,
            dice.random_range(1..500),
        );
        let source = Source::new(PartitionId::FIRST, number);
        let decoded = decode_payload(payload.as_bytes(), source).unwrap();
        let mut transaction = Transaction::clone(&decoded.transaction);
        let late =
            if dice.random_range(0..100) < late_percent { dice.random_range(0..30 * MINUTE) } else { 0 };
        transaction.event_time += number as i64 * STEP / customers as i64 - late;
        transaction
    };
    (0..EVENTS).map(transaction).collect()
}

fn run(transactions: Vec<Transaction>) {
    timely::execute_directly(move |worker| {
        let (inputs, mut versions_in, mut times_in) = worker.dataflow(|scope| {
            let (handles, _restored, inputs) = Inputs::new(scope);
            let (versions_in, versions) = scope.new_input();
            let (_amendments_in, amendments) = scope.new_input();
            let (_controls_in, controls) = scope.new_input();
            let (times_in, times) = scope.new_input();
            let replacements = Replacements { versions, amendments, settle: inputs.settle };
            let wanted = Optional { settled: false, evidence: true };
            let (settings, resume) = (Settings::default(), Resume::default());
            history(&settings, wanted, &resume, &inputs.restored, replacements, controls, times);
            (handles, versions_in, times_in)
        });
        drop(inputs);
        for (epoch, transactions) in (1..).zip(transactions.chunks(EPOCH)) {
            versions_in.advance_to(epoch);
            times_in.advance_to(epoch);
            let time = transactions.iter().map(|transaction| transaction.event_time).max().unwrap();
            times_in.send(PartitionTime { partition: PartitionId::FIRST, time });
            for transaction in transactions {
                let transaction = Arc::new(transaction.clone());
                versions_in.send(Version { arrived: epoch, transaction, replaces: None });
            }
            worker.step();
        }
    });
}

fn of_history(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("history");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    for (name, late_percent) in [("in order", 0), ("a tenth late", 10)] {
        for each in [10, 1000] {
            let transactions = transactions(EVENTS / each, late_percent);
            group.bench_with_input(BenchmarkId::new(name, each), &transactions, |bencher, transactions| {
                bencher.iter_batched(|| transactions.clone(), run, BatchSize::LargeInput);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, of_history);
criterion_main!(benches);
