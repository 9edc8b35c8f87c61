//! The transactions written so far, by id and by customer.
//!
//! Law: what is read back is what was written and not removed since. The file of transactions is the archive; an
//! index of it is built when it is first needed and goes on from where it ended, so a replay in which nothing
//! waits has none.

use super::customers::Customers;
use super::records::Records;
use super::views::KeyMap;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use streamflow_dataflow::detectors::stored::StoredEvidence;
use streamflow_dataflow::detectors::{Evidence, Hit};
use streamflow_dataflow::score::{Amended, Scored, Settled, ShownHit, ShownVerdict};
use streamflow_model::place::parse_degrees;
use streamflow_model::{
    Cents, Currency, Id, PartitionId, Place, RuleId, Score, Source, Transaction, id, timestamp,
};

/// A line of `silver/clean_transactions.jsonl`.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    transaction_id: Cow<'a, str>,
    #[serde(borrow)]
    customer_id: Cow<'a, str>,
    #[serde(borrow)]
    store_id: Cow<'a, str>,
    product_id: Option<String>,
    #[serde(borrow)]
    amount: Cow<'a, str>,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    payment_method: Option<String>,
    latitude: Option<serde_json::Number>,
    longitude: Option<serde_json::Number>,
    #[serde(borrow)]
    transaction_at: Cow<'a, str>,
    #[serde(borrow)]
    fraud_score: Cow<'a, str>,
    is_fraud: bool,
    voided: bool,
    revision: u32,
    source_partition: u16,
    source_offset: u64,
}

impl Row<'_> {
    fn transaction(&self) -> Option<Transaction> {
        let degrees = |number: &Option<serde_json::Number>, limit| {
            number.as_ref().and_then(|number| parse_degrees(&number.to_string(), limit))
        };
        let place = degrees(&self.latitude, 90).zip(degrees(&self.longitude, 180));
        let partition = PartitionId::new(0, self.source_partition)?;
        Some(Transaction {
            id: self.transaction_id.as_ref().into(),
            customer: self.customer_id.as_ref().into(),
            store: self.store_id.as_ref().into(),
            product: self.product_id.as_deref().map(Id::from),
            payment_method: self.payment_method.as_deref().map(Id::from),
            amount: Cents::parse(&self.amount).ok()?,
            currency: Currency::parse(&self.currency)?,
            place: place.map(|(latitude, longitude)| Place { latitude, longitude }),
            event_time: timestamp::parse(&self.transaction_at)?,
            revision: self.revision,
            voided: self.voided,
            source: Source::new(partition, self.source_offset),
        })
    }
}

/// What single transactions of a customer are looked up for.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// Its event time, microseconds since 1970.
    pub event_time: i64,
    /// Its amount.
    pub cents: i64,
    /// The currency of its amount.
    pub currency: Currency,
    /// Its place.
    pub place: Option<Place>,
    /// It is voided.
    pub voided: bool,
    /// It is alerted.
    alert: bool,
    /// The surrogate key of its store; 0 for a voided one.
    pub store: u64,
    /// Where its line begins, bytes.
    line: u64,
    /// The hash of its id.
    id: u64,
    /// One more than the number of the one before in the same bucket of ids; 0 for none.
    before_in_bucket: u64,
    /// One more than the number of the customer's one before; 0 for none.
    before_of_customer: u64,
}

impl Entry {
    fn record(&self) -> [u64; 9] {
        let place = self.place.unwrap_or(Place { latitude: 0, longitude: 0 });
        let [a, b, c] = *self.currency.as_bytes();
        let flags =
            u32::from(self.alert) << 2 | u32::from(self.place.is_some()) << 1 | u32::from(self.voided);
        [
            self.event_time as u64,
            self.cents as u64,
            u64::from(place.latitude as u32) << 32 | u64::from(place.longitude as u32),
            u64::from(u32::from_be_bytes([0, a, b, c])) << 32 | u64::from(flags),
            self.store,
            self.line,
            self.id,
            self.before_in_bucket,
            self.before_of_customer,
        ]
    }

