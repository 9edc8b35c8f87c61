//! Dead letters: what was refused is still counted, but says nothing.

use super::people::People;
use crate::outbox::{Numbered, StoredDeadLetter};
use postgres::Transaction;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use streamflow_connectors::postgres::PostgresError;

const UPDATE: &str = "UPDATE bronze.dead_letters SET key = NULL, key_is_base64 = false, payload = NULL, \
         payload_is_base64 = false, message = '', erased_at = clock_timestamp() \
     WHERE id = ANY ($1)";

/// The ids of those that name somebody.
pub(super) fn find(
    transaction: &mut Transaction<'_>,
    people: &mut People,
) -> Result<Vec<i64>, PostgresError> {
    let sql = format!("SELECT {} FROM {}", StoredDeadLetter::COLUMNS, StoredDeadLetter::TABLE);
    let mut rows = transaction.query_raw(&sql, std::iter::empty::<&(dyn ToSql + Sync)>())?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        let letter = StoredDeadLetter::read(&row)?;
        let texts = [letter.key.as_deref(), letter.payload.as_deref(), Some(letter.message.as_bytes())];
        if let Some(person) = texts.into_iter().flatten().find_map(|text| people.named_in(text)) {
            people.see(person);
            letters.push(letter.number);
        }
    }
    Ok(letters)
}

pub(super) fn write(transaction: &mut Transaction<'_>, letters: &[i64]) -> Result<(), PostgresError> {
    transaction.execute(UPDATE, &[&letters])?;
    Ok(())
}
