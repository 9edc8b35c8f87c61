//! Processes events one by one, in order: admission by partition time, identity, bronze, dead letters and the
//! books.

use crate::decode::{Decoded, PAYLOAD_LIMIT, decode};
use crate::event::{Clock, Coordinates, RawEvent, TopicRole};
use crate::expected::{DeadLetterRow, ListVersion, ProgressRow, ReceivedRow};
use crate::{OracleSettings, dimensions, instant};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const MINUTE: i64 = 60_000_000;
const QUARTER: i64 = 15 * MINUTE;

/// A transaction: the version that is current, and those before it that were final.
///
/// A transaction that is not final sees of each other one the last version that became current in time for it: an
/// amendment counts from the event time on before which everything was final for its partition. An amended
/// version of a final transaction sees what was there when it was amended.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    first: Seen,
    /// In the order in which they became current.
    amended: Vec<Seen>,
}

/// A version, and who sees it.
#[derive(Clone, Debug)]
struct Seen {
    version: Current,
    /// Those that are not final, from this event time on.
    from: i64,
    /// Final ones that are amended in the order of (`from`, this number) later.
    amendment: usize,
}

impl Transaction {
    fn new(version: Current) -> Self {
        Self { first: Seen { version, from: i64::MIN, amendment: 0 }, amended: Vec::new() }
    }

    fn last(&self) -> &Seen {
        self.amended.last().unwrap_or(&self.first)
    }

    /// The current version.
    pub(crate) fn current(&self) -> &Current {
        &self.last().version
    }

    /// The version that `other` sees.
    pub(crate) fn seen_by(&self, other: &Self) -> &Current {
        let viewer = other.last();
        let event_time = viewer.version.decoded.event_time;
        let sees = |seen: &&Seen| match event_time < viewer.from {
            true => (seen.from, seen.amendment) <= (viewer.from, viewer.amendment),
            false => seen.from <= event_time,
        };
        &self.amended.iter().rev().find(sees).unwrap_or(&self.first).version
    }
}

/// A version of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub decoded: Decoded,
    pub source: Coordinates,
    /// Its minute of the local day.
    pub minute: i64,
}

/// Entities by id, their fields by name.
pub(crate) type Dimension = BTreeMap<String, Map<String, Value>>;

/// The state after all events so far.
pub(crate) struct Intake<'a> {
    settings: &'a OracleSettings,
    /// The index in `transactions` of the transaction that an id last named.
    known: HashMap<String, usize>,
    pub transactions: Vec<Transaction>,
    /// Events that are not decided yet.
    pending: &'a BTreeSet<Coordinates>,
    /// Amendments of final transactions so far.
    amendments: usize,
    /// By id, before which event time everything was final for the last event that had to wait.
    waited: HashMap<String, i64>,
    pub received: BTreeMap<Coordinates, ReceivedRow>,
    pub dead_letters: BTreeMap<Coordinates, DeadLetterRow>,
    pub books: BTreeMap<(u16, String), i64>,
    pub quality: BTreeMap<(i64, String), i64>,
    pub customers: Dimension,
    pub stores: Dimension,
    pub products: Dimension,
    pub list_versions: Vec<ListVersion>,
    pub progress: BTreeMap<(u16, u16), ProgressRow>,
    /// The latest clock of each partition.
    clocks: BTreeMap<(u16, u16), i64>,
}

/// The effect of an event that is neither refused nor ignored.
#[derive(Clone, Copy)]
enum Slot {
    New,
    Instead(usize),
    /// Instead of a version, where that or the new one was final before this event time.
    Amending(usize, i64),
}

impl<'a> Intake<'a> {
    pub(crate) fn new(settings: &'a OracleSettings, pending: &'a BTreeSet<Coordinates>) -> Self {
        Self {
            settings,
            known: HashMap::new(),
            transactions: Vec::new(),
            pending,
            amendments: 0,
            waited: HashMap::new(),
            received: BTreeMap::new(),
            dead_letters: BTreeMap::new(),
            books: BTreeMap::new(),
            quality: BTreeMap::new(),
            customers: Dimension::new(),
            stores: Dimension::new(),
            products: Dimension::new(),
            list_versions: Vec::new(),
            progress: BTreeMap::new(),
            clocks: BTreeMap::new(),
        }
    }

    pub(crate) fn follow(&mut self, clock: &Clock) {
        let latest = self.clocks.entry((clock.topic, clock.partition)).or_insert(clock.time);
        *latest = (*latest).max(clock.time);
        if let Some(end) = clock.end.filter(|end| *end > 0) {
            let progress = self.progress.entry((clock.topic, clock.partition)).or_default();
            progress.next_offset = progress.next_offset.max(end);
        }
    }

