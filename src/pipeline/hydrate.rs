//! Restores the graph's state from the tables, before anything is read from Kafka.

use super::plan::Plan;
use super::status::Status;
use anyhow::{Context, Result, bail};
use crossbeam_channel::{Sender, bounded};
use std::collections::BTreeMap;
use std::time::Instant;
use streamflow_connectors::postgres::connect;
use streamflow_dataflow::inputs::RestoredHandles;
use streamflow_medallion::hydration::{Hydration, Row, Share};
use timely::worker::Worker;
use tracing::field;

/// The worker steps after this many rows, so that they do not queue in front of the operators.
const ROWS_A_STEP: usize = 8192;

/// Batches of so many rows that are read while the worker is busy with those before.
const BATCHES_AHEAD: usize = 4;

/// Reads this worker's share and drops its handles. A database without results has no state to restore. The
/// rows are read by a thread of their own, so that the server, its connection and the graph work at once.
pub fn hydrate(worker: &mut Worker, plan: &Plan, mut inputs: RestoredHandles, status: &Status) -> Result<()> {
    if plan.progress.frontier == 0 {
        status.start().worker_restored();
        return Ok(());
    }
    let started = Instant::now();
    let share = Share { index: worker.index(), of: worker.peers() };
    let span =
        tracing::info_span!("hydration", worker = share.index, rows = field::Empty, seconds = field::Empty);
    let _entered = span.enter();
    let (batches, received) = bounded::<Vec<Row>>(BATCHES_AHEAD);
    let rows = std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().name("restore".to_owned());
        let span = span.clone();
        let reading = reader
            .spawn_scoped(scope, move || span.in_scope(|| read(plan, share, &batches)))
            .context("cannot start a thread")?;
        for batch in received {
            let mut by_table: BTreeMap<&'static str, u64> = BTreeMap::new();
            for row in batch {
                *by_table.entry(row.table()).or_default() += 1;
                match row {
                    Row::Transaction(row) => inputs.transactions.send(row),
                    Row::Pending(row) => inputs.pending.send(row),
                    Row::Customer(row) => inputs.customers.send(row),
                    Row::View { row, .. } => inputs.views.send(row),
                }
            }
            status.start().restored(&by_table);
            worker.step();
        }
        match reading.join() {
            Ok(rows) => rows,
            Err(_) => bail!("reading the state panicked"),
        }
    })?;
    status.start().worker_restored();
    span.record("rows", rows).record("seconds", started.elapsed().as_secs_f64());
    tracing::info!("state restored");
    Ok(())
}

/// Reads the rows of a share and gives them to the worker, which takes them until there are no more.
fn read(plan: &Plan, share: Share, batches: &Sender<Vec<Row>>) -> Result<u64> {
    let mut client = connect(&plan.postgres)?;
    let hydration = Hydration::new(&plan.settings, &plan.resume, &plan.progress, &plan.names);
    let mut batch = Vec::with_capacity(ROWS_A_STEP);
    // Sending fails only where the worker has failed.
    let rows = hydration.read(&mut client, share, |row| {
        batch.push(row);
        if batch.len() == ROWS_A_STEP {
            let _ = batches.send(std::mem::replace(&mut batch, Vec::with_capacity(ROWS_A_STEP)));
        }
    });
    let rows = rows.context("cannot restore the state")?;
    let _ = batches.send(batch);
    Ok(rows)
}
