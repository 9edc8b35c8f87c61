//! Processes events one by one, in order: admission by partition time, identity, bronze, dead letters and the
//! books.

use crate::decode::{Decoded, PAYLOAD_LIMIT, decode};
use crate::event::{Clock, Coordinates, RawEvent, TopicRole};
use crate::expected::{DeadLetterRow, ListVersion, ProgressRow, ReceivedRow};
use crate::{OracleSettings, dimensions, instant};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

const MINUTE: i64 = 60_000_000;
const QUARTER: i64 = 15 * MINUTE;

/// The current version of a transaction.
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
    /// The index in `currents` of the transaction that an id last named.
    known: HashMap<String, usize>,
    pub currents: Vec<Current>,
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
}

impl<'a> Intake<'a> {
    pub(crate) fn new(settings: &'a OracleSettings) -> Self {
        Self {
            settings,
            known: HashMap::new(),
            currents: Vec::new(),
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
            if limit.is_some_and(|limit| decoded.event_time < limit) {
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
        let replaceable_from = partition_time - horizon;
        let remembered_from = replaceable_from - retention;
        let known = self.known.get(&decoded.transaction_id).copied();
        let known = known.filter(|index| self.currents[*index].decoded.event_time >= remembered_from);
        let accepted = if decoded.voided { "voiding" } else { "new" };
        let Some(index) = known else {
            self.accept(event, &decoded, accepted, partition_time, window);
            self.make_current(event, decoded, Slot::New);
            return Ok(());
        };
        let (current, source) = (&self.currents[index].decoded, self.currents[index].source);
        if current.customer_id != decoded.customer_id {
            return Err("conflicting_identity");
        }
        let replaceable = current.event_time >= replaceable_from;
        if decoded.revision > current.revision {
            if !replaceable {
                return Err("too_late");
            }
            let account = if decoded.voided { "voiding" } else { "correcting" };
            self.accept(event, &decoded, account, partition_time, window);
            self.make_current(event, decoded, Slot::Instead(index));
        } else if decoded.revision < current.revision {
            self.account(event, "superseded");
            self.receive(event, &decoded);
        } else {
            self.account(event, "duplicate");
            self.observe(window, "duplicate");
            self.receive(event, &decoded);
            // Of several with the same revision the smallest (topic, partition, offset) wins.
            if replaceable && event.coordinates() < source {
                self.make_current(event, decoded, Slot::Instead(index));
            }
        }
        Ok(())
    }

    fn make_current(&mut self, event: &RawEvent, decoded: Decoded, slot: Slot) {
        let id = decoded.transaction_id.clone();
        let minute = instant::minute_of_day(self.settings.zone, decoded.event_time);
        let current = Current { decoded, source: event.coordinates(), minute };
        match slot {
            Slot::New => {
                self.known.insert(id, self.currents.len());
                self.currents.push(current);
            }
            Slot::Instead(index) => self.currents[index] = current,
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
