//! The tables that the graph's changes add up to, in the oracle's terms.

use crate::compare::Differences;
use crate::silver::row;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use streamflow_dataflow::alerts::{Alert, AlertChange, AlertEvidence, ChangeKind};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::rules::RulesChange;
use streamflow_dataflow::score::{Alerted, Scored, ShadowAlert, ShownHit};
use streamflow_dataflow::views::customer_profile::Profile;
use streamflow_dataflow::views::quality::{Measure, QualityKey};
use streamflow_dataflow::views::{CustomerSales, Rows, Sales, ViewRow, Views};
use streamflow_model::timestamp::civil_from_days;
use streamflow_model::{
    Account, BooksEntry, Customer, DeadLetter, Entity, Id, ListChange, Product, Received, Source, Store,
};
use streamflow_oracle::{
    AlertRow, Coordinates, CustomerSalesRow, DailyFraudRow, DeadLetterRow, Expected, ListEntry, ListVersion,
    ProfileRow, ProgressRow, ReceivedRow, RulePerformanceRow, SalesRow, ShadowAlertRow, TransactionRow,
};

/// What the changes so far add up to.
#[derive(Default)]
pub(crate) struct Tables {
    /// Everything but transactions and alerts.
    pub views: Expected,
    /// The rows of views over facts in the graph's terms, to which differences are added.
    rows: Views<Rows>,
    pub scored: BTreeMap<Scored, i64>,
    /// The alerts by id; several where an id was used again.
    pub alerts: BTreeMap<String, Vec<AlertState>>,
    /// The evidence of alerts by id and number of the last change.
    evidence: BTreeMap<(String, u32), Value>,
    pub rules_changes: Vec<RulesChange>,
    pub watermark: Option<i64>,
    /// Events that are not decided yet.
    pub pending: BTreeSet<Coordinates>,
}

/// An alert as its changes describe it.
pub(crate) struct AlertState {
    pub sequence: u32,
    /// The event of its latest change.
    source: Option<Source>,
    /// Its row while it exists, without evidence.
    pub row: Option<AlertRow>,
    /// The evidence of its latest change.
    details: Value,
}

impl Tables {
    /// Applies a change.
    pub(crate) fn apply(&mut self, change: ViewChange, wrong: &mut Differences) {
        let views = &mut self.views;
        match change {
            ViewChange::Received(row) => received(&row, views, wrong),
            ViewChange::DeadLetter(letter) => dead_letter(letter, views, wrong),
            ViewChange::AlertChange(change) => self.alert(&change, wrong),
            ViewChange::Scored(scored, diff) => {
                *self.scored.entry(row(scored)).or_default() += i64::from(diff);
            }
            ViewChange::Pending((source, Some(_))) => {
                self.pending.insert(coordinates(source));
            }
            ViewChange::Pending((source, None)) => {
                self.pending.remove(&coordinates(source));
            }
            ViewChange::AlertEvidence(evidence) => self.evidence(&evidence),
            ViewChange::Profile((key, row)) => {
                let key = (key.customer.into(), key.currency.to_string());
                upsert(&mut views.profiles, key, row.map(profile));
            }
            ViewChange::Row(row) => {
                self.rows.put(row.clone());
                apply_row(row, views);
            }
            ViewChange::RowDifference(difference) => {
                self.rows.add(difference).into_iter().for_each(|row| apply_row(row, views));
            }
            ViewChange::Quality((key, count)) => {
                upsert(&mut views.quality, (key.window_start, measure(key)), count);
            }
            ViewChange::Books((entry, count)) => upsert(&mut views.books, books_key(entry), count),
            ViewChange::Customer((id, row)) => upsert(&mut views.customers, id.into(), row.map(customer)),
            ViewChange::Store((id, row)) => upsert(&mut views.stores, id.into(), row.map(store)),
            ViewChange::Product((id, row)) => upsert(&mut views.products, id.into(), row.map(product)),
            ViewChange::ListChange(change) => views.list_versions.push(list_version(change)),
            ViewChange::RulesChange(change) => self.rules_changes.push(change),
            ViewChange::Progress(progress) => {
                let key = (progress.partition.topic(), progress.partition.partition());
                let row = ProgressRow {
                    next_offset: progress.next_offset,
                    partition_time: progress.partition_time,
                };
                views.progress.insert(key, row);
            }
            ViewChange::Watermark(time) => self.watermark = self.watermark.max(Some(time)),
        }
    }

