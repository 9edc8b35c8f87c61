//! Reads rows of aggregates that can still change, and the books.

use super::{Hydration, Row};
use crate::copy_out::{self, Fields, impossible, literal};
use crate::tables::quality::measure;
use crate::tables::view::Aggregate;
use crate::tables::{Tables, tables};
use postgres::Transaction as Snapshot;
use postgres::types::Type;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::tally::WINDOW;
use streamflow_dataflow::views::quality::QualityKey;
use streamflow_dataflow::views::{View, Visit};
use streamflow_model::BooksEntry;

const QUALITY_TYPES: &[Type] = &[Type::INT8, Type::TEXT, Type::INT8];

/// Reads the rows of each view.
struct Restore<'a, 'b> {
    snapshot: &'a mut Snapshot<'b>,
    /// Microseconds since 1970.
    settled: i64,
    give: &'a mut dyn FnMut(Row),
}

impl Visit<Tables> for Restore<'_, '_> {
    type Error = PostgresError;

    fn visit<V: View>(
        &mut self,
        aggregate: &&'static Aggregate<V::Key, V::Sum>,
    ) -> Result<(), PostgresError> {
        let table = aggregate.table.stored;
        let give = &mut |(key, sum)| {
            (self.give)(Row::View { table, row: ViewChange::Row(V::row((key, Some(sum)))) });
        };
        aggregate.restore(self.snapshot, self.settled, give)
    }
}

impl Hydration<'_> {
    /// All of them.
    pub(super) fn views(
        &self,
        snapshot: &mut Snapshot<'_>,
        give: &mut dyn FnMut(Row),
    ) -> Result<(), PostgresError> {
        tables().visit(&mut Restore { snapshot, settled: self.settled, give })?;
        let since = literal(self.settled.saturating_sub(WINDOW));
        let query = format!(
            "SELECT window_start, measure, events FROM silver.quality_counts WHERE window_start >= {since}"
        );
        let give_counts = &mut |row| give(Row::View { table: super::QUALITY, row });
        copy_out::rows(snapshot, &query, QUALITY_TYPES, quality, give_counts)?;
        self.books(&mut |row| give(Row::View { table: super::PROGRESS, row }))
    }

    /// Of topics that are no longer configured they stay as they are.
    fn books(&self, give: &mut dyn FnMut(ViewChange)) -> Result<(), PostgresError> {
        for (topic, accounts) in &self.progress.books {
            let Some(topic) = self.topics.number(topic) else { continue };
            for (account, events) in accounts {
                let entry = BooksEntry::named(topic, account);
                let entry = entry.ok_or_else(|| impossible(format!("account `{account}` of the books")))?;
                give(ViewChange::Books((entry, Some(*events))));
            }
        }
        Ok(())
    }
}

fn quality(row: &mut Fields<'_>) -> Result<ViewChange, PostgresError> {
    let (window_start, name): (i64, &str) = (row.instant()?, row.get()?);
    let measure = measure(name).ok_or_else(|| impossible(format!("measure `{name}`")))?;
    Ok(ViewChange::Quality((QualityKey { window_start, measure }, Some(row.get()?))))
}
