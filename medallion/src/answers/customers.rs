//! What is final of a customer beside the version that is found.

use super::Case;
use crate::copy_out::impossible;
use crate::encoding::{Columns, Fields, Instant};
use postgres::types::{ToSql, Type};
use postgres::{Row, Transaction as Snapshot};
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::amendments::{FinalPast, FinalPlace, PastInCurrency};
use streamflow_dataflow::detectors::EarlierTransaction;
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Calendar, Currency, Place, Transaction};

/// The last place of each case. `$5` is how far detectors look back, microseconds.
const PLACES: &str = "SELECT place.at, place.latitude, place.longitude, place.id \
     FROM unnest($1::int8[], $2::text[], $3::timestamptz[], $4::text[]) \
         AS n (number, customer, final_before, replaced) \
     LEFT JOIN gold.dim_customer AS c ON c.customer_id = n.customer \
     LEFT JOIN LATERAL (SELECT t.transaction_at AS at, t.latitude, t.longitude, t.transaction_id AS id \
         FROM silver.transactions AS t \
         WHERE t.customer_key = c.customer_key AND t.transaction_at < n.final_before AND NOT t.voided \
         AND t.transaction_at >= n.final_before - $5::int8 * interval '1 microsecond' \
         AND t.latitude IS NOT NULL AND t.transaction_id IS DISTINCT FROM n.replaced \
         ORDER BY t.transaction_at DESC, t.transaction_id DESC LIMIT 1) AS place ON true \
     ORDER BY n.number";

/// What there is in each currency of each case, also of what maintenance has removed: those in which the customer has a
/// profile, which are few.
const PASTS: &str = "SELECT n.number, p.currency, least(first.at, r.first_seen), greatest(last.at, r.last_seen), \
         ARRAY(SELECT (extract(epoch FROM t.transaction_at) * 1000000)::int8 FROM silver.transactions AS t \
             WHERE t.customer_key = c.customer_key AND t.currency = p.currency AND NOT t.voided \
             AND t.transaction_at < n.final_before \
             AND t.transaction_at >= n.final_before - $5::int8 * interval '1 microsecond' \
             AND t.transaction_id IS DISTINCT FROM n.replaced ORDER BY t.transaction_at, t.transaction_id), \
         ARRAY(SELECT t.amount_cents FROM silver.transactions AS t \
             WHERE t.customer_key = c.customer_key AND t.currency = p.currency AND NOT t.voided \
             AND t.transaction_at < n.final_before \
             AND t.transaction_at >= n.final_before - $5::int8 * interval '1 microsecond' \
             AND t.transaction_id IS DISTINCT FROM n.replaced ORDER BY t.transaction_at, t.transaction_id) \
     FROM unnest($1::int8[], $2::text[], $3::timestamptz[], $4::text[]) \
         AS n (number, customer, final_before, replaced) \
     JOIN gold.dim_customer AS c ON c.customer_id = n.customer \
     JOIN gold.customer_totals AS p ON p.customer_key = c.customer_key \
     LEFT JOIN streamflow.removed_transactions AS r ON r.customer_key = p.customer_key AND r.currency = p.currency \
     LEFT JOIN LATERAL (SELECT t.transaction_at AS at FROM silver.transactions AS t \
         WHERE t.customer_key = c.customer_key AND t.currency = p.currency AND NOT t.voided \
         AND t.transaction_at < n.final_before AND t.transaction_id IS DISTINCT FROM n.replaced \
         ORDER BY t.transaction_at LIMIT 1) AS first ON true \
     LEFT JOIN LATERAL (SELECT t.transaction_at AS at FROM silver.transactions AS t \
         WHERE t.customer_key = c.customer_key AND t.currency = p.currency AND NOT t.voided \
         AND t.transaction_at < n.final_before AND t.transaction_id IS DISTINCT FROM n.replaced \
         ORDER BY t.transaction_at DESC LIMIT 1) AS last ON true \
     WHERE first.at IS NOT NULL OR r.first_seen IS NOT NULL";

const SOLE: &str = "SELECT n.number, \
         NOT EXISTS (SELECT FROM silver.transactions AS t WHERE t.customer_key = c.customer_key AND NOT t.voided \
             AND t.currency = n.currency AND t.transaction_at >= n.minute AND t.transaction_at < n.minute + interval '1 minute' \
             AND t.transaction_at < n.final_before AND t.transaction_id IS DISTINCT FROM n.replaced), \
         NOT EXISTS (SELECT FROM silver.transactions AS t WHERE t.customer_key = c.customer_key AND NOT t.voided \
             AND t.currency = n.currency AND t.transaction_at >= n.hour AND t.transaction_at < n.hour + interval '1 hour' \
             AND t.store_key = s.store_key \
             AND t.transaction_at < n.final_before AND t.transaction_id IS DISTINCT FROM n.replaced) \
     FROM unnest($1::int8[], $2::text[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[], \
         $8::text[]) AS n (number, customer, final_before, replaced, minute, hour, store, currency) \
     LEFT JOIN gold.dim_customer AS c ON c.customer_id = n.customer \
     LEFT JOIN gold.dim_store AS s ON s.store_id = n.store \
     ORDER BY n.number";

const COMMON: [Type; 4] = [Type::INT8, Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT];

