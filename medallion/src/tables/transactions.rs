//! `silver.transactions`, their days, and the members of dimensions that they add.

use crate::changes::Changes;
use crate::encoding::{Column, Columns, Fields};
use crate::keys::Dimensions;
use crate::output::Output;
use postgres::error::SqlState;
use postgres::types::Type;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use streamflow_connectors::postgres::{CopyRows, PostgresError};
use streamflow_dataflow::score::{Scored, ShadowAlert, ShownHit, ShownVerdict};
use streamflow_model::calendar::date_key;
use streamflow_model::timestamp::days_from_civil;
use streamflow_model::{Calendar, Transaction};

const TABLE: &str = "silver.transactions";

const COPY: &str = "COPY silver.transactions (transaction_at, amount_cents, source_offset, revision, \
     customer_key, store_key, product_key, date_key, latitude, longitude, topic_key, source_partition, \
     score_thousandths, rule_scores, is_fraud, voided, currency, payment_method, alert_changes, shadow_alerts, \
     transaction_id) FROM STDIN (FORMAT binary)";

const UPDATE: &str = "UPDATE silver.transactions AS t SET transaction_at = n.transaction_at, \
     amount_cents = n.amount_cents, source_offset = n.source_offset, revision = n.revision, \
     customer_key = n.customer_key, store_key = n.store_key, product_key = n.product_key, \
     date_key = n.date_key, latitude = n.latitude, longitude = n.longitude, topic_key = n.topic_key, \
     source_partition = n.source_partition, score_thousandths = n.score_thousandths, \
     rule_scores = n.rule_scores, is_fraud = n.is_fraud, \
     voided = n.voided, currency = n.currency, payment_method = n.payment_method, \
     alert_changes = n.alert_changes, shadow_alerts = n.shadow_alerts \
     FROM unnest($1::timestamptz[], $2::int8[], $3::int8[], $4::int8[], $5::int4[], $6::int4[], $7::int4[], \
         $8::int4[], $9::int4[], $10::int4[], $11::int2[], $12::int2[], $13::int2[], $14::jsonb[], $15::bool[], \
         $16::bool[], $17::text[], $18::text[], $19::int4[], $20::jsonb[], $21::text[]) AS n (transaction_at, amount_cents, source_offset, revision, \
         customer_key, store_key, product_key, date_key, latitude, longitude, topic_key, source_partition, \
         score_thousandths, rule_scores, is_fraud, voided, currency, payment_method, alert_changes, \
         shadow_alerts, transaction_id) \
     WHERE t.transaction_id = n.transaction_id";

/// The columns, in the order of COPY and UPDATE.
const COLUMNS: [Type; 21] = [
    Type::TIMESTAMPTZ,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::INT2,
    Type::INT2,
    Type::INT2,
    Type::JSONB,
    Type::BOOL,
    Type::BOOL,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::JSONB,
    Type::TEXT,
];

/// Writes scored transactions.
pub(crate) struct Transactions<'a> {
    pub(crate) calendar: &'a Calendar,
    pub(crate) dimensions: &'a mut Dimensions,
    /// Keys of `streamflow.topics` by the topic's number.
    pub(crate) topic_keys: &'a [i16],
    /// Set when a new transaction turns out to have the id of one long past.
    pub(crate) reused_ids: &'a mut bool,
}

