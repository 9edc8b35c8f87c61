//! Rows by binary COPY: a million in about a second.

use crate::encoding::Instant;
use postgres::Transaction;
use postgres::binary_copy::{BinaryCopyOutIter, BinaryCopyOutRow};
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{FromSql, Type};
use streamflow_connectors::postgres::PostgresError;
use streamflow_model::timestamp::Rfc3339;
use streamflow_model::{Currency, Id};

/// `total_amount` in cents, as text for [`Fields::wide`]: exact, however large.
pub(crate) const CENTS: &str = "(total_amount * 100)::numeric(60)::text";

/// A row, read from left to right.
pub(crate) struct Fields<'a> {
    row: &'a BinaryCopyOutRow,
    next: usize,
}

impl<'a> Fields<'a> {
    /// The next column.
    pub(crate) fn get<T: FromSql<'a>>(&mut self) -> Result<T, PostgresError> {
        self.next += 1;
        Ok(self.row.try_get(self.next - 1)?)
    }

    /// A `timestamptz`, to be described as `INT8`, in microseconds since 1970.
    pub(crate) fn instant(&mut self) -> Result<i64, PostgresError> {
        Ok(Instant::from_wire(self.get()?).0)
    }

    /// A `timestamptz` that can be null.
    pub(crate) fn nullable_instant(&mut self) -> Result<Option<i64>, PostgresError> {
        Ok(self.get::<Option<i64>>()?.map(|wire| Instant::from_wire(wire).0))
    }

    /// An identifier.
    pub(crate) fn id(&mut self) -> Result<Id, PostgresError> {
        self.get::<&str>().map(Id::from)
    }

    /// A currency.
    pub(crate) fn currency(&mut self) -> Result<Currency, PostgresError> {
        let code: &str = self.get()?;
        Currency::parse(code).ok_or_else(|| impossible(format!("currency `{code}`")))
    }

    /// A whole number of any length, given as text.
    pub(crate) fn wide(&mut self) -> Result<i128, PostgresError> {
        let text: &str = self.get()?;
        text.parse().map_err(|_| impossible(format!("`{text}` is no whole number")))
    }

    /// A `bigint` that is never negative.
    pub(crate) fn count(&mut self) -> Result<u64, PostgresError> {
        let count: i64 = self.get()?;
        u64::try_from(count).map_err(|_| impossible(format!("{count} is no count")))
    }
}

/// Gives what `read` makes of each row of a query to `give`.
pub(crate) fn rows<T>(
    snapshot: &mut Transaction<'_>,
    query: &str,
    types: &[Type],
    read: impl Fn(&mut Fields<'_>) -> Result<T, PostgresError>,
    give: &mut dyn FnMut(T),
) -> Result<(), PostgresError> {
    let reader = snapshot.copy_out(&format!("COPY ({query}) TO STDOUT (FORMAT binary)"))?;
    let mut rows = BinaryCopyOutIter::new(reader, types);
    while let Some(row) = rows.next()? {
        give(read(&mut Fields { row: &row, next: 0 })?);
    }
    Ok(())
}

/// What the tables can hold only if somebody else wrote to them.
pub(crate) fn impossible(problem: impl Into<String>) -> PostgresError {
    PostgresError::Fenced(format!("hydration: {}", problem.into()))
}

/// Instants that are written as they are, microseconds since 1970: the years 1 to 9999.
const WRITABLE: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// An instant as a literal; COPY takes no parameters.
pub(crate) fn literal(micros: i64) -> String {
    if micros < WRITABLE.start {
        "timestamptz '-infinity'".to_owned()
    } else if micros >= WRITABLE.end {
        "timestamptz 'infinity'".to_owned()
    } else {
        format!("timestamptz '{}'", Rfc3339(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Columns;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use streamflow_connectors::postgres::{Fields as _, PrivateOptions, PrivatePostgres, connect};

    #[test]
    fn sums_are_read_as_they_were_written() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let random = (0..10_000).map(|_| rng.random::<i128>() >> rng.random_range(0..127));
        let sums: Vec<i128> = random.chain([0, 1, -1, 100, i128::MAX, i128::MIN]).collect();
        let mut columns = Columns::new(&[Type::NUMERIC]);
        for sum in &sums {
            columns.begin();
            columns.money(*sum);
        }
        let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
        let mut client = connect(&server.settings()).unwrap();
        let mut snapshot = client.transaction().unwrap();
        snapshot.batch_execute("CREATE TABLE sums (number serial, total_amount numeric)").unwrap();
        let insert = "INSERT INTO sums (total_amount) SELECT unnest($1::numeric[])";
        snapshot.execute(insert, &columns.parameters()).unwrap();
        let mut read = Vec::new();
        let query = format!("SELECT {CENTS} FROM sums ORDER BY number");
        rows(&mut snapshot, &query, &[Type::TEXT], |row| row.wide(), &mut |sum| read.push(sum)).unwrap();
        assert_eq!(read, sums);
    }

    #[test]
    fn instants_beyond_the_calendar_are_infinite() {
        assert_eq!(literal(0), "timestamptz '1970-01-01T00:00:00.000000Z'");
        assert_eq!(literal(i64::MIN), "timestamptz '-infinity'");
        assert_eq!(literal(i64::MAX), "timestamptz 'infinity'");
    }
}
