//! Reads the selected dead letters page by page, and marks them as sent.

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use postgres::Client;
use postgres::types::ToSql;
use streamflow_medallion::outbox::{Limits, Numbered, StoredDeadLetter};

/// Selects dead letters for which all conditions hold.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Refused for one of these reasons.
    pub reasons: Option<Vec<String>>,
    /// With one of these ids.
    pub ids: Option<Vec<i64>>,
    /// Read at this time or later, RFC 3339.
    pub since: Option<DateTime<Utc>>,
    /// Read before this time, RFC 3339.
    pub until: Option<DateTime<Utc>>,
    /// Also those that were sent again before.
    pub again: bool,
}

impl Selection {
    /// Whether it selects everything.
    pub fn is_open(&self) -> bool {
        let Self { reasons, ids, since, until, again: _ } = self;
        reasons.is_none() && ids.is_none() && since.is_none() && until.is_none()
    }
}

/// The size of a page; its last letter may exceed the bytes.
const PAGE: Limits = Limits { rows: 500, bytes: 4 << 20 };

/// What the parameters of a page select: the ids it is between, and the selection. Of letters that are erased there is
/// nothing to send.
const SELECTED: &str = "id > $3 AND id <= $4 AND ($5::text[] IS NULL OR reason = ANY ($5)) \
     AND ($6::int8[] IS NULL OR id = ANY ($6)) \
     AND ($7::timestamptz IS NULL OR ingested_at >= $7) \
     AND ($8::timestamptz IS NULL OR ingested_at < $8) \
     AND ($9 OR resubmitted_at IS NULL) AND erased_at IS NULL";

/// Key of the advisory lock. Any constant that no other program uses on this database will do.
const LOCK: i64 = 0x0053_5452_5245_5355;

/// The letters of a selection, in the order in which they were refused. Letters that arrive after the start
/// do not count: a letter that is sent and refused again would be selected without end.
pub struct Letters {
    client: Client,
    selection: Selection,
    /// The id of the last letter read.
    after: i64,
    /// The id of the last letter at the start.
    last: i64,
}

impl Letters {
    /// Opens the selection. For marking, takes the advisory lock and checks the right to update.
    ///
    /// # Errors
    /// Errors of the server or the connection; another `resubmit` holds the lock; the right is missing.
    pub fn open(mut client: Client, selection: Selection, to_mark: bool) -> Result<Self> {
        if to_mark {
            prepare_to_mark(&mut client)?;
        }
        let last =
            client.query_one("SELECT coalesce(max(id), 0) FROM bronze.dead_letters", &[])?.try_get(0)?;
        Ok(Self { client, selection, after: 0, last })
    }

    /// The next page; empty at the end.
    pub fn page(&mut self, at_most: u64) -> Result<Vec<StoredDeadLetter>> {
        let Selection { reasons, ids, since, until, again } = &self.selection;
        let rows = i64::try_from(at_most).unwrap_or(PAGE.rows).min(PAGE.rows);
        let limits = Limits { rows, ..PAGE };
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&self.after, &self.last, reasons, ids, since, until, again];
        let letters = StoredDeadLetter::select(&mut self.client, limits, SELECTED, &parameters)?;
        if let Some(letter) = letters.last() {
            self.after = letter.number;
        }
        Ok(letters)
    }

    /// Marks the letters that were sent.
    pub fn mark(&mut self, ids: &[i64]) -> Result<()> {
        let sql = "UPDATE bronze.dead_letters SET resubmitted_at = now() WHERE id = ANY ($1)";
        self.client.execute(sql, &[&ids])?;
        Ok(())
    }
}

/// Checks the right to mark letters before any letter is sent.
fn prepare_to_mark(client: &mut Client) -> Result<()> {
    let sql = "SELECT has_column_privilege('bronze.dead_letters', 'resubmitted_at', 'UPDATE'), \
             pg_try_advisory_lock($1)";
    let row = client.query_one(sql, &[&LOCK])?;
    if !row.try_get::<_, bool>(0)? {
        bail!("this user may not mark dead letters: GRANT UPDATE (resubmitted_at) ON bronze.dead_letters");
    }
    if !row.try_get::<_, bool>(1)? {
        bail!("another `streamflow resubmit` is at work on this database; wait for its end");
    }
    Ok(())
}
