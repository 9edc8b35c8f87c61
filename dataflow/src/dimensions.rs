//! Dimension topics - customers, stores and products - the blacklist and the rules, as upserts by key.
//!
//! A record replaces the row of its key; one without a value deletes it. A record that cannot be read becomes
//! a dead letter, and the row stays as it was.
//!
//! These are ordered streams, not collections: no view needs the rows, so the graph does not hold them in
//! memory, and without the row before it an upsert is no difference.

use crate::admission::dead_letter;
use crate::changes::{PartitionPosition, Upsert};
use crate::decode::object::Object;
use crate::decode::{Refusal, unframe};
use crate::operators::ordered;
use crate::operators::output;
use crate::operators::stash::Stash;
use crate::operators::watermark::{Clock, PartitionTime};
use crate::partitions::Partitions;
use crate::resume::Resume;
use crate::rules::{RulesChange, SetName, document};
use crate::settings::Settings;
use crate::tally::{Observation, Tallies, Tally};
use streamflow_model::dead_letter::PAYLOAD_LIMIT;
use streamflow_model::place::parse_degrees;
use streamflow_model::record::Record;
use streamflow_model::{
    Account, Cents, Customer, DeadLetter, Entity, Id, ListChange, ListEntry, Place, Product, Reason, Store,
    timestamp,
};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
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
    /// Versions of the rules.
    Rules,
}

impl Role {
    /// The role of the topic at an index of the configuration.
    pub(crate) fn of_topic(roles: &[Self], topic: u16) -> Self {
        roles.get(usize::from(topic)).copied().unwrap_or(Self::Transactions)
    }

    /// Whether the watermark waits for such topics: the times of their records decide what is final.
    #[must_use]
    pub fn holds_watermark(self) -> bool {
        matches!(self, Self::Transactions | Self::Blacklist | Self::Rules)
    }
}

/// The clocks of partitions whose topics have a role that is `wanted`; `roles` are those of the topics, by index in
/// the configuration.
pub fn clocks_of<'s>(
    roles: &[Role],
    clocks: &StreamVec<'s, u64, Clock>,
    wanted: impl Fn(Role) -> bool + 'static,
) -> StreamVec<'s, u64, Clock> {
    let roles = roles.to_vec();
    let is_wanted = move |clock: &Clock| wanted(Role::of_topic(&roles, clock.partition.topic()));
    ordered::flat_map("clocks", clocks.clone(), move |clock| Some(clock).filter(&is_wanted))
}

/// The outputs of [`decode_dimensions`].
pub struct Dimensions<'s> {
    /// Rows of customers.
    pub customers: StreamVec<'s, u64, Upsert<Id, Customer>>,
    /// Rows of stores.
    pub stores: StreamVec<'s, u64, Upsert<Id, Store>>,
    /// Rows of products.
    pub products: StreamVec<'s, u64, Upsert<Id, Product>>,
    /// Versions of list entries.
    pub list_changes: StreamVec<'s, u64, ListChange>,
    /// Versions of the rules.
    pub rules_changes: StreamVec<'s, u64, RulesChange>,
    /// Records that cannot be read.
    pub dead_letters: StreamVec<'s, u64, DeadLetter>,
    /// Counts of observations.
    pub tallies: StreamVec<'s, u64, Tally>,
    /// The position of each partition with new records.
    pub progress: StreamVec<'s, u64, PartitionPosition>,
    /// The partition times of the blacklist and the rules.
    pub partition_times: StreamVec<'s, u64, PartitionTime>,
}

