//! The files of results.

use super::aggregates::Writer;
use super::answers::{Answering, Round, Tables};
use super::archive::Archive;
use super::customers::{CustomerProfile, Customers};
use super::lines::Lines;
use super::removals::Removals;
use super::rows::{self, SourceRow};
use super::views::{KeyMap, Views};
use super::{Alerted, Refused, Summary};
use anyhow::{Context, Result};
use serde_json::json;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use streamflow_dataflow::alerts::{Alert, AlertChange};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::roster::BATCH;
use streamflow_dataflow::score::{Amended, Settled, ShownVerdict, Verdict};
use streamflow_dataflow::settings::Settings;
use streamflow_dataflow::views::{View, Visit};
use streamflow_medallion::tables::view::Aggregate;
use streamflow_medallion::tables::{self, tables};
use streamflow_model::calendar::date_key;
use streamflow_model::timestamp::civil_from_days;
use streamflow_model::{Calendar, DeadLetter, Id, PartitionId};

/// What comes out of the graph in an epoch.
#[derive(Default)]
pub struct Epoch {
    pub changes: Vec<ViewChange>,
    pub settled: Vec<Vec<Settled>>,
    pub amended: Vec<(Amended, isize)>,
}

/// The names of all results, relative to their directory.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = FILES.iter().map(|name| (*name).to_owned()).collect();
    let Ok(()) = tables().visit(&mut NameViews(&mut names));
    names
}

/// All but those of the views over facts.
const FILES: [&str; 12] = [
    "alert_changes.jsonl",
    "alerts.jsonl",
    "books.json",
    "dead_letters.jsonl",
    "gold/customer_profile.jsonl",
    "gold/dim_customer.jsonl",
    "gold/dim_date.jsonl",
    "gold/dim_product.jsonl",
    "gold/dim_store.jsonl",
    "gold/fact_fraud_alerts.jsonl",
    "gold/fact_transactions.jsonl",
    "silver/clean_transactions.jsonl",
];

struct NameViews<'a>(&'a mut Vec<String>);

impl Visit<tables::Tables> for NameViews<'_> {
    type Error = Infallible;

    fn visit<V: View>(&mut self, aggregate: &&'static Aggregate<V::Key, V::Sum>) -> Result<(), Infallible> {
        self.0.push(view_file(aggregate.table.shown));
        Ok(())
    }
}

/// The file of a view, by its table's name with its schema.
fn view_file(table: &str) -> String {
    format!("{}.jsonl", table.replace('.', "/"))
}

/// The files that grow with the input, and the views that are written at the end.
pub struct Results {
    out: PathBuf,
    names: HashMap<PartitionId, String>,
    calendar: Calendar,
    summary: Summary,
    refused: BTreeMap<&'static str, Refused>,
    clean_transactions: Lines,
    fact_transactions: Lines,
    alerts: Lines,
    fact_fraud_alerts: Lines,
    alert_changes: Lines,
    dead_letters: Lines,
    customers: Customers,
    store_keys: KeyMap,
    product_keys: KeyMap,
    days: BTreeSet<i32>,
    views: Views,
    answering: Answering,
    archive: Archive,
    removals: Removals,
    /// What is compared, if anything is.
    alerted: Option<Alerted>,
}