    /// The time of an event's partition: its records' so far, or a later clock.
    fn partition_time(&self, event: &RawEvent) -> Option<i64> {
        let partition = (event.topic, event.partition);
        let of_records = self.progress.get(&partition).and_then(|progress| progress.partition_time);
        of_records.max(self.clocks.get(&partition).copied())
    }

    pub(crate) fn take(&mut self, event: &RawEvent) {
        let progress = self.progress.entry((event.topic, event.partition)).or_default();
        progress.next_offset = event.offset + 1;
        progress.partition_time = progress.partition_time.max(event.appended_at);
        *self.books.entry((event.topic, "read".to_owned())).or_default() += 1;
        match self.settings.topics.get(usize::from(event.topic)) {
            Some(TopicRole::Transactions) => self.transaction(event),
            Some(TopicRole::Customers) => {
                let row = dimensions::customer(event);
                self.upsert(event, |intake| &mut intake.customers, row);
            }
            Some(TopicRole::Stores) => {
                let row = dimensions::store(event);
                self.upsert(event, |intake| &mut intake.stores, row);
            }
            Some(TopicRole::Products) => {
                let row = dimensions::product(event);
                self.upsert(event, |intake| &mut intake.products, row);
            }
            Some(TopicRole::Blacklist) => self.list(event),
            None => self.refuse(event, "invalid_field"),
        }
    }

    fn upsert(
        &mut self,
        event: &RawEvent,
        dimension: impl Fn(&mut Self) -> &mut Dimension,
        row: Result<dimensions::Upsert, &'static str>,
    ) {
        match row {
            Ok((id, Some(fields))) => {
                dimension(self).insert(id, fields);
                self.account(event, "reference");
            }
            Ok((id, None)) => {
                dimension(self).remove(&id);
                self.account(event, "reference");
            }
            Err(reason) => self.refuse(event, reason),
        }
    }

    fn list(&mut self, event: &RawEvent) {
        // A list from a file applies to all event times.
        let time = event.appended_at.and(self.partition_time(event));
        match dimensions::list_version(event, time.map(|time| time - self.settings.limits(event.epoch).0)) {
            Ok(version) => {
                self.list_versions.push(version);
                self.account(event, "reference");
            }
            Err(reason) => self.refuse(event, reason),
        }
    }

    fn transaction(&mut self, event: &RawEvent) {
        let (partition_time, admitted) = self.admit(event);
        let window = instant::floor_to(partition_time.unwrap_or(0), QUARTER);
        self.observe(window, "read");
        match admitted {
            Ok(_) if self.pending.contains(&event.coordinates()) => self.account(event, "pending"),
            Ok(decoded) => {
                if let Err(reason) = self.identify(event, decoded, partition_time.unwrap_or(0), window) {
                    self.observe(window, reason);
                    self.refuse(event, reason);
                }
            }
            Err(refusal) => {
                self.observe(window, refusal.reason);
                if refusal.invalid_amount {
                    self.observe(window, "invalid_amount");
                }
                self.refuse(event, refusal.reason);
            }
        }
    }

    /// The partition time with this event, and the transaction if it is neither invalid, future nor too late.
    fn admit(&mut self, event: &RawEvent) -> (Option<i64>, Result<Decoded, crate::Refusal>) {
        let admitted = decode(event.payload.as_deref()).and_then(|decoded| {
            let now = event.appended_at.unwrap_or(self.settings.file_now);
            if decoded.event_time > now.saturating_add(self.settings.future_allowance) {
                return Err(crate::Refusal::new("future_timestamp"));
            }
            let own_time = event.appended_at.unwrap_or(decoded.event_time);
            let progress = self.progress.entry((event.topic, event.partition)).or_default();
            progress.partition_time = progress.partition_time.max(Some(own_time));
            let limit = self.partition_time(event).map(|time| time - self.settings.limits(event.epoch).0);
            if !decoded.amends() && limit.is_some_and(|limit| decoded.event_time < limit) {
                return Err(crate::Refusal::new("too_late"));
            }
            Ok(decoded)
        });
        (self.partition_time(event), admitted)
    }

