//! Reference topics: customers, stores, products and the blacklist, as upserts by key.
//!
//! A record replaces what was there under its key; one without a value removes it. A record that cannot be read is a dead
//! letter, and what was there stays.

use crate::admission::dead_letter;
use crate::decode::Refusal;
use crate::model::dead_letter::PAYLOAD_LIMIT;
use crate::model::record::Record;
use crate::model::timestamp;
use crate::model::views::PartitionProgress;
use crate::model::{
    Account, Cents, Customer, DeadLetter, Entity, Id, ListChange, ListEntry, Place, Product, Reason,
    Settings, Store, Upsert, ViewChange,
};
use crate::operators::watermark::ReferenceTime;
use crate::tally::{Observation, Tallies, Tally};
use serde::Deserialize;
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// What a topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Transaction events.
    Transactions,
    /// Upserts of customers.
    Customers,
    /// Upserts of stores.
    Stores,
    /// Upserts of products.
    Products,
    /// Upserts of list entries.
    Blacklist,
}

/// What comes of reference records.
pub struct References<'s> {
    /// Changes of dimensions and of the list, and dead letters.
    pub changes: StreamVec<'s, u64, ViewChange>,
    /// What was counted.
    pub tallies: StreamVec<'s, u64, Tally>,
    /// How far each partition has been read.
    pub progress: StreamVec<'s, u64, PartitionProgress>,
    /// The reference times of the blacklist's partitions.
    pub references: StreamVec<'s, u64, ReferenceTime>,
}

/// Reads the records of reference topics; `roles` gives what the topic at each place of the configuration holds.
pub fn reference<'s>(
    settings: &Settings,
    roles: &[Role],
    records: StreamVec<'s, u64, Record>,
) -> References<'s> {
    let mut builder = OperatorBuilder::new("reference".to_owned(), records.scope());
    let mut input = builder.new_input(records, Pipeline);
    let (changes_out, changes) = builder.new_output();
    let (tallies_out, tallies) = builder.new_output();
    let (progress_out, progress) = builder.new_output();
    let (references_out, references) = builder.new_output();
    let roles = roles.to_vec();
    let horizon = settings.correction_horizon;
    builder.build(move |_| {
        let mut changes_out =
            OutputBuilder::<_, CapacityContainerBuilder<Vec<ViewChange>>>::from(changes_out);
        let mut tallies_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Tally>>>::from(tallies_out);
        let mut progress_out =
            OutputBuilder::<_, CapacityContainerBuilder<Vec<PartitionProgress>>>::from(progress_out);
        let mut references_out =
            OutputBuilder::<_, CapacityContainerBuilder<Vec<ReferenceTime>>>::from(references_out);
        let mut tallies = Tallies::default();
        move |_| {
            let mut references_out = references_out.activate();
            input.for_each(|capability, records| {
                let mut moved = BTreeMap::new();
                let mut changes_out = changes_out.activate();
                let mut changes = changes_out.session(&capability);
                for record in records.drain(..) {
                    let partition = record.source.partition();
                    let role =
                        roles.get(usize::from(partition.topic())).copied().unwrap_or(Role::Transactions);
                    let next_offset = record.source.offset() + 1;
                    let progress =
                        PartitionProgress { partition, next_offset, reference_time: record.appended_at };
                    moved.insert(partition, (progress, role));
                    tallies.open(partition.topic(), record.appended_at.unwrap_or(0));
                    tallies.count(Observation::Read);
                    changes.give(match read(role, &record, horizon) {
                        Ok(change) => {
                            tallies.count(Observation::Ended(Account::Reference));
                            change
                        }
                        Err(refusal) => {
                            tallies.count(Observation::DeadLetter(refusal.reason));
                            let letter: DeadLetter = dead_letter(record, refusal);
                            ViewChange::DeadLetter(letter)
                        }
                    });
                }
                drop(changes);
                tallies_out.activate().session(&capability).give_iterator(tallies.take());
                let list = moved.values().filter(|(_, role)| *role == Role::Blacklist);
                let known = list.filter_map(|(progress, _)| {
                    let time = progress.reference_time?;
                    Some(ReferenceTime { partition: progress.partition, time })
                });
                references_out.session(&capability).give_iterator(known);
                let progress = moved.values().map(|(progress, _)| *progress);
                progress_out.activate().session(&capability).give_iterator(progress);
            });
        }
    });
    References { changes, tallies, progress, references }
}