/// The customer's final transactions after each case.
pub(super) fn final_pasts(
    snapshot: &mut Snapshot<'_>,
    cases: &[Case],
    look_back: i64,
) -> Result<Vec<FinalPast>, PostgresError> {
    let mut columns = Columns::new(&COMMON);
    for (number, case) in (0..).zip(cases) {
        push_common(&mut columns, number, case);
    }
    let mut parameters = columns.parameters();
    parameters.push(&look_back as &(dyn ToSql + Sync));
    let places = snapshot.query(PLACES, &parameters)?;
    let mut pasts = places.iter().map(with_place).collect::<Result<Vec<_>, _>>()?;
    for row in snapshot.query(PASTS, &parameters)? {
        let number: i64 = row.try_get(0)?;
        if let Some(past) = usize::try_from(number).ok().and_then(|number| pasts.get_mut(number)) {
            past.currencies.push(in_currency(&row)?);
        }
    }
    Ok(pasts.into_iter().zip(cases).map(|(past, case)| with_new(past, case)).collect())
}

fn push_common(columns: &mut Columns, number: i64, case: &Case) {
    columns.begin();
    columns.int8(number);
    columns.text(&case.pending.event.transaction.customer);
    columns.instant(case.pending.final_before);
    columns.text_or_null(case.replaced().as_ref());
}

fn with_place(row: &Row) -> Result<FinalPast, PostgresError> {
    let at = row.try_get::<_, Option<Instant>>(0)?;
    let last_place = match (at, row.try_get(1)?, row.try_get(2)?, row.try_get::<_, Option<&str>>(3)?) {
        (Some(Instant(event_time)), Some(latitude), Some(longitude), Some(id)) => {
            Some(FinalPlace { event_time, place: Place { latitude, longitude }, id: id.into() })
        }
        _ => None,
    };
    Ok(FinalPast { currencies: Vec::new(), last_place })
}

fn in_currency(row: &Row) -> Result<PastInCurrency, PostgresError> {
    let currency: &str = row.try_get(1)?;
    let currency = Currency::parse(currency).ok_or_else(|| impossible(format!("currency `{currency}`")))?;
    let (times, cents): (Vec<i64>, Vec<i64>) = (row.try_get(4)?, row.try_get(5)?);
    let recent = times.into_iter().zip(cents);
    let recent = recent.map(|(event_time, cents)| EarlierTransaction { event_time, cents }).collect();
    let (Instant(first_seen), Instant(last_seen)) = (row.try_get(2)?, row.try_get(3)?);
    Ok(PastInCurrency { currency, first_seen, last_seen, recent })
}

/// Adds the event's version, as far as it is final.
fn with_new(mut past: FinalPast, case: &Case) -> FinalPast {
    let new = &case.pending.event.transaction;
    if new.voided || !case.is_final() {
        return past;
    }
    let (currency, event_time) = (new.currency, new.event_time);
    let earlier = EarlierTransaction { event_time, cents: new.amount.0 };
    match past.currencies.iter_mut().find(|past| past.currency == currency) {
        Some(past) => {
            past.first_seen = past.first_seen.min(event_time);
            past.last_seen = past.last_seen.max(event_time);
            let position = past.recent.partition_point(|earlier| earlier.event_time <= event_time);
            past.recent.insert(position, earlier);
        }
        None => {
            let (first_seen, last_seen, recent) = (event_time, event_time, vec![earlier]);
            past.currencies.push(PastInCurrency { currency, first_seen, last_seen, recent });
        }
    }
    if let Some(place) = new.place {
        past.see(FinalPlace { event_time, place, id: new.id.clone() });
    }
    past
}

/// Where a version stands.
pub(super) struct Spot<'a> {
    case: &'a Case,
    store: &'a str,
    currency: Currency,
    voided: bool,
    /// Start of its minute and of its local hour, microseconds since 1970.
    minute: i64,
    hour: i64,
}

impl<'a> Spot<'a> {
    pub(super) fn new(case: &'a Case, transaction: &'a Transaction, calendar: &Calendar) -> Self {
        let event_time = transaction.event_time;
        Self {
            case,
            store: &transaction.store,
            currency: transaction.currency,
            voided: transaction.voided,
            minute: event_time - event_time.rem_euclid(MINUTE),
            hour: calendar.hour_start(event_time),
        }
    }
}

/// Whether a version is its customer's only final one in its currency.
#[derive(Clone, Copy, Default)]
pub(super) struct Sole {
    pub(super) in_minute: bool,
    /// In its local hour, store and currency.
    pub(super) in_hour: bool,
}

/// For each spot, whether the version there is its customer's only final one; false for a voided one and for
/// none.
pub(super) fn sole(
    snapshot: &mut Snapshot<'_>,
    spots: &[Option<Spot<'_>>],
) -> Result<Vec<Sole>, PostgresError> {
    let types = [COMMON.as_slice(), &[Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT]].concat();
    let mut columns = Columns::new(&types);
    for (number, spot) in (0..).zip(spots) {
        let Some(spot) = spot.as_ref().filter(|spot| !spot.voided) else { continue };
        push_common(&mut columns, number, spot.case);
        columns.instant(spot.minute);
        columns.instant(spot.hour);
        columns.text(spot.store);
        columns.text(spot.currency.as_str());
    }
    let mut soles = vec![Sole::default(); spots.len()];
    if columns.is_empty() {
        return Ok(soles);
    }
    for row in snapshot.query(SOLE, &columns.parameters())? {
        let number: i64 = row.try_get(0)?;
        if let Some(sole) = usize::try_from(number).ok().and_then(|number| soles.get_mut(number)) {
            *sole = Sole { in_minute: row.try_get(1)?, in_hour: row.try_get(2)? };
        }
    }
    Ok(soles)
}