impl Results {
    /// Creates the files.
    pub fn create(
        out: &Path,
        settings: &Settings,
        names: Vec<(PartitionId, String)>,
        alerted: Option<Alerted>,
    ) -> Result<Self> {
        for directory in [out.join("silver"), out.join("gold")] {
            std::fs::create_dir_all(&directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let clean_transactions = Lines::create(out, "silver/clean_transactions.jsonl")?;
        let alerts = Lines::create(out, "alerts.jsonl")?;
        Ok(Self {
            out: out.to_owned(),
            names: names.into_iter().collect(),
            calendar: Calendar::new(settings.time_zone),
            summary: Summary::default(),
            refused: BTreeMap::new(),
            answering: Answering::new(settings),
            archive: Archive::create(out, clean_transactions.path(), alerts.path())?,
            removals: Removals::default(),
            alerted,
            clean_transactions,
            fact_transactions: Lines::create(out, "gold/fact_transactions.jsonl")?,
            alerts,
            fact_fraud_alerts: Lines::create(out, "gold/fact_fraud_alerts.jsonl")?,
            alert_changes: Lines::create(out, "alert_changes.jsonl")?,
            dead_letters: Lines::create(out, "dead_letters.jsonl")?,
            customers: Customers::default(),
            store_keys: KeyMap::default(),
            product_keys: KeyMap::default(),
            days: BTreeSet::new(),
            views: Views { watermark: i64::MIN, ..Views::default() },
        })
    }

    /// Writes a complete epoch.
    pub fn write_epoch(&mut self, epoch: Epoch) -> Result<()> {
        let Epoch { changes, settled, amended } = epoch;
        let mut alert_changes = Vec::new();
        let mut dead_letters = Vec::new();
        let mut profiles = Vec::new();
        for change in changes {
            self.answering.apply(&change);
            match change {
                ViewChange::Profile(upsert) => profiles.push(upsert),
                ViewChange::AlertChange(change) => alert_changes.push(change),
                ViewChange::DeadLetter(letter) => dead_letters.push(letter),
                change => self.views.apply(change),
            }
        }
        self.customers.apply(&profiles);
        alert_changes.sort_by(|a, b| order(a).cmp(&order(b)));
        for change in &alert_changes {
            let topic = name(&self.names, change.alert.source.partition());
            self.alert_changes.write(&rows::AlertChangeRow::new(change, topic))?;
        }
        dead_letters.sort_by_key(|letter| letter.source);
        for letter in &dead_letters {
            self.write_dead_letter(letter)?;
        }
        // Event times beside the rows: sorting then looks at the rows themselves only where two are equal.
        let mut settled: Vec<(i64, &Settled)> =
            settled.iter().flatten().map(|settled| (settled.transaction.event_time, settled)).collect();
        settled
            .sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.transaction.id.cmp(&b.1.transaction.id)));
        for batch in settled.chunks(BATCH) {
            let slots = self.customers.slots(batch.iter().map(|(_, settled)| *settled));
            for ((_, settled), slot) in batch.iter().zip(slots) {
                self.write_settled(settled, slot)?;
                if let Some(alerted) = &mut self.alerted {
                    alerted.settle(settled);
                }
            }
        }
        self.amend(amended)
    }

    /// Removes the versions of final transactions that are retracted, and writes those that are asserted.
    fn amend(&mut self, mut amended: Vec<(Amended, isize)>) -> Result<()> {
        if amended.is_empty() {
            return Ok(());
        }
        amended.sort_by(|(a, _), (b, _)| a.scored.transaction.cmp_in_history(&b.scored.transaction));
        for (Amended { scored, .. }, _) in amended.iter().filter(|(_, diff)| *diff < 0) {
            if let Some(entry) = self.archive.find(&scored.transaction.id)? {
                self.removals.add(&scored.transaction.id, self.archive.remove(&entry)?);
            }
            self.summary.alerts -= u64::from(scored.verdict.alert);
            if let Some(alerted) = &mut self.alerted {
                alerted.retract(&scored.transaction);
            }
        }
        for (amended, _) in amended.into_iter().filter(|(_, diff)| *diff > 0) {
            let scored = &amended.scored;
            let slot = self.customers.slot(&scored.transaction.customer);
            let ShownVerdict { score, alert, .. } = scored.verdict;
            let verdict = Verdict { score, alert, hits: amended.hits.clone(), shadows: Vec::new() };
            if let Some(alerted) = &mut self.alerted {
                alerted.assert(&amended, &verdict);
            }
            let settled = Settled {
                transaction: (*scored.transaction).clone(),
                verdict,
                alert_changes: scored.alert_changes,
            };
            self.write_settled(&settled, slot)?;
        }
        Ok(())
    }