/// The change that a record stands for.
fn read(role: Role, record: &Record, horizon: i64) -> Result<ViewChange, Refusal> {
    if record.full_length > PAYLOAD_LIMIT as u64 {
        let message = format!("{} bytes: must be at most {PAYLOAD_LIMIT}", record.full_length);
        return Err(Refusal::new(Reason::TooLarge, message));
    }
    match role {
        Role::Customers => upsert(record, customer).map(ViewChange::Customer),
        Role::Stores => upsert(record, store).map(ViewChange::Store),
        Role::Products => upsert(record, product).map(ViewChange::Product),
        Role::Blacklist => list_change(record, horizon).map(ViewChange::ListChange),
        Role::Transactions => Err(Refusal::new(Reason::InvalidField, "topic: holds no reference data")),
    }
}

fn upsert<T>(
    record: &Record,
    read: impl Fn(&[u8]) -> Result<(Id, T), Refusal>,
) -> Result<Upsert<Id, T>, Refusal> {
    match &record.payload {
        Some(payload) => read(payload).map(|(id, entity)| (id, Some(entity))),
        None => Ok((bounded_id(key(record)?, 100)?, None)),
    }
}

fn key(record: &Record) -> Result<&str, Refusal> {
    let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
    key.ok_or_else(|| {
        Refusal::new(Reason::MissingField, "key: a record without a value needs a key in UTF-8")
    })
}

fn json<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(payload).map_err(|error| {
        use serde_json::error::Category;
        let reason = match error.classify() {
            Category::Data if error.to_string().contains("missing field") => Reason::MissingField,
            Category::Data => Reason::InvalidField,
            _ => Reason::MalformedJson,
        };
        Refusal::new(reason, error.to_string())
    })
}

fn bounded_id(id: &str, limit: usize) -> Result<Id, Refusal> {
    if (1..=limit).contains(&id.len()) && !id.chars().any(char::is_control) {
        return Ok(id.into());
    }
    Err(Refusal::new(
        Reason::InvalidField,
        format!("id: must be 1 to {limit} bytes without control characters"),
    ))
}

/// Longest attribute of a dimension, bytes.
const ATTRIBUTE_LIMIT: usize = 200;

fn attribute(name: &str, value: Option<String>) -> Result<Option<String>, Refusal> {
    match value {
        Some(text) if text.len() > ATTRIBUTE_LIMIT || text.chars().any(char::is_control) => {
            let limit = format!("{name}: must be at most {ATTRIBUTE_LIMIT} bytes without control characters");
            Err(Refusal::new(Reason::InvalidField, limit))
        }
        value => Ok(value),
    }
}

fn instant(name: &str, value: Option<String>) -> Result<Option<i64>, Refusal> {
    let Some(text) = value else { return Ok(None) };
    let parsed = timestamp::parse(&text);
    let refusal = || Refusal::new(Reason::InvalidField, format!("{name}: must be RFC 3339 with an offset"));
    parsed.map(Some).ok_or_else(refusal)
}

#[derive(Deserialize)]
struct RawCustomer {
    customer_id: String,
    name: Option<String>,
    email: Option<String>,
    city: Option<String>,
    state: Option<String>,
    risk_profile: Option<String>,
    registered_at: Option<String>,
}