    fn alert(&mut self, change: &AlertChange, wrong: &mut Differences) {
        let id = change.alert.id();
        let states = self.alerts.entry(id.clone()).or_default();
        if change.sequence == 1 {
            states.push(AlertState { sequence: 0, source: None, row: None, details: Value::Null });
        }
        let row = bare(&alert_row(&change.alert));
        let source = Some(change.alert.source);
        // Where an id was used again, the event or the row identifies the transaction, or else it is the
        // latest one.
        let alike = |state: &AlertState| {
            let same = |before: &AlertRow| {
                (before.event_time, before.cents, &before.currency, &before.store_id)
                    == (row.event_time, row.cents, &row.currency, &row.store_id)
            };
            (state.source == source, state.row.as_ref().is_some_and(same))
        };
        let is_one = states.len() == 1;
        let follows = states.iter_mut().filter(|state| state.sequence + 1 == change.sequence);
        let Some(state) = follows.max_by_key(|state| alike(state)) else {
            return wrong.note("alert changes", format_args!("{id}: no change comes before {change:?}"));
        };
        state.source = source;
        state.sequence = change.sequence;
        let fits = match (change.kind, &state.row) {
            (ChangeKind::Raised, None) => true,
            (ChangeKind::Revised, Some(before)) => *before != row,
            (ChangeKind::Withdrawn, Some(before)) => *before == row,
            _ => false,
        };
        if !fits && is_one {
            wrong.note("alert changes", format_args!("{id}: {:?} followed by {change:?}", state.row));
        }
        state.row = (change.kind != ChangeKind::Withdrawn).then_some(row);
        state.details = change.alert.rule_details();
    }

    /// There is no order between evidence and the change that it belongs to.
    fn evidence(&mut self, evidence: &AlertEvidence) {
        let key = (format!("alert-{}", evidence.transaction), evidence.sequence);
        self.evidence.insert(key, evidence.rule_details());
    }

    /// Names the rule in most alerts of each day, the lowest id of several: what the table in gold derives
    /// likewise.
    pub(crate) fn name_top_rules(&mut self) {
        let Expected { daily_fraud, rule_performance, .. } = &mut self.views;
        for (day, row) in daily_fraud {
            let of_day = rule_performance
                .iter()
                .filter(|((of, set, _), row)| of == day && set == "live" && row.alerts > 0);
            // The first of several with the most is the lowest.
            let top = of_day.rev().max_by_key(|(_, row)| row.alerts);
            row.top_rule = top.map(|((_, _, rule), _)| rule.clone());
        }
    }

    /// The rows of transactions, each of which must be there once.
    pub(crate) fn transactions(&mut self, wrong: &mut Differences) -> Vec<TransactionRow> {
        self.scored.retain(|_, count| *count != 0);
        for (scored, count) in self.scored.iter().filter(|(_, count)| **count != 1) {
            wrong.note("transactions", format_args!("{count} times {scored:?}"));
        }
        let mut rows: Vec<TransactionRow> = self.scored.keys().map(transaction).collect();
        rows.sort();
        rows
    }

    /// The alerts of the transactions, without evidence.
    pub(crate) fn alert_rows(&self) -> Vec<AlertRow> {
        let alerted = self.scored.keys().cloned().filter_map(Scored::alerted);
        let mut rows: Vec<AlertRow> = alerted.map(|alerted| alerted_row(&alerted)).collect();
        rows.sort_by(|a, b| (&a.transaction_id, &a.customer_id).cmp(&(&b.transaction_id, &b.customer_id)));
        rows
    }

    /// What shadow sets would alert, in order.
    pub(crate) fn shadow_alerts(&self) -> Vec<ShadowAlertRow> {
        let mut rows: Vec<ShadowAlertRow> = self.scored.keys().flat_map(shadow_alerts_of).collect();
        rows.sort();
        rows
    }

    /// The alerts that the changes leave, with their evidence, unless their ids were used again.
    pub(crate) fn alerts_with_evidence(&self) -> Vec<AlertRow> {
        let once = self.alerts.iter().filter(|(_, states)| states.len() == 1);
        let with_evidence = |id: &String, state: &AlertState| {
            let later = self.evidence.get(&(id.clone(), state.sequence));
            Some(AlertRow { details: later.unwrap_or(&state.details).clone(), ..state.row.clone()? })
        };
        once.filter_map(|(id, states)| with_evidence(id, &states[0])).collect()
    }

    /// The alerts that the changes leave, without evidence.
    pub(crate) fn standing_alerts(&self) -> Vec<AlertRow> {
        self.alerts.values().flatten().filter_map(|state| state.row.clone()).collect()
    }
}