/// Reads the records of dimension topics, the blacklist and the rules; `roles` are those of the topics, by index in the
/// configuration. `clocks` are the announcements and clocks of this worker's partitions.
pub fn decode_dimensions<'s>(
    settings: &Settings,
    roles: &[Role],
    resume: &Resume,
    records: StreamVec<'s, u64, Record>,
    clocks: StreamVec<'s, u64, Clock>,
) -> Dimensions<'s> {
    let mut builder = OperatorBuilder::new("dimensions".to_owned(), records.scope());
    let mut records = builder.new_input(records, Pipeline);
    let mut clocks = builder.new_input(clocks, Pipeline);
    let (mut customers_out, customers) = output::add(&mut builder);
    let (mut stores_out, stores) = output::add(&mut builder);
    let (mut products_out, products) = output::add(&mut builder);
    let (mut list_out, list_changes) = output::add(&mut builder);
    let (mut rules_out, rules_changes) = output::add(&mut builder);
    let (mut letters_out, dead_letters) = output::add(&mut builder);
    let (mut tallies_out, tallies) = output::add(&mut builder);
    let (mut progress_out, progress) = output::add(&mut builder);
    let (mut partition_times_out, partition_times) = output::add(&mut builder);
    let roles = roles.to_vec();
    let horizon = settings.correction_horizon;
    let longest_window = settings.longest_window;
    let mut partitions = Partitions::new(resume);
    builder.build(move |_| {
        let mut tallies = Tallies::default();
        let mut stash = Stash::new(9);
        move |frontiers| {
            records.for_each(|capability, data| stash.hold_first(&capability, data));
            clocks.for_each(|capability, data| stash.hold_second(&capability, data));
            let (mut customers_out, mut stores_out) = (customers_out.activate(), stores_out.activate());
            let (mut products_out, mut list_out) = (products_out.activate(), list_out.activate());
            let mut rules_out = rules_out.activate();
            let (mut letters_out, mut tallies_out) = (letters_out.activate(), tallies_out.activate());
            let (mut progress_out, mut partition_times_out) =
                (progress_out.activate(), partition_times_out.activate());
            while let Some(epoch) = stash.next_complete(&[&frontiers[0], &frontiers[1]]) {
                let [
                    on_customers,
                    on_stores,
                    on_products,
                    on_list,
                    on_rules,
                    on_letters,
                    on_tallies,
                    on_progress,
                    on_times,
                ] = epoch.capabilities.as_slice()
                else {
                    return;
                };
                let mut customers = customers_out.session(on_customers);
                let mut stores = stores_out.session(on_stores);
                let mut products = products_out.session(on_products);
                let mut list = list_out.session(on_list);
                let mut rules = rules_out.session(on_rules);
                let mut letters = letters_out.session(on_letters);
                for mut record in epoch.first {
                    unframe(&mut record);
                    let topic = record.source.partition().topic();
                    let role = Role::of_topic(&roles, topic);
                    let time = record.appended_at.and(partitions.read(&record).time());
                    tallies.open(topic, record.appended_at.unwrap_or(0));
                    tallies.count(Observation::Read);
                    // A list or a rule set from a file applies to all event times.
                    let applies_from = time.map_or(i64::MIN, |time| time.saturating_sub(horizon));
                    tallies.count(match read(role, &record, applies_from, longest_window) {
                        Ok(change) => {
                            match change {
                                Change::Customer(row) => customers.give(row),
                                Change::Store(row) => stores.give(row),
                                Change::Product(row) => products.give(row),
                                Change::List(change) => list.give(change),
                                Change::Rules(change) => rules.give(change),
                            }
                            Observation::Ended(Account::Reference)
                        }
                        Err(refusal) => {
                            let reason = refusal.reason;
                            letters.give(dead_letter(record, refusal));
                            Observation::DeadLetter(reason)
                        }
                    });
                }
                epoch.second.iter().for_each(|clock| partitions.follow(clock));
                tallies_out.session(on_tallies).give_iterator(tallies.take());
                let progress = partitions.take_moved();
                let timed = progress
                    .iter()
                    .filter(|moved| Role::of_topic(&roles, moved.partition.topic()).holds_watermark());
                let times = timed.filter_map(PartitionPosition::time);
                partition_times_out.session(on_times).give_iterator(times);
                progress_out.session(on_progress).give_iterator(progress.into_iter());
            }
        }
    });
    Dimensions {
        customers,
        stores,
        products,
        list_changes,
        rules_changes,
        dead_letters,
        tallies,
        progress,
        partition_times,
    }
}

