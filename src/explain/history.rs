//! A customer's other transactions, as they are now or were known at a time: what precedes a transaction at any
//! event time.

use super::recorded::{Version, last, versions};
use super::row::Position;
use anyhow::{Context, Result};
use postgres::{Row, Transaction as Snapshot};
use streamflow_connectors::postgres::Instant;
use streamflow_dataflow::amendments::{FinalPlace, Precedents};
use streamflow_dataflow::detectors::{EarlierTransaction, MinuteSums, Sums};
use streamflow_medallion::answers::{Removed, removed};
use streamflow_model::{Calendar, Currency, Id, Place, Transaction};

/// Those whose current version is asked for at a time have the time at which its event was read.
const OTHERS: &str = "SELECT t.transaction_id, t.transaction_at, t.amount_cents, t.currency, t.latitude, t.longitude, t.voided, \
         t.revision, o.topic, t.source_partition::int4, t.source_offset, e.ingested_at \
     FROM silver.transactions AS t JOIN gold.dim_customer AS c USING (customer_key) \
     JOIN streamflow.topics AS o USING (topic_key) \
     LEFT JOIN LATERAL (SELECT r.ingested_at FROM bronze.raw_transactions AS r \
         WHERE r.source_topic = o.topic AND r.source_partition = t.source_partition \
           AND r.source_offset = t.source_offset LIMIT 1) AS e ON $3 \
     WHERE c.customer_id = $1 AND t.transaction_id <> $2";

/// One of the customer's other transactions.
#[derive(Clone, Debug)]
pub struct Other {
    pub event_time: i64,
    pub id: Id,
    pub cents: i64,
    pub currency: Currency,
    pub place: Option<Place>,
    pub position: Position,
}

/// The sums over the first so many transactions.
#[derive(Clone, Copy, Default)]
struct Prefix {
    /// In the currency of the transaction that is explained.
    sums: Sums,
    minutes: MinuteSums,
    /// How many there are up to the last one with a place; 0 where none has one.
    placed: usize,
}

/// The customer's other current transactions.
pub struct History {
    currency: Currency,
    look_back: i64,
    /// By event time and id.
    others: Vec<Other>,
    /// One more than `others`.
    prefixes: Vec<Prefix>,
}

impl History {
    /// Reads it. Single transactions are kept as far back as `look_back` before an event time, microseconds. What
    /// cannot be known as it was then is added to `notes`.
    pub fn read(
        snapshot: &mut Snapshot<'_>,
        of: &Transaction,
        known_at: Option<i64>,
        look_back: i64,
        calendar: &Calendar,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let rows = snapshot.query(OTHERS, &[&of.customer.as_str(), &of.id.as_str(), &known_at.is_some()])?;
        let mut then = Then { known_at, others: Vec::with_capacity(rows.len()), undated: 0, lost: 0 };
        for row in &rows {
            then.add(snapshot, row)?;
        }
        notes.extend(then.notes());
        let removed = removed(snapshot, &of.customer, of.currency.as_str())?;
        Ok(Self::new(of.currency, look_back, &removed, then.others, calendar))
    }

    /// What maintenance has removed precedes all others.
    fn new(
        currency: Currency,
        look_back: i64,
        removed: &[Removed],
        mut others: Vec<Other>,
        calendar: &Calendar,
    ) -> Self {
        others.sort_by(|one, other| (one.event_time, &one.id).cmp(&(other.event_time, &other.id)));
        let mut prefix = Prefix::default();
        for Removed { in_currency, sums } in removed {
            prefix.minutes.add((*sums).into());
            if *in_currency {
                prefix.sums.add_all(sums);
            }
        }
        let mut prefixes = vec![prefix];
        for (index, other) in others.iter().enumerate() {
            let mut own = Sums::default();
            own.add(other.cents, calendar.minute_of_day(other.event_time));
            prefix.minutes.add(own.into());
            if other.currency == currency {
                prefix.sums.add_all(&own);
            }
            if other.place.is_some() {
                prefix.placed = index + 1;
            }
            prefixes.push(prefix);
        }
        Self { currency, look_back, others, prefixes }
    }

    /// What precedes a transaction of this customer, at its event time.
    pub fn before(&self, transaction: &Transaction) -> Precedents {
        let count = self.count_before(transaction);
        let Prefix { sums, minutes, placed } = self.prefixes[count];
        let mut precedents = Precedents { sums, minutes, ..Precedents::default() };
        for other in self.recent(transaction, self.look_back) {
            let Other { event_time, cents, .. } = *other;
            if other.currency == self.currency {
                precedents.recent.push(EarlierTransaction { event_time, cents });
            } else {
                precedents.recent_in_others.push(event_time);
            }
        }
        precedents.last_place = self.last_placed(placed);
        precedents
    }