fn shadow_alerts_of(scored: &Scored) -> Vec<ShadowAlertRow> {
    let of = transaction(scored);
    let row = |shadow: &ShadowAlert<ShownHit>| ShadowAlertRow {
        rule_set: shadow.set.as_str().to_owned(),
        transaction_id: of.transaction_id.clone(),
        customer_id: of.customer_id.clone(),
        store_id: of.store_id.clone(),
        cents: of.cents,
        currency: of.currency.clone(),
        event_time: of.event_time,
        score: shadow.score.thousandths().into(),
        rules: shadow.hits.iter().map(|hit| (hit.rule.to_string(), hit.score.thousandths().into())).collect(),
    };
    scored.verdict.shadows.iter().map(row).collect()
}

/// An alert without its evidence.
pub(crate) fn bare(alert: &AlertRow) -> AlertRow {
    AlertRow { details: Value::Null, ..alert.clone() }
}

fn upsert<K: Ord, V>(table: &mut BTreeMap<K, V>, key: K, row: Option<V>) {
    match row {
        Some(row) => table.insert(key, row),
        None => table.remove(&key),
    };
}

pub(crate) fn coordinates(source: Source) -> Coordinates {
    let partition = source.partition();
    Coordinates { topic: partition.topic(), partition: partition.partition(), offset: source.offset() }
}

fn received(row: &Received, views: &mut Expected, wrong: &mut Differences) {
    let at = coordinates(row.source);
    let row = ReceivedRow {
        record_time: row.record_time,
        event_time: row.event_time,
        schema_version: row.schema_version,
        payload: row.payload.to_vec(),
    };
    if views.received.insert(at, row).is_some() {
        wrong.note("bronze", format_args!("{at:?} twice"));
    }
}

fn dead_letter(letter: DeadLetter, views: &mut Expected, wrong: &mut Differences) {
    let at = coordinates(letter.source);
    let row = DeadLetterRow {
        record_time: letter.record_time,
        reason: letter.reason.as_str().to_owned(),
        payload: letter.payload.map(|payload| payload.to_vec()),
        full_length: letter.full_length,
    };
    if views.dead_letters.insert(at, row).is_some() {
        wrong.note("dead letters", format_args!("{at:?} twice"));
    }
}

fn apply_row(row: ViewRow, views: &mut Expected) {
    match row {
        ViewRow::AggHourlySales((key, row)) => {
            let key = (key.hour_start, key.store.into(), key.currency.to_string());
            upsert(&mut views.hourly, key, row.map(customer_sales));
        }
        ViewRow::StorePerformance((key, row)) => {
            let key = (date_key(key.day), key.store.into(), key.currency.to_string());
            upsert(&mut views.store_days, key, row.map(sales));
        }
        ViewRow::PaymentPerformance((key, row)) => {
            let key = (date_key(key.day), key.method.into(), key.currency.to_string());
            upsert(&mut views.payments, key, row.map(sales));
        }
        ViewRow::AggDailyFraud((day, row)) => {
            let row = row.map(|row| DailyFraudRow {
                transactions: row.transactions,
                alerts: row.alerts,
                score: row.score_thousandths,
                top_rule: None,
            });
            upsert(&mut views.daily_fraud, date_key(day.0), row);
        }
        ViewRow::RulePerformance((key, row)) => {
            let row = row.map(|row| RulePerformanceRow {
                hits: row.hits,
                alerts: row.alerts,
                alone: row.alone,
                score: row.score_thousandths,
            });
            upsert(
                &mut views.rule_performance,
                (date_key(key.day), key.set.as_str().to_owned(), key.rule.to_string()),
                row,
            );
        }
        ViewRow::RealtimeMetrics((key, row)) => {
            upsert(&mut views.minutes, (key.start, key.currency.to_string()), row.map(customer_sales));
        }
        ViewRow::RealtimeStoreMetrics((key, row)) => {
            let key = (key.minute_start, key.store.into(), key.currency.to_string());
            upsert(&mut views.store_minutes, key, row.map(sales));
        }
    }
}

fn transaction(scored: &Scored) -> TransactionRow {
    let transaction = &scored.transaction;
    let text = |id: &Id| id.to_string();
    TransactionRow {
        transaction_id: text(&transaction.id),
        customer_id: text(&transaction.customer),
        store_id: text(&transaction.store),
        product_id: transaction.product.as_ref().map(text),
        payment_method: transaction.payment_method.as_ref().map(text),
        cents: transaction.amount.0,
        currency: transaction.currency.to_string(),
        place: transaction.place.map(|place| (place.latitude, place.longitude)),
        event_time: transaction.event_time,
        revision: transaction.revision,
        voided: transaction.voided,
        source: coordinates(transaction.source),
        score: i64::from(scored.verdict.score.thousandths()),
        is_fraud: scored.verdict.alert,
        rules: (scored.verdict.hits.iter())
            .map(|hit| (hit.rule.to_string(), i64::from(hit.score.thousandths())))
            .collect(),
    }
}