    fn of(number: u64, record: [u64; 9]) -> Self {
        let [event_time, cents, place, flags, store, line, id, before_in_bucket, before_of_customer] = record;
        let there = Place { latitude: (place >> 32) as u32 as i32, longitude: place as u32 as i32 };
        let [_, a, b, c] = ((flags >> 32) as u32).to_be_bytes();
        Self {
            number,
            event_time: event_time as i64,
            cents: cents as i64,
            // Only what was one gets in, so this never takes the default.
            currency: Currency::from_bytes([a, b, c]).unwrap_or(Currency::BRL),
            place: (flags & 2 > 0).then_some(there),
            voided: flags & 1 > 0,
            alert: flags & 4 > 0,
            store,
            line,
            id,
            before_in_bucket,
            before_of_customer,
        }
    }
}

/// How many lines with its id precede a transaction's own in each file.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnLines {
    /// Among transactions.
    pub transaction: u32,
    /// Among facts, if it is one.
    pub fact: Option<u32>,
    /// Among alerts, if it is alerted.
    pub alert: Option<u32>,
}

/// What of verdicts stands in no line of a transaction, a record for each hit: where its line begins, one more
/// than where that of its alert begins, the number of the alert's changes, the number of the rule in
/// [`Archive::rules`], and the score in thousandths; without any hit one record that names no rule.
const VERDICT: usize = 5;

/// Instead of the number of a rule, in the record of a transaction without a hit.
const NO_RULE: u64 = u64::MAX;

/// Buckets of ids.
const BUCKETS: usize = 1 << 20;

fn bucket(id: &Id) -> usize {
    id::route(id) as usize % BUCKETS
}

/// The transactions written.
pub struct Archive {
    directory: PathBuf,
    transactions: PathBuf,
    alerts: PathBuf,
    verdicts: Records<VERDICT>,
    /// The rules that have triggered.
    rules: Vec<RuleId>,
    index: Option<Index>,
}

struct Index {
    transactions: File,
    alerts: File,
    /// Bytes of the file of transactions that are indexed.
    indexed: u64,
    entries: Records<9>,
    /// By bucket, one more than the number of the last entry; 0 for none.
    last_in_bucket: Vec<u64>,
    /// By slot of the customer likewise.
    last_of_customer: Vec<u64>,
    removed: HashSet<u64>,
}

impl Archive {
    /// Of the files at these paths, to which nothing is written yet.
    pub fn create(directory: &Path, transactions: &Path, alerts: &Path) -> Result<Self> {
        Ok(Self {
            directory: directory.to_owned(),
            transactions: transactions.to_owned(),
            alerts: alerts.to_owned(),
            verdicts: Records::create(directory)?,
            rules: Vec::new(),
            index: None,
        })
    }

    /// Takes note of what stands in no line of a transaction. Its line and that of its alert, if it has one, begin
    /// at these bytes.
    pub fn note(&mut self, settled: &Settled, line: u64, alert: Option<u64>) -> Result<()> {
        let Settled { verdict, alert_changes, .. } = settled;
        if verdict.hits.is_empty() && *alert_changes == 0 {
            return Ok(());
        }
        let alert = alert.map_or(0, |alert| alert + 1);
        let changes = u64::from(*alert_changes);
        if verdict.hits.is_empty() {
            return self.verdicts.push([line, alert, changes, NO_RULE, 0]);
        }
        for hit in &verdict.hits {
            let rule = self.number_of(hit.rule);
            self.verdicts.push([line, alert, changes, rule, u64::from(hit.score.thousandths())])?;
        }
        Ok(())
    }

    fn number_of(&mut self, rule: RuleId) -> u64 {
        let known = self.rules.iter().position(|known| *known == rule);
        let number = known.unwrap_or_else(|| {
            self.rules.push(rule);
            self.rules.len() - 1
        });
        number as u64
    }

    /// Indexes what was written since the last call; all of it must be in the files.
    pub fn catch_up(&mut self, customers: &mut Customers, stores: &KeyMap) -> Result<()> {
        let index = match &mut self.index {
            Some(index) => index,
            none => none.insert(Index::open(&self.directory, &self.transactions, &self.alerts)?),
        };
        index
            .catch_up(customers, stores)
            .with_context(|| format!("cannot read {}", self.transactions.display()))
    }

