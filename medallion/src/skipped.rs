//! Offsets that an operator has passed without reading them.

use crate::progress::{Progress, fenced, to_json};
use postgres::GenericClient;
use streamflow_connectors::postgres::PostgresError;
use streamflow_model::{Account, BooksEntry};

/// Offsets of a partition that are passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The topic's name.
    pub topic: String,
    /// Kafka's number of the partition.
    pub partition: u16,
    /// The first one.
    pub from: u64,
    /// One past the last one.
    pub to: u64,
}

/// A gap that is in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The offsets.
    pub gap: Gap,
    /// When they were passed, microseconds since 1970.
    pub at: i64,
}

impl Skipped {
    /// All of them, in the order in which they were passed.
    ///
    /// # Errors
    /// Those of the server and the connection.
    pub fn read(client: &mut impl GenericClient) -> Result<Vec<Self>, PostgresError> {
        let sql = "SELECT source_topic, source_partition, from_offset, to_offset, \
                 (extract(epoch FROM skipped_at) * 1000000)::int8 \
             FROM streamflow.skipped_offsets ORDER BY number";
        let mut skipped = Vec::new();
        for row in client.query(sql, &[])? {
            let gap = Gap {
                topic: row.try_get(0)?,
                partition: u16::try_from(row.try_get::<_, i32>(1)?).unwrap_or_default(),
                from: u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or_default(),
                to: u64::try_from(row.try_get::<_, i64>(3)?).unwrap_or_default(),
            };
            skipped.push(Self { gap, at: row.try_get(4)? });
        }
        Ok(skipped)
    }
}

impl Progress {
    /// Lets reading go on behind a gap, and counts its offsets as read and skipped. Only for the holder of the lease
    /// before it commits anything.
    ///
    /// # Errors
    /// [`PostgresError::Fenced`] where the lease was taken; those of the server and the connection.
    pub fn skip(&mut self, client: &mut impl GenericClient, gap: &Gap) -> Result<(), PostgresError> {
        let offset = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
        let mut passed = self.clone();
        passed.offsets.entry(gap.topic.clone()).or_default().insert(gap.partition, gap.to);
        let accounts = passed.books.entry(gap.topic.clone()).or_default();
        for account in [BooksEntry::READ, Account::Skipped.as_str()] {
            *accounts.entry(account.to_owned()).or_default() += offset(gap.to - gap.from);
        }
        let mut transaction = client.transaction()?;
        let rows = transaction.execute(
            "UPDATE streamflow.progress SET offsets = $2::text::jsonb, books = $3::text::jsonb WHERE generation = $1",
            &[&passed.generation, &to_json(&passed.offsets)?, &to_json(&passed.books)?],
        )?;
        if rows != 1 {
            return Err(fenced(self.generation));
        }
        transaction.execute(
            "INSERT INTO streamflow.skipped_offsets (source_topic, source_partition, from_offset, to_offset) \
             VALUES ($1, $2, $3, $4)",
            &[&gap.topic, &i32::from(gap.partition), &offset(gap.from), &offset(gap.to)],
        )?;
        transaction.commit()?;
        *self = passed;
        Ok(())
    }
}