    /// Those before a transaction that are at most `back` microseconds older, the oldest first.
    pub fn recent(&self, transaction: &Transaction, back: i64) -> &[Other] {
        let count = self.count_before(transaction);
        let from = transaction.event_time.saturating_sub(back);
        &self.others[self.others[..count].partition_point(|other| other.event_time < from)..count]
    }

    /// How many lie within the look back of any event time between these, microseconds since 1970.
    pub fn count_around(&self, from: i64, to: i64) -> usize {
        let from = from.saturating_sub(self.look_back);
        let after = |time: i64| self.others.partition_point(|other| other.event_time < time);
        after(to) - after(from)
    }

    /// The one with an id.
    pub fn other(&self, id: &str) -> Option<&Other> {
        self.others.iter().find(|other| other.id == id)
    }

    fn count_before(&self, transaction: &Transaction) -> usize {
        let of = (transaction.event_time, &transaction.id);
        self.others.partition_point(|other| (other.event_time, &other.id) < of)
    }

    fn last_placed(&self, count: usize) -> Option<FinalPlace> {
        let Other { event_time, id, place, .. } = self.others.get(count.checked_sub(1)?)?;
        Some(FinalPlace { event_time: *event_time, place: (*place)?, id: id.clone() })
    }
}

/// The others as they were known at a time.
struct Then {
    known_at: Option<i64>,
    others: Vec<Other>,
    /// Those whose events are no longer in bronze.
    undated: u64,
    /// Those whose version of then was not found.
    lost: u64,
}

impl Then {
    fn add(&mut self, snapshot: &mut Snapshot<'_>, row: &Row) -> Result<()> {
        let (revision, voided): (i64, bool) = (row.try_get("revision")?, row.try_get("voided")?);
        let ingested_at = row.try_get::<_, Option<Instant>>("ingested_at")?.map(|Instant(at)| at);
        let is_known = match (self.known_at, ingested_at) {
            (None, _) => true,
            (Some(known_at), Some(ingested_at)) => ingested_at <= known_at,
            (Some(_), None) => {
                self.undated += 1;
                true
            }
        };
        if is_known {
            if !voided {
                self.others.push(other(row)?);
            }
        } else if revision > 0 {
            self.add_earlier_version(versions(snapshot, row.try_get("transaction_id")?)?);
        }
        Ok(())
    }

    /// Adds the version that was known then, if there was one.
    fn add_earlier_version(&mut self, versions: Vec<Version>) {
        let is_complete = versions.iter().any(|version| version.transaction.revision == 0);
        let was_read =
            |version: &Version| self.known_at.is_none_or(|known_at| version.ingested_at <= known_at);
        match last(versions.into_iter().filter(was_read)) {
            Some(version) if !version.transaction.voided => {
                self.others.push(Other::new(&version.transaction, version.position));
            }
            None if !is_complete => self.lost += 1,
            _ => {}
        }
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let undated = (self.undated > 0).then(|| {
            format!(
                "the events of {} transactions before it are no longer in bronze: they count as they are now",
                self.undated
            )
        });
        let lost = (self.lost > 0).then(|| {
            format!(
                "{} transactions of the customer have been corrected since, and no version of them that was known then was found: \
                 they are left out",
                self.lost
            )
        });
        undated.into_iter().chain(lost)
    }
}

impl Other {
    fn new(transaction: &Transaction, position: Position) -> Self {
        Self {
            event_time: transaction.event_time,
            id: transaction.id.clone(),
            cents: transaction.amount.0,
            currency: transaction.currency,
            place: transaction.place,
            position,
        }
    }
}

fn other(row: &Row) -> Result<Other> {
    let place = row.try_get::<_, Option<i32>>("latitude")?.zip(row.try_get("longitude")?);
    let currency = Currency::parse(row.try_get("currency")?);
    Ok(Other {
        event_time: row.try_get::<_, Instant>("transaction_at")?.0,
        id: row.try_get::<_, &str>("transaction_id")?.into(),
        cents: row.try_get("amount_cents")?,
        currency: currency.context("a currency that is none")?,
        place: place.map(|(latitude, longitude)| Place { latitude, longitude }),
        position: Position {
            topic: row.try_get("topic")?,
            partition: row.try_get("source_partition")?,
            offset: row.try_get("source_offset")?,
        },
    })
}