    fn identify(
        &mut self,
        event: &RawEvent,
        decoded: Decoded,
        partition_time: i64,
        window: i64,
    ) -> Result<(), &'static str> {
        let (horizon, retention) = self.settings.limits(event.epoch);
        let final_before = match event.final_before {
            Some(final_before) => final_before,
            None => self.final_before(&decoded, partition_time - horizon, retention),
        };
        let late = decoded.event_time < final_before;
        let reaches_back_to = if decoded.amends() {
            (partition_time - self.settings.correction_retention).min(final_before - retention)
        } else {
            final_before - retention
        };
        let known = self.known.get(&decoded.transaction_id).copied();
        let known =
            known.filter(|index| self.transactions[*index].current().decoded.event_time >= reaches_back_to);
        let Some(index) = known else {
            if late && !decoded.voided {
                return Err("too_late");
            }
            let account = if decoded.voided { "voiding" } else { "new" };
            self.accept(event, &decoded, account, partition_time, window);
            self.make_current(event, decoded, Slot::New);
            return Ok(());
        };
        let Current { decoded: current, source, .. } = self.transactions[index].current();
        if current.customer_id != decoded.customer_id {
            return Err("conflicting_identity");
        }
        let amending = late || current.event_time < final_before;
        if decoded.revision > current.revision {
            let account = if decoded.voided { "voiding" } else { "correcting" };
            self.accept(event, &decoded, account, partition_time, window);
            let slot = if amending { Slot::Amending(index, final_before) } else { Slot::Instead(index) };
            self.make_current(event, decoded, slot);
        } else if decoded.revision < current.revision {
            self.account(event, "superseded");
            self.receive(event, &decoded);
        } else {
            // Of several with the same revision the smallest (topic, partition, offset) wins.
            let wins = !amending && event.coordinates() < *source;
            self.account(event, "duplicate");
            self.observe(window, "duplicate");
            self.receive(event, &decoded);
            if wins {
                self.make_current(event, decoded, Slot::Instead(index));
            }
        }
        Ok(())
    }

    /// Before which event time everything is final for an event: as its own partition has it, unless an earlier
    /// event of its transaction has a later line, and so still waits.
    fn final_before(&mut self, decoded: &Decoded, own: i64, retention: i64) -> i64 {
        let id = &decoded.transaction_id;
        let waited = self.waited.get(id).copied().unwrap_or(i64::MIN);
        let known = self.known.get(id).map(|index| &self.transactions[*index].current().decoded);
        let remembered = known.filter(|known| known.event_time >= own - retention);
        let amends_final = |known: &Decoded| {
            decoded.customer_id == known.customer_id
                && decoded.revision > known.revision
                && (decoded.event_time < own || known.event_time < own)
        };
        let waits = waited > own || (decoded.amends() && remembered.is_none_or(amends_final));
        let final_before = own.max(waited);
        if waits {
            self.waited.insert(id.clone(), final_before);
        }
        final_before
    }

    fn make_current(&mut self, event: &RawEvent, decoded: Decoded, slot: Slot) {
        let id = decoded.transaction_id.clone();
        let minute = instant::minute_of_day(self.settings.zone, decoded.event_time);
        let current = Current { decoded, source: event.coordinates(), minute };
        match slot {
            Slot::New => {
                self.known.insert(id, self.transactions.len());
                self.transactions.push(Transaction::new(current));
            }
            Slot::Instead(index) => {
                let Transaction { first, amended } = &mut self.transactions[index];
                amended.last_mut().unwrap_or(first).version = current;
            }
            Slot::Amending(index, from) => {
                self.amendments += 1;
                let seen = Seen { version: current, from, amendment: self.amendments };
                self.transactions[index].amended.push(seen);
            }
        }
    }

    fn accept(
        &mut self,
        event: &RawEvent,
        decoded: &Decoded,
        account: &str,
        partition_time: i64,
        window: i64,
    ) {
        self.account(event, account);
        self.receive(event, decoded);
        let seen = [
            ("accepted", true),
            ("no_place", decoded.place.is_none()),
            ("no_product", decoded.product_id.is_none()),
            ("no_payment_method", decoded.payment_method.is_none()),
            ("newer_schema", decoded.schema_version > 1),
            ("late", decoded.event_time < partition_time - MINUTE),
        ];
        for (measure, _) in seen.into_iter().filter(|(_, holds)| *holds) {
            self.observe(window, measure);
        }
    }

    fn receive(&mut self, event: &RawEvent, decoded: &Decoded) {
        let row = ReceivedRow {
            record_time: event.appended_at,
            event_time: decoded.event_time,
            schema_version: decoded.schema_version,
            payload: event.payload.clone().unwrap_or_default(),
        };
        self.received.insert(event.coordinates(), row);
    }

    fn refuse(&mut self, event: &RawEvent, reason: &str) {
        self.account(event, reason);
        let cut = |payload: &Vec<u8>| payload[..payload.len().min(PAYLOAD_LIMIT)].to_vec();
        let row = DeadLetterRow {
            record_time: event.appended_at,
            reason: reason.to_owned(),
            payload: event.payload.as_ref().map(cut),
            full_length: event.payload.as_ref().map_or(0, Vec::len) as u64,
        };
        self.dead_letters.insert(event.coordinates(), row);
    }

    fn account(&mut self, event: &RawEvent, account: &str) {
        *self.books.entry((event.topic, account.to_owned())).or_default() += 1;
    }

    fn observe(&mut self, window: i64, measure: &str) {
        *self.quality.entry((window, measure.to_owned())).or_default() += 1;
    }
}
