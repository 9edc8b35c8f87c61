//! Restores the graph's state from the tables, before anything is read from Kafka.

use super::plan::Plan;
use super::status::Status;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::time::Instant;
use streamflow_connectors::postgres::connect;
use streamflow_dataflow::inputs::RestoredHandles;
use streamflow_medallion::hydration::{Hydration, Row, Share};
use timely::worker::Worker;
use tracing::field;

/// The worker steps after this many rows, so that they do not queue in front of the operators.
const ROWS_A_STEP: u64 = 8192;

/// Reads this worker's share and drops its handles. A database without results has no state to restore.
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
    let mut client = connect(&plan.postgres)?;
    let mut given = 0;
    let mut by_table: BTreeMap<&'static str, u64> = BTreeMap::new();
    let hydration = Hydration::new(&plan.settings, &plan.resume, &plan.progress, &plan.names);
    let rows = hydration.read(&mut client, share, |row| {
        *by_table.entry(row.table()).or_default() += 1;
        match row {
            Row::Transaction(row) => inputs.transactions.send(row),
            Row::Pending(row) => inputs.pending.send(row),
            Row::Customer(row) => inputs.customers.send(row),
            Row::View { row, .. } => inputs.views.send(row),
        }
        given += 1;
        if given % ROWS_A_STEP == 0 {
            status.start().restored(&std::mem::take(&mut by_table));
            worker.step();
        }
    });
    let rows = rows.context("cannot restore the state")?;
    status.start().restored(&by_table);
    status.start().worker_restored();
    span.record("rows", rows).record("seconds", started.elapsed().as_secs_f64());
    tracing::info!("state restored");
    Ok(())
}