    /// What is to be given to the graph for events that wait.
    pub fn round(&mut self) -> Result<Round> {
        self.clean_transactions.flush()?;
        self.alerts.flush()?;
        let Self { archive, customers, store_keys: stores, .. } = self;
        self.answering.round(Tables { archive, customers, stores })
    }

    fn write_dead_letter(&mut self, letter: &DeadLetter) -> Result<()> {
        use base64::Engine;
        self.summary.dead_letters += 1;
        let reason = letter.reason.as_str();
        let refused = self.refused.entry(reason).or_insert_with(|| Refused {
            reason,
            lines: 0,
            file: name(&self.names, letter.source.partition()).to_owned(),
            line: letter.source.offset() + 1,
            message: letter.message.clone(),
        });
        refused.lines += 1;
        let payload = letter.payload.as_deref();
        let text = payload.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let encode = |bytes| base64::engine::general_purpose::STANDARD.encode(bytes);
        let row = rows::DeadLetterRow {
            source: SourceRow::new(name(&self.names, letter.source.partition()), letter.source),
            reason: letter.reason.as_str(),
            message: &letter.message,
            payload: text,
            payload_base64: payload.filter(|_| text.is_none()).map(encode),
            truncated: payload.is_some_and(|bytes| (bytes.len() as u64) < letter.full_length),
            full_length: letter.full_length,
        };
        self.dead_letters.write(&row)?;
        Ok(())
    }

    fn write_settled(&mut self, settled: &Settled, customer: u32) -> Result<()> {
        let transaction = &settled.transaction;
        let topic = name(&self.names, transaction.source.partition());
        let write = |line: &mut Vec<u8>| rows::write_clean_transaction(line, settled, topic);
        let line = self.clean_transactions.write_line(write)?;
        if transaction.voided {
            return self.archive.note(settled, line, None);
        }
        let day = self.calendar.day(transaction.event_time);
        self.days.insert(day);
        let keys = rows::Keys {
            date_key: date_key(day),
            customer_key: self.customers.key(customer),
            store_key: self.store_keys.key(&transaction.store),
            product_key: transaction.product.as_ref().map(|product| self.product_keys.key(product)),
        };
        self.fact_transactions.write_line(|line| rows::write_fact(line, settled, keys))?;
        let mut alert_line = None;
        if let Some(alert) = Alert::from_verdict(transaction, &settled.verdict) {
            self.summary.alerts += 1;
            alert_line = Some(self.alerts.write(&rows::AlertRow::new(&alert))?);
            self.fact_fraud_alerts.write(&rows::FraudAlertRow::new(&alert, keys))?;
        }
        self.archive.note(settled, line, alert_line)
    }

    /// Writes the views and closes all files.
    pub fn finish(mut self) -> Result<(Summary, Option<Alerted>)> {
        for customer in self.views.customers.keys() {
            self.customers.key_of(customer);
        }
        for store in self.views.stores.keys() {
            self.store_keys.key(store);
        }
        for product in self.views.products.keys() {
            self.product_keys.key(product);
        }
        self.write_dimensions()?;
        self.write_aggregates()?;
        self.write_profiles()?;
        self.write_books()?;
        let files = [
            self.clean_transactions,
            self.fact_transactions,
            self.alerts,
            self.fact_fraud_alerts,
            self.alert_changes,
            self.dead_letters,
        ];
        for file in files {
            file.finish()?;
        }
        self.removals.apply(&self.out)?;
        self.summary.commonest = self.refused.into_values().max_by_key(|refused| refused.lines);
        if let Some(alerted) = &mut self.alerted {
            let stores = self.views.stores.iter();
            alerted.categories =
                stores.filter_map(|(id, store)| Some((id.clone(), store.category.clone()?))).collect();
        }
        Ok((self.summary, self.alerted))
    }