fn customer(payload: &[u8]) -> Result<(Id, Customer), Refusal> {
    let raw: RawCustomer = json(payload)?;
    let customer_id = bounded_id(&raw.customer_id, 100)?;
    let customer = Customer {
        customer_id: customer_id.clone(),
        name: attribute("name", raw.name)?,
        email: attribute("email", raw.email)?,
        city: attribute("city", raw.city)?,
        state: attribute("state", raw.state)?,
        risk_profile: attribute("risk_profile", raw.risk_profile)?,
        registered_at: instant("registered_at", raw.registered_at)?,
    };
    Ok((customer_id, customer))
}

#[derive(Deserialize)]
struct RawStore {
    store_id: String,
    name: Option<String>,
    city: Option<String>,
    state: Option<String>,
    category: Option<String>,
    channel: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

fn store(payload: &[u8]) -> Result<(Id, Store), Refusal> {
    let raw: RawStore = json(payload)?;
    let store_id = bounded_id(&raw.store_id, 50)?;
    let place = match (raw.latitude, raw.longitude) {
        (None, None) => None,
        (latitude, longitude) => {
            let degrees = |value: Option<f64>| value.unwrap_or(f64::NAN);
            let limit = "latitude, longitude: must both be given, -90 to 90 and -180 to 180";
            let place = Place::from_degrees(degrees(latitude), degrees(longitude));
            Some(place.ok_or_else(|| Refusal::new(Reason::InvalidField, limit))?)
        }
    };
    let store = Store {
        store_id: store_id.clone(),
        name: attribute("name", raw.name)?,
        city: attribute("city", raw.city)?,
        state: attribute("state", raw.state)?,
        category: attribute("category", raw.category)?,
        channel: attribute("channel", raw.channel)?,
        place,
    };
    Ok((store_id, store))
}

#[derive(Deserialize)]
struct RawProduct {
    product_id: String,
    name: Option<String>,
    category: Option<String>,
    price: Option<String>,
}

fn product(payload: &[u8]) -> Result<(Id, Product), Refusal> {
    let raw: RawProduct = json(payload)?;
    let product_id = bounded_id(&raw.product_id, 50)?;
    let price = raw.price.map(|price| Cents::parse(&price)).transpose();
    let product = Product {
        product_id: product_id.clone(),
        name: attribute("name", raw.name)?,
        category: attribute("category", raw.category)?,
        price: price
            .map_err(|limit| Refusal::new(Reason::InvalidField, format!("price: {limit}")))?
            .map(|cents| cents.0),
    };
    Ok((product_id, product))
}

#[derive(Deserialize)]
struct RawListEntry {
    entity: Option<String>,
    id: Option<String>,
    valid_from: Option<String>,
    expires_at: Option<String>,
    reason: Option<String>,
}

/// A record of the blacklist; in files the line names the entity, in Kafka the key may do so too.
fn list_change(record: &Record, horizon: i64) -> Result<ListChange, Refusal> {
    let raw: Option<RawListEntry> = record.payload.as_deref().map(json).transpose()?;
    let named = raw.as_ref().and_then(|raw| Some((raw.entity.as_deref()?, raw.id.as_deref()?)));
    let entity = match named {
        Some((kind, id)) => Entity::new(kind, id),
        None => Entity::from_key(key(record)?),
    };
    let unknown = || Refusal::new(Reason::InvalidField, "entity: must be customer or store, with an id");
    let entity = entity.ok_or_else(unknown)?;
    bounded_id(entity.id(), 100)?;
    let entry = raw
        .map(|raw| {
            Ok(ListEntry {
                valid_from: instant("valid_from", raw.valid_from)?,
                expires_at: instant("expires_at", raw.expires_at)?,
                reason: attribute("reason", raw.reason)?,
            })
        })
        .transpose()?;
    // A file's list is there from the beginning.
    let applies_from = record.appended_at.map_or(i64::MIN, |at| at.saturating_sub(horizon));
    Ok(ListChange { entity, applies_from, entry })
}