impl Transactions<'_> {
    /// Appends new transactions, updates changed ones.
    pub(crate) fn write(
        &mut self,
        output: &mut Output<'_, '_>,
        changes: &Changes,
    ) -> Result<(), PostgresError> {
        let past = self.past_ids(output, changes)?;
        let mut new = CopyRows::new(COLUMNS.len() as i16);
        let mut changed = Columns::new(&COLUMNS);
        let mut days = BTreeSet::new();
        for scored in changes.scored.added() {
            let day = if past.contains(scored.transaction.id.as_str()) {
                self.push(&mut changed, scored)
            } else {
                self.push(&mut new, scored)
            };
            days.insert(day);
        }
        for scored in changes.scored.changed() {
            days.insert(self.push(&mut changed, scored));
        }
        output.copy(TABLE, COPY, &new).map_err(|error| self.retry_if_reused(error))?;
        output.write(TABLE, UPDATE, &changed)?;
        add_dates(output, &days)
    }

    /// Ids of new transactions that an older one has, which the dataflow has forgotten: the new one replaces
    /// it. They are so rare that they are searched only after a COPY has failed on one.
    fn past_ids(
        &self,
        output: &mut Output<'_, '_>,
        changes: &Changes,
    ) -> Result<HashSet<String>, PostgresError> {
        if !*self.reused_ids {
            return Ok(HashSet::new());
        }
        let mut ids = Columns::new(&[Type::TEXT]);
        for scored in changes.scored.added() {
            ids.begin();
            ids.text(&scored.transaction.id);
        }
        let sql = "SELECT transaction_id FROM silver.transactions WHERE transaction_id = ANY ($1::text[])";
        Ok(output.texts(sql, &ids.parameters())?.into_iter().collect())
    }

    /// A reused id can be written at the second attempt, when the ids are searched.
    fn retry_if_reused(&mut self, error: PostgresError) -> PostgresError {
        let reused = error.code() == Some(&SqlState::UNIQUE_VIOLATION);
        if !reused || std::mem::replace(self.reused_ids, true) {
            return error;
        }
        PostgresError::Conflict { doing: "storing new transactions", problem: error.to_string() }
    }

    /// Pushes a row and returns its local day.
    fn push(&mut self, row: &mut impl Fields, scored: &Scored) -> i32 {
        let Scored { transaction, verdict, alert_changes, .. } = scored;
        let Transaction {
            id,
            customer,
            store,
            product,
            payment_method,
            amount,
            currency,
            place,
            event_time,
            revision,
            voided,
            source,
        } = &**transaction;
        let day = self.calendar.day(*event_time);
        let partition = source.partition();
        row.begin();
        row.instant(*event_time);
        row.int8(amount.0);
        row.count(source.offset());
        row.int8(i64::from(*revision));
        row.int4(self.dimensions.customers.of(customer));
        row.int4(self.dimensions.stores.of(store));
        row.nullable(product.as_ref().map(|product| self.dimensions.products.of(product)), Fields::int4);
        row.int4(date_key(day));
        row.nullable(place.map(|place| place.latitude), Fields::int4);
        row.nullable(place.map(|place| place.longitude), Fields::int4);
        row.int2(self.topic_keys.get(usize::from(partition.topic())).copied().unwrap_or_default());
        // Partition numbers are below 4,096.
        row.int2(partition.partition() as i16);
        push_verdict(row, verdict);
        row.boolean(*voided);
        row.text(currency.as_str());
        row.text_or_null(payment_method.as_ref());
        row.nullable((*alert_changes > 0).then_some(*alert_changes as i32), Fields::int4);
        row.nullable(shadow_alerts(verdict), |row, alerts| row.jsonb(&alerts));
        row.text(id);
        day
    }
}

fn push_verdict(row: &mut impl Fields, verdict: &ShownVerdict) {
    row.int2(verdict.score.thousandths() as i16);
    row.nullable(rule_scores(verdict), |row, scores| row.jsonb(&scores));
    row.boolean(verdict.alert);
}

/// The score of each hit by its rule's id, as JSON; `None` without hits, which is nearly always.
fn rule_scores(verdict: &ShownVerdict) -> Option<String> {
    (!verdict.hits.is_empty()).then(|| scores(&verdict.hits).to_string())
}

fn scores(hits: &[ShownHit]) -> Value {
    hits.iter().map(|hit| (hit.rule.to_string(), hit.score.thousandths())).collect()
}

/// What shadow sets would alert, by name, as JSON; `None` for nothing.
fn shadow_alerts(verdict: &ShownVerdict) -> Option<String> {
    let alert = |shadow: &ShadowAlert<ShownHit>| {
        let alert = json!({"score": shadow.score.thousandths(), "rules": scores(&shadow.hits)});
        (shadow.set.as_str().to_owned(), alert)
    };
    (!verdict.shadows.is_empty()).then(|| verdict.shadows.iter().map(alert).collect::<Value>().to_string())
}

fn add_dates(output: &mut Output<'_, '_>, days: &BTreeSet<i32>) -> Result<(), PostgresError> {
    let day = |year| days_from_civil(year, 1, 1) as i32;
    let prepopulated = day(2020)..day(2036);
    let missing: Vec<i32> = days.iter().copied().filter(|day| !prepopulated.contains(day)).collect();
    if !missing.is_empty() {
        output.execute("SELECT gold.add_dates($1::date[])", &[&Column::of_days(&missing)])?;
    }
    Ok(())
}
