//! Decodes records of customers, stores, products and the blacklist.

use crate::decode::{PAYLOAD_LIMIT, bounded, money};
use crate::event::RawEvent;
use crate::expected::{Entity, ListEntry, ListVersion};
use crate::instant;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An entity's id and its fields; no fields where the record deletes it.
pub(crate) type Upsert = (String, Option<Map<String, Value>>);

type Fields = Map<String, Value>;

pub(crate) fn customer(event: &RawEvent) -> Result<Upsert, &'static str> {
    upsert(event, "customer_id", 100, |raw| {
        let names = ["name", "email", "city", "state", "risk_profile"];
        let mut fields = attributes(raw, &names)?;
        if let Some(at) = time(raw, "registered_at")? {
            fields.insert("registered_at".to_owned(), json!(at));
        }
        Ok(fields)
    })
}

pub(crate) fn store(event: &RawEvent) -> Result<Upsert, &'static str> {
    upsert(event, "store_id", 50, |raw| {
        let mut fields = attributes(raw, &["name", "city", "state", "category", "channel"])?;
        let degrees = |name: &str, limit: f64| match present(raw, name) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_f64().filter(|number| number.abs() <= limit);
                number.map(|number| Some(units(number))).ok_or("invalid_field")
            }
        };
        match (degrees("latitude", 90.0)?, degrees("longitude", 180.0)?) {
            (None, None) => {}
            (Some(latitude), Some(longitude)) => {
                fields.insert("place".to_owned(), json!([latitude, longitude]));
            }
            _ => return Err("invalid_field"),
        }
        Ok(fields)
    })
}

pub(crate) fn product(event: &RawEvent) -> Result<Upsert, &'static str> {
    upsert(event, "product_id", 50, |raw| {
        let mut fields = attributes(raw, &["name", "category"])?;
        if let Some(price) = written(event, "price") {
            fields.insert("price".to_owned(), json!(money(price).ok_or("invalid_field")?));
        }
        Ok(fields)
    })
}

/// A field's JSON text: a number as a value has lost how it was written.
fn written<'a>(event: &'a RawEvent, name: &str) -> Option<&'a str> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(event.payload.as_deref()?).ok()?;
    fields.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null")
}

/// A record of the blacklist, which applies from the event time `applies_from` on: the value or the key names
/// the entity.
pub(crate) fn list_version(event: &RawEvent, applies_from: Option<i64>) -> Result<ListVersion, &'static str> {
    let raw = event.payload.as_deref().map(object).transpose()?;
    let named = match &raw {
        Some(raw) => text(raw, "entity")?.zip(text(raw, "id")?),
        None => None,
    };
    let (kind, id) = match named {
        Some(named) => named,
        None => key(event)?.split_once(':').ok_or("invalid_field")?,
    };
    let entity = match kind {
        "customer" => Entity::Customer(id.to_owned()),
        "store" => Entity::Store(id.to_owned()),
        _ => return Err("invalid_field"),
    };
    if !bounded(id, 1, 100) {
        return Err("invalid_field");
    }
    let entry = match &raw {
        None => None,
        Some(raw) => Some(ListEntry {
            valid_from: time(raw, "valid_from")?,
            expires_at: time(raw, "expires_at")?,
            reason: attribute(raw, "reason")?.map(str::to_owned),
        }),
    };
    if let Some(ListEntry { valid_from: Some(from), expires_at: Some(end), .. }) = &entry
        && from >= end
    {
        return Err("invalid_field");
    }
    Ok(ListVersion { entity, applies_from, entry })
}

/// Units of 1e-7 degrees.
pub(crate) fn units(degrees: f64) -> i32 {
    (degrees * 1e7).round() as i32
}

fn upsert(
    event: &RawEvent,
    id: &str,
    most: usize,
    read: impl Fn(&Fields) -> Result<Fields, &'static str>,
) -> Result<Upsert, &'static str> {
    let Some(payload) = &event.payload else {
        let key = key(event)?;
        return if bounded(key, 1, most.max(100)) {
            Ok((key.to_owned(), None))
        } else {
            Err("invalid_field")
        };
    };
    let raw = object(payload)?;
    let name = text(&raw, id)?.ok_or("missing_field")?;
    if !bounded(name, 1, most) {
        return Err("invalid_field");
    }
    Ok((name.to_owned(), Some(read(&raw)?)))
}

fn object(payload: &[u8]) -> Result<Fields, &'static str> {
    if payload.len() > PAYLOAD_LIMIT {
        return Err("too_large");
    }
    serde_json::from_slice(payload).map_err(|_| "malformed_json")
}

fn key(event: &RawEvent) -> Result<&str, &'static str> {
    let key = event.key.as_deref().ok_or("missing_field")?;
    std::str::from_utf8(key).map_err(|_| "invalid_field")
}

fn present<'a>(raw: &'a Fields, name: &str) -> Option<&'a Value> {
    raw.get(name).filter(|value| !value.is_null())
}

fn text<'a>(raw: &'a Fields, name: &str) -> Result<Option<&'a str>, &'static str> {
    present(raw, name).map(|value| value.as_str().ok_or("invalid_field")).transpose()
}

fn attribute<'a>(raw: &'a Fields, name: &str) -> Result<Option<&'a str>, &'static str> {
    match text(raw, name)? {
        Some(value) if !bounded(value, 0, 200) => Err("invalid_field"),
        value => Ok(value),
    }
}

fn attributes(raw: &Fields, names: &[&str]) -> Result<Fields, &'static str> {
    let mut fields = Fields::new();
    for name in names {
        if let Some(value) = attribute(raw, name)? {
            fields.insert((*name).to_owned(), json!(value));
        }
    }
    Ok(fields)
}

fn time(raw: &Fields, name: &str) -> Result<Option<i64>, &'static str> {
    let text = text(raw, name)?;
    text.map(|text| instant::parse(text).ok_or("invalid_field")).transpose()
}