/// The alert of a transaction that has one, without its evidence.
pub(crate) fn alerted_row(Alerted { transaction, verdict }: &Alerted) -> AlertRow {
    AlertRow {
        transaction_id: transaction.id.to_string(),
        customer_id: transaction.customer.to_string(),
        store_id: transaction.store.to_string(),
        cents: transaction.amount.0,
        currency: transaction.currency.as_str().to_owned(),
        event_time: transaction.event_time,
        score: i64::from(verdict.score.thousandths()),
        rules: verdict.hits.iter().map(|hit| hit.rule.to_string()).collect(),
        details: Value::Null,
    }
}

pub(crate) fn alert_row(alert: &Alert) -> AlertRow {
    AlertRow {
        transaction_id: alert.transaction.to_string(),
        customer_id: alert.customer.to_string(),
        store_id: alert.store.to_string(),
        cents: alert.amount,
        currency: alert.currency.as_str().to_owned(),
        event_time: alert.event_time,
        score: i64::from(alert.score.thousandths()),
        rules: alert.rules().map(|rule| rule.to_string()).collect(),
        details: alert.rule_details(),
    }
}

fn profile(row: Profile) -> ProfileRow {
    ProfileRow {
        transactions: row.sums.count as i64,
        cents: row.sums.cents,
        minutes: row.sums.minutes as i64,
        squared_minutes: row.sums.squared_minutes as i64,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
        alerts: row.alerts as i64,
    }
}

fn customer_sales(row: CustomerSales) -> CustomerSalesRow {
    CustomerSalesRow { sales: sales(row.sales), customers: row.customers }
}

fn sales(row: Sales) -> SalesRow {
    SalesRow { transactions: row.transactions, cents: row.cents, alerts: row.alerts }
}

fn date_key(day: i32) -> i32 {
    let (year, month, day) = civil_from_days(i64::from(day));
    (year * 10_000 + month * 100 + day) as i32
}

fn measure(key: QualityKey) -> String {
    let name = match key.measure {
        Measure::Read => "read",
        Measure::Accepted => "accepted",
        Measure::NoPlace => "no_place",
        Measure::NoProduct => "no_product",
        Measure::NoPaymentMethod => "no_payment_method",
        Measure::NewerSchema => "newer_schema",
        Measure::InvalidAmount => "invalid_amount",
        Measure::Late => "late",
        Measure::Duplicate => "duplicate",
        Measure::DeadLetter(reason) => reason.as_str(),
    };
    name.to_owned()
}

fn books_key(entry: BooksEntry) -> (u16, String) {
    let name = |account: Account| account.as_str().to_owned();
    match entry {
        BooksEntry::Read { topic } => (topic, "read".to_owned()),
        BooksEntry::Ended { topic, account } => (topic, name(account)),
    }
}

fn fields<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Map<String, Value> {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn customer(row: Customer) -> Map<String, Value> {
    fields([
        ("name", row.name.map(Value::from)),
        ("email", row.email.map(Value::from)),
        ("city", row.city.map(Value::from)),
        ("state", row.state.map(Value::from)),
        ("risk_profile", row.risk_profile.map(Value::from)),
        ("registered_at", row.registered_at.map(Value::from)),
    ])
}

fn store(row: Store) -> Map<String, Value> {
    fields([
        ("name", row.name.map(Value::from)),
        ("city", row.city.map(Value::from)),
        ("state", row.state.map(Value::from)),
        ("category", row.category.map(Value::from)),
        ("channel", row.channel.map(Value::from)),
        ("place", row.place.map(|place| json!([place.latitude, place.longitude]))),
    ])
}

fn product(row: Product) -> Map<String, Value> {
    fields([
        ("name", row.name.map(Value::from)),
        ("category", row.category.map(Value::from)),
        ("price", row.price.map(Value::from)),
    ])
}

fn list_version(change: ListChange) -> ListVersion {
    let entity = match change.entity {
        Entity::Customer(id) => streamflow_oracle::Entity::Customer(id.into()),
        Entity::Store(id) => streamflow_oracle::Entity::Store(id.into()),
    };
    let entry = change.entry.map(|entry| ListEntry {
        valid_from: entry.valid_from,
        expires_at: entry.expires_at,
        reason: entry.reason,
    });
    ListVersion { entity, applies_from: Some(change.applies_from).filter(|from| *from != i64::MIN), entry }
}