/// What a record describes.
enum Change {
    Customer(Upsert<Id, Customer>),
    Store(Upsert<Id, Store>),
    Product(Upsert<Id, Product>),
    List(ListChange),
    Rules(RulesChange),
}

/// Decodes a record into the change that it describes; one of the blacklist or the rules applies from the event
/// time `applies_from` on. No rule may look farther back than `longest_window`.
fn read(role: Role, record: &Record, applies_from: i64, longest_window: i64) -> Result<Change, Refusal> {
    if record.full_length > PAYLOAD_LIMIT as u64 {
        let message = format!("{} bytes: must be at most {PAYLOAD_LIMIT}", record.full_length);
        return Err(Refusal::new(Reason::TooLarge, message));
    }
    match role {
        Role::Customers => upsert(record, customer).map(Change::Customer),
        Role::Stores => upsert(record, store).map(Change::Store),
        Role::Products => upsert(record, product).map(Change::Product),
        Role::Blacklist => list_change(record, applies_from).map(Change::List),
        Role::Rules => rules_change(record, applies_from, longest_window).map(Change::Rules),
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
    let missing = || Refusal::new(Reason::MissingField, "key: a record without a value needs one");
    let key = record.key.as_deref().ok_or_else(missing)?;
    std::str::from_utf8(key).map_err(|_| Refusal::new(Reason::InvalidField, "key: must be UTF-8"))
}

/// The id in field `name`, of at most `limit` bytes.
fn id(object: &Object<'_>, name: &str, limit: usize) -> Result<Id, Refusal> {
    let missing = || Refusal::new(Reason::MissingField, format!("{name}: is required"));
    bounded_id(&object.text(name)?.ok_or_else(missing)?, limit)
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

fn attribute(object: &Object<'_>, name: &str) -> Result<Option<String>, Refusal> {
    match object.text(name)? {
        Some(text) if text.len() > ATTRIBUTE_LIMIT || text.chars().any(char::is_control) => {
            let limit = format!("{name}: must be at most {ATTRIBUTE_LIMIT} bytes without control characters");
            Err(Refusal::new(Reason::InvalidField, limit))
        }
        value => Ok(value),
    }
}

fn instant(object: &Object<'_>, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = object.text(name)? else { return Ok(None) };
    let refusal = || {
        Refusal::new(
            Reason::InvalidField,
            format!("{name}: must be RFC 3339 with an offset, of the years 1 to 9999"),
        )
    };
    timestamp::parse(&text).map(Some).ok_or_else(refusal)
}

fn customer(payload: &[u8]) -> Result<(Id, Customer), Refusal> {
    let object = Object::parse(payload)?;
    let customer_id = id(&object, "customer_id", 100)?;
    let customer = Customer {
        customer_id: customer_id.clone(),
        name: attribute(&object, "name")?,
        email: attribute(&object, "email")?,
        city: attribute(&object, "city")?,
        state: attribute(&object, "state")?,
        risk_profile: attribute(&object, "risk_profile")?,
        registered_at: instant(&object, "registered_at")?,
    };
    Ok((customer_id, customer))
}

fn store(payload: &[u8]) -> Result<(Id, Store), Refusal> {
    let object = Object::parse(payload)?;
    let store_id = id(&object, "store_id", 50)?;
    let store = Store {
        store_id: store_id.clone(),
        name: attribute(&object, "name")?,
        city: attribute(&object, "city")?,
        state: attribute(&object, "state")?,
        category: attribute(&object, "category")?,
        channel: attribute(&object, "channel")?,
        place: place(&object)?,
    };
    Ok((store_id, store))
}

fn place(object: &Object<'_>) -> Result<Option<Place>, Refusal> {
    let place = match (object.get("latitude"), object.get("longitude")) {
        (None, None) => return Ok(None),
        (Some(latitude), Some(longitude)) => parse_degrees(latitude, 90).zip(parse_degrees(longitude, 180)),
        _ => None,
    };
    let limit = "latitude, longitude: must both be given, -90 to 90 and -180 to 180";
    let (latitude, longitude) = place.ok_or_else(|| Refusal::new(Reason::InvalidField, limit))?;
    Ok(Some(Place { latitude, longitude }))
}

fn product(payload: &[u8]) -> Result<(Id, Product), Refusal> {
    let object = Object::parse(payload)?;
    let product_id = id(&object, "product_id", 50)?;
    let product = Product {
        product_id: product_id.clone(),
        name: attribute(&object, "name")?,
        category: attribute(&object, "category")?,
        price: price(&object)?,
    };
    Ok((product_id, product))
}

/// A price in cents, given as a string or as a number.
fn price(object: &Object<'_>) -> Result<Option<i64>, Refusal> {
    let Some(json) = object.get("price") else { return Ok(None) };
    let string = if json.starts_with('"') { object.text("price")? } else { None };
    match Cents::parse_price(string.as_deref().unwrap_or(json)) {
        Ok(cents) => Ok(Some(cents.0)),
        Err(limit) => Err(Refusal::new(Reason::InvalidField, format!("price: {limit}"))),
    }
}

/// Decodes a record of the blacklist. In files the line names the entity; in Kafka the key may do so instead.
fn list_change(record: &Record, applies_from: i64) -> Result<ListChange, Refusal> {
    let object = record.payload.as_deref().map(Object::parse).transpose()?;
    let entity = match object.as_ref().map(named).transpose()?.flatten() {
        Some((kind, id)) => Entity::new(&kind, &id),
        None if object.is_some() && record.key.is_none() => {
            let message = "entity and id: are required where the record has no key";
            return Err(Refusal::new(Reason::MissingField, message));
        }
        None => Entity::from_key(key(record)?),
    };
    let unknown = || Refusal::new(Reason::InvalidField, "entity: must be customer or store, with an id");
    let entity = entity.ok_or_else(unknown)?;
    bounded_id(entity.id(), 100)?;
    let entry = object.map(|object| list_entry(&object)).transpose()?;
    Ok(ListChange { entity, applies_from, entry })
}

/// Decodes a version of the rules.
fn rules_change(record: &Record, applies_from: i64, longest_window: i64) -> Result<RulesChange, Refusal> {
    let refusal = |problem: String| Refusal::new(Reason::InvalidField, problem);
    let set = SetName::from_key(key(record)?).ok_or_else(|| refusal(format!("key: {}", SetName::ALLOWED)))?;
    let Some(payload) = &record.payload else {
        return Err(refusal("value: the rules cannot be removed; put a set without rules".to_owned()));
    };
    let version = document::parse(payload).map_err(refusal)?;
    version.can_be_put(longest_window).map_err(refusal)?;
    Ok(RulesChange { set, applies_from, version })
}

fn list_entry(object: &Object<'_>) -> Result<ListEntry, Refusal> {
    let entry = ListEntry {
        valid_from: instant(object, "valid_from")?,
        expires_at: instant(object, "expires_at")?,
        reason: attribute(object, "reason")?,
    };
    if let (Some(from), Some(end)) = (entry.valid_from, entry.expires_at)
        && from >= end
    {
        let message = "valid_from: must be before expires_at, or the entry is never in force";
        return Err(Refusal::new(Reason::InvalidField, message));
    }
    Ok(entry)
}

/// Kind and id of the entity, where the record has both.
fn named(object: &Object<'_>) -> Result<Option<(String, String)>, Refusal> {
    Ok(object.text("entity")?.zip(object.text("id")?))
}