    /// The last one with an id, unless it was removed.
    pub fn find(&self, id: &Id) -> Result<Option<Entry>> {
        let Some(index) = &self.index else { return Ok(None) };
        let last = self.last_with_id(index.last_in_bucket[bucket(id)], id)?;
        Ok(last.filter(|entry| !index.removed.contains(&entry.number)))
    }

    /// The last with an id of a bucket's entries; `next` is one more than the number of the first to look at.
    fn last_with_id(&self, mut next: u64, id: &Id) -> Result<Option<Entry>> {
        let (Some(index), hash) = (&self.index, id::route(id)) else { return Ok(None) };
        while next > 0 {
            let entry = index.entry(next - 1)?;
            if entry.id == hash && self.id(&entry)? == *id {
                return Ok(Some(entry));
            }
            next = entry.before_in_bucket;
        }
        Ok(None)
    }

    /// A customer's, the last written first.
    pub fn of_customer(&self, slot: u32) -> Result<Vec<Entry>> {
        let Some(index) = &self.index else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        let mut next = index.last_of_customer.get(slot as usize).copied().unwrap_or_default();
        while next > 0 {
            let entry = index.entry(next - 1)?;
            next = entry.before_of_customer;
            if !index.removed.contains(&entry.number) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// Removes one, and returns which of the lines with its id are its own.
    pub fn remove(&mut self, entry: &Entry) -> Result<OwnLines> {
        let id = self.id(entry)?;
        let mut own = OwnLines {
            fact: (!entry.voided).then_some(0),
            alert: entry.alert.then_some(0),
            ..OwnLines::default()
        };
        let mut next = entry.before_in_bucket;
        while let Some(earlier) = self.last_with_id(next, &id)? {
            own.transaction += 1;
            own.fact = own.fact.map(|line| line + u32::from(!earlier.voided));
            own.alert = own.alert.map(|line| line + u32::from(earlier.alert));
            next = earlier.before_in_bucket;
        }
        if let Some(index) = &mut self.index {
            index.removed.insert(entry.number);
        }
        Ok(own)
    }

    /// The id of one.
    pub fn id(&self, entry: &Entry) -> Result<Id> {
        self.row(entry, |row| Some(row.transaction_id.as_ref().into()))
    }

    /// One with its verdict. Whether it is the only one in its minute or hour is not known here.
    pub fn amended(&self, entry: &Entry) -> Result<Amended> {
        let (transaction, score, alert) = self.row(entry, |row| {
            let thousandths = row.fraud_score.replace('.', "").parse().ok()?;
            Some((row.transaction()?, Score::ratio(thousandths, 1000), row.is_fraud))
        })?;
        let records = self.records_of(entry.line)?;
        let (alert_line, alert_changes) =
            records.first().map_or((0, 0), |[_, alert_line, changes, ..]| (*alert_line, *changes));
        let details = self.details(alert_line)?;
        let hit = |[_, _, _, rule, score]: &[u64; VERDICT]| {
            let rule = *self.rules.get(usize::try_from(*rule).ok()?)?;
            let details = details.get(rule.as_str()).map(ToString::to_string).unwrap_or_default();
            let evidence = Evidence::Stored(StoredEvidence { details });
            Some(Hit { rule, score: Score::ratio(i128::from(*score), 1000), evidence })
        };
        let hits: Vec<_> = records.iter().filter_map(hit).collect();
        let shown = hits.iter().map(ShownHit::from).collect();
        let verdict = ShownVerdict { score, alert, hits: shown, shadows: Vec::new() };
        let scored = Scored {
            transaction: Arc::new(transaction),
            verdict,
            first_in_minute: false,
            alert_changes: u32::try_from(alert_changes).unwrap_or(u32::MAX),
        };
        Ok(Amended { scored, hits, sole_in_hour: false })
    }

    /// The records of the transaction whose line begins there.
    fn records_of(&self, line: u64) -> Result<Vec<[u64; VERDICT]>> {
        let mut records = Vec::new();
        for number in self.verdicts.first_from(line)?..self.verdicts.len() {
            let record = self.verdicts.get(number)?;
            if record[0] != line {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    /// The evidence by rule id in the line of an alert, which begins a byte before `after`; none for 0.
    fn details(&self, after: u64) -> Result<BTreeMap<String, serde_json::Value>> {
        #[derive(Deserialize)]
        struct Alert {
            rule_details: BTreeMap<String, serde_json::Value>,
        }
        let (Some(at), Some(index)) = (after.checked_sub(1), &self.index) else { return Ok(BTreeMap::new()) };
        let line =
            line_at(&index.alerts, at).with_context(|| format!("cannot read {}", self.alerts.display()))?;
        let alert: Alert = serde_json::from_slice(&line).context("an alert cannot be read back")?;
        Ok(alert.rule_details)
    }

    fn row<T>(&self, entry: &Entry, read: impl FnOnce(Row<'_>) -> Option<T>) -> Result<T> {
        let unreadable = || format!("the line at byte {} of {}", entry.line, self.transactions.display());
        let Some(index) = &self.index else { bail!("{} has no index", self.transactions.display()) };
        let line = line_at(&index.transactions, entry.line).with_context(unreadable)?;
        read(serde_json::from_slice(&line).with_context(unreadable)?).with_context(unreadable)
    }
}

impl Index {
    fn open(directory: &Path, transactions: &Path, alerts: &Path) -> Result<Self> {
        let open = |path: &Path| File::open(path).with_context(|| format!("cannot read {}", path.display()));
        Ok(Self {
            transactions: open(transactions)?,
            alerts: open(alerts)?,
            indexed: 0,
            entries: Records::create(directory)?,
            last_in_bucket: vec![0; BUCKETS],
            last_of_customer: Vec::new(),
            removed: HashSet::new(),
        })
    }

    fn entry(&self, number: u64) -> Result<Entry> {
        Ok(Entry::of(number, self.entries.get(number)?))
    }

    fn catch_up(&mut self, customers: &mut Customers, stores: &KeyMap) -> Result<()> {
        // The position of the file is used for nothing else, and is behind what is indexed.
        let mut reader = BufReader::with_capacity(1 << 18, self.transactions.try_clone()?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            self.add(&serde_json::from_slice(&line)?, customers, stores)?;
            self.indexed += line.len() as u64;
            line.clear();
        }
        Ok(())
    }

    fn add(&mut self, row: &Row<'_>, customers: &mut Customers, stores: &KeyMap) -> Result<()> {
        let transaction = row.transaction().context("a transaction cannot be read back")?;
        let number = self.entries.len();
        let slot = customers.slot(&transaction.customer) as usize;
        if slot >= self.last_of_customer.len() {
            self.last_of_customer.resize(slot + 1, 0);
        }
        let last_in_bucket = &mut self.last_in_bucket[bucket(&transaction.id)];
        let entry = Entry {
            number,
            event_time: transaction.event_time,
            cents: transaction.amount.0,
            currency: transaction.currency,
            place: transaction.place,
            voided: transaction.voided,
            alert: row.is_fraud,
            store: stores.find(&transaction.store).unwrap_or_default(),
            line: self.indexed,
            id: id::route(&transaction.id),
            before_in_bucket: std::mem::replace(last_in_bucket, number + 1),
            before_of_customer: std::mem::replace(&mut self.last_of_customer[slot], number + 1),
        };
        self.entries.push(entry.record())
    }
}

/// The line of a file that begins at a byte.
fn line_at(file: &File, at: u64) -> std::io::Result<Vec<u8>> {
    let mut line = vec![0; 1 << 10];
    let mut filled = 0;
    loop {
        let read = file.read_at(&mut line[filled..], at + filled as u64)?;
        if let Some(end) = line[filled..filled + read].iter().position(|byte| *byte == b'\n') {
            line.truncate(filled + end);
            return Ok(line);
        }
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if filled == line.len() {
            line.resize(2 * filled, 0);
        }
    }
}