    fn write_dimensions(&self) -> Result<()> {
        let mut file = Lines::create(&self.out, "gold/dim_customer.jsonl")?;
        for (key, id) in self.customers.by_key() {
            let known = self.views.customers.get(id);
            file.write(&json!({
                "customer_key": key, "customer_id": id, "inferred": known.is_none(),
                "name": known.and_then(|c| c.name.as_ref()), "email": known.and_then(|c| c.email.as_ref()),
                "city": known.and_then(|c| c.city.as_ref()), "state": known.and_then(|c| c.state.as_ref()),
                "risk_profile": known.and_then(|c| c.risk_profile.as_ref()),
                "registered_at": known.and_then(|c| c.registered_at).map(rows::instant),
            }))?;
        }
        file.finish()?;
        let mut file = Lines::create(&self.out, "gold/dim_store.jsonl")?;
        for (key, id) in self.store_keys.by_key() {
            let known = self.views.stores.get(id);
            let place = known.and_then(|store| store.place);
            file.write(&json!({
                "store_key": key, "store_id": id, "inferred": known.is_none(),
                "name": known.and_then(|s| s.name.as_ref()), "city": known.and_then(|s| s.city.as_ref()),
                "state": known.and_then(|s| s.state.as_ref()), "category": known.and_then(|s| s.category.as_ref()),
                "channel": known.and_then(|s| s.channel.as_ref()),
                "latitude": place.map(|place| place.latitude_degrees()),
                "longitude": place.map(|place| place.longitude_degrees()),
            }))?;
        }
        file.finish()?;
        let mut file = Lines::create(&self.out, "gold/dim_product.jsonl")?;
        for (key, id) in self.product_keys.by_key() {
            let known = self.views.products.get(id);
            file.write(&json!({
                "product_key": key, "product_id": id, "inferred": known.is_none(),
                "name": known.and_then(|p| p.name.as_ref()), "category": known.and_then(|p| p.category.as_ref()),
                "price": known.and_then(|p| p.price).map(|cents| rows::money(i128::from(cents))),
            }))?;
        }
        file.finish()?;
        let mut file = Lines::create(&self.out, "gold/dim_date.jsonl")?;
        for day in &self.days {
            let (year, month, of_month) = civil_from_days(i64::from(*day));
            file.write(&json!({
                "date_key": date_key(*day), "date": format!("{year:04}-{month:02}-{of_month:02}"),
                "year": year, "month": month, "day": of_month,
                // 1970-01-01 was a Thursday, the fourth day of the ISO week.
                "day_of_week": (i64::from(*day) + 3).rem_euclid(7) + 1,
            }))?;
        }
        file.finish()
    }

    fn write_aggregates(&mut self) -> Result<()> {
        self.views.forget_minutes();
        let mut files: BTreeMap<&str, Lines> = BTreeMap::new();
        let mut write = |table: &'static str, line: &[u8]| {
            let file = match files.entry(table) {
                Entry::Occupied(file) => file.into_mut(),
                Entry::Vacant(file) => file.insert(Lines::create(&self.out, &view_file(table))?),
            };
            file.write_line(|text| text.extend_from_slice(line)).map(|_| ())
        };
        let top_rules = self.views.top_rules();
        let mut writer = Writer { store_keys: &mut self.store_keys, top_rules, write: &mut write };
        tables().visit_both(&self.views.rows, &mut writer)?;
        files.into_values().try_for_each(Lines::finish)
    }

    fn write_profiles(&mut self) -> Result<()> {
        let mut file = Lines::create(&self.out, "gold/customer_profile.jsonl")?;
        for profile in self.customers.profiles() {
            let CustomerProfile { id, key, currency, profile } = &profile;
            file.write(&rows::CustomerProfileRow::new(id, *key, currency, profile))?;
        }
        file.finish()
    }

    fn write_books(&mut self) -> Result<()> {
        let books = self.views.books_by_topic();
        self.summary.events = books["transactions"]["read"].as_u64().unwrap_or_default();
        let path = self.out.join("books.json");
        let text = format!("{books:#}\n");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn order(change: &AlertChange) -> (&Id, u32) {
    (&change.alert.transaction, change.sequence)
}

fn name(names: &HashMap<PartitionId, String>, partition: PartitionId) -> &str {
    names.get(&partition).map_or("", String::as_str)
}
