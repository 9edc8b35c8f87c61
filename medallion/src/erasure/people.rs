//! The customers who are erased, and where a text names them.

use super::json::literals;
use super::places::{self, Places};
use postgres::Transaction;
use std::borrow::Cow;
use std::collections::HashMap;
use streamflow_connectors::postgres::PostgresError;

/// A shorter id or address is found in too much that does not mean it: it is looked for only where an id of a customer
/// stands.
const SHORTEST: usize = 6;

/// A customer.
#[derive(Debug)]
pub(super) struct Person {
    id: String,
    pub(super) pseudonym: String,
    key: Option<i32>,
    pub(super) places: Places,
    /// What names them in any text: the id and the e-mail address.
    names: Vec<String>,
    is_found: bool,
}

/// All of them.
#[derive(Debug)]
pub(super) struct People {
    people: Vec<Person>,
    by_id: HashMap<String, usize>,
}

/// Whether places lead to hits, by any rule that ever compared them, decides what becomes of them.
const FIND: &str = "SELECT n.number::int8, d.customer_key, coalesce(c.email, d.email), c.customer_id IS NOT NULL, \
         EXISTS (SELECT FROM silver.transactions AS t \
             WHERE t.customer_key = d.customer_key AND t.rule_scores ?| ARRAY( \
                 SELECT rule ->> 'id' FROM gold.rule_versions AS v, json_array_elements(v.rules -> 'rules') AS rule \
                 WHERE rule ->> 'kind' = 'impossible_travel')) \
     FROM unnest($1::text[]) WITH ORDINALITY AS n (id, number) \
     LEFT JOIN gold.dim_customer AS d ON d.customer_id = n.id LEFT JOIN silver.customers AS c ON c.customer_id = n.id \
     ORDER BY n.number";

const RENAME: &str = "UPDATE gold.dim_customer AS d SET customer_id = n.pseudonym, name = NULL, email = NULL, \
         city = NULL, state = NULL, risk_profile = NULL, registered_at = NULL, inferred = true \
     FROM unnest($1::int4[], $2::text[]) AS n (customer_key, pseudonym) WHERE d.customer_key = n.customer_key";

const UNLIST: &str = "UPDATE silver.blacklist AS b SET entity_id = coalesce(n.pseudonym, b.entity_id), reason = NULL \
     FROM unnest($1::int8[]) AS v (version) JOIN silver.blacklist AS old USING (version) \
     LEFT JOIN unnest($2::text[], $3::text[]) AS n (id, pseudonym) \
         ON old.entity_kind = 'customer' AND old.entity_id = n.id \
     WHERE b.version = v.version";

impl People {
    pub(super) fn find(transaction: &mut Transaction<'_>, ids: &[String]) -> Result<Self, PostgresError> {
        let mut people = Vec::with_capacity(ids.len());
        for (id, row) in ids.iter().zip(transaction.query(FIND, &[&ids])?) {
            let (key, email): (Option<i32>, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
            let has_record: bool = row.try_get(3)?;
            let names = [Some(id.clone()), email].into_iter().flatten();
            people.push(Person {
                id: id.clone(),
                pseudonym: format!("erased-{:032x}", rand::random::<u128>()),
                key,
                places: if row.try_get(4)? { Places::turned() } else { Places::Nowhere },
                names: names.filter(|name| name.len() >= SHORTEST).collect(),
                is_found: key.is_some() || has_record,
            });
        }
        let by_id = people.iter().enumerate().map(|(index, person)| (person.id.clone(), index)).collect();
        Ok(Self { people, by_id })
    }

    /// Surrogate keys.
    pub(super) fn keys(&self) -> Vec<i32> {
        self.people.iter().filter_map(|person| person.key).collect()
    }

    pub(super) fn ids(&self) -> Vec<&str> {
        self.people.iter().map(|person| person.id.as_str()).collect()
    }

    /// Texts of which one is in every JSON that names somebody without an escape, or escaped only where it must be.
    pub(super) fn needles(&self) -> Vec<String> {
        let names = self.people.iter().flat_map(|person| person.names.iter().chain([&person.id]));
        let forms = names.flat_map(|name| {
            let escaped = serde_json::Value::from(name.as_str()).to_string();
            [name.clone(), escaped[1..escaped.len() - 1].to_owned()]
        });
        let mut needles: Vec<String> = forms.collect();
        needles.sort_unstable();
        needles.dedup();
        needles
    }

    pub(super) fn with_key(&self, key: i32) -> Option<usize> {
        self.people.iter().position(|person| person.key == Some(key))
    }

    pub(super) fn with_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn person(&self, index: usize) -> Option<&Person> {
        self.people.get(index)
    }

    /// Notes that something is stored of a customer.
    pub(super) fn see(&mut self, index: usize) {
        if let Some(person) = self.people.get_mut(index) {
            person.is_found = true;
        }
    }

    /// Those of whom anything is stored.
    pub(super) fn found(&self) -> usize {
        self.people.iter().filter(|person| person.is_found).count()
    }

    /// Whom a text names, as a word of its own.
    pub(super) fn named(&self, text: &str) -> Option<usize> {
        self.people.iter().position(|person| person.names.iter().any(|name| has_word(text, name)))
    }

    /// How many strings of a JSON name somebody.
    pub(super) fn times_named(&self, json: &str) -> usize {
        literals(json).filter(|literal| self.named(&literal.text).is_some()).count()
    }

    /// Whom a key or a value of a record names, JSON or not.
    pub(super) fn named_in(&self, bytes: &[u8]) -> Option<usize> {
        let text = String::from_utf8_lossy(bytes);
        let id = text.strip_prefix("customer:").unwrap_or(&text);
        self.with_id(id).or_else(|| self.named(&text)).or_else(|| self.named_in_json(&text))
    }

    fn named_in_json(&self, json: &str) -> Option<usize> {
        let mut field = Cow::Borrowed("");
        for literal in literals(json) {
            if literal.is_name {
                field = literal.text;
                continue;
            }
            let by_id = self.with_id(&literal.text).filter(|_| matches!(&*field, "customer_id" | "id"));
            if let Some(person) = by_id.or_else(|| self.named(&literal.text)) {
                return Some(person);
            }
        }
        None
    }

    /// An alert's message or evidence without them; `None` where it names nobody.
    pub(super) fn erased_from(&self, json: &str) -> Option<String> {
        let (mut erased, mut copied) = (String::new(), 0);
        let (mut field, mut entity) = (Cow::Borrowed(""), Cow::Borrowed(""));
        // Whether the list entry whose fields follow is that of one of them.
        let mut is_theirs = false;
        for literal in literals(json) {
            if literal.is_name {
                field = literal.text;
                continue;
            }
            let pseudonym = || self.with_id(&literal.text).and_then(|index| self.person(index));
            let pseudonym = || pseudonym().map(|person| format!("\"{}\"", person.pseudonym));
            let other = match &*field {
                "customer_id" => pseudonym(),
                "id" => {
                    let other = if entity == "customer" { pseudonym() } else { None };
                    is_theirs = other.is_some();
                    other
                }
                "reason" => (is_theirs || self.named(&literal.text).is_some()).then(|| "null".to_owned()),
                "entity" => {
                    entity = literal.text;
                    None
                }
                _ => None,
            };
            if let Some(other) = other {
                erased.push_str(&json[copied..literal.range.start]);
                erased.push_str(&other);
                copied = literal.range.end;
            }
        }
        (copied > 0).then(|| erased + &json[copied..])
    }

    /// Versions of their list entries, and of others whose reason names them.
    pub(super) fn find_list_versions(
        &mut self,
        transaction: &mut Transaction<'_>,
    ) -> Result<Vec<i64>, PostgresError> {
        let mut versions = Vec::new();
        let sql =
            "SELECT version, entity_kind = 'customer', entity_id, coalesce(reason, '') FROM silver.blacklist";
        for row in transaction.query(sql, &[])? {
            let own = self.with_id(row.try_get(2)?);
            let own = if row.try_get(1)? { own } else { None };
            if let Some(index) = own.or(self.named(row.try_get(3)?)) {
                self.see(index);
                versions.push(row.try_get(0)?);
            }
        }
        Ok(versions)
    }

    /// Writes their rows of dimensions, lists and transactions, and that they are erased.
    pub(super) fn write(
        &self,
        transaction: &mut Transaction<'_>,
        list_versions: &[i64],
    ) -> Result<(), PostgresError> {
        let keyed = || self.people.iter().filter_map(|person| Some((person.key?, person)));
        let (keys, turns): (Vec<i32>, Vec<Option<i64>>) =
            keyed().map(|(key, person)| (key, person.places.parameter())).unzip();
        transaction.execute(places::UPDATE, &[&keys, &turns])?;
        let pseudonyms: Vec<&str> = keyed().map(|(_, person)| person.pseudonym.as_str()).collect();
        transaction.execute(RENAME, &[&keys, &pseudonyms])?;
        let pseudonyms: Vec<&str> = self.people.iter().map(|person| person.pseudonym.as_str()).collect();
        transaction.execute(UNLIST, &[&list_versions, &self.ids(), &pseudonyms])?;
        transaction.execute("DELETE FROM silver.customers WHERE customer_id = ANY ($1)", &[&self.ids()])?;
        let found = self.people.iter().filter(|person| person.is_found);
        let pseudonyms: Vec<&str> = found.map(|person| person.pseudonym.as_str()).collect();
        let sql = "INSERT INTO streamflow.erasures (pseudonym) SELECT * FROM unnest($1::text[])";
        transaction.execute(sql, &[&pseudonyms])?;
        Ok(())
    }
}

/// Whether `word` stands in `text`, and not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let continues = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    text.match_indices(word).any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + word.len()..]);
        !before.ends_with(continues) && !after.starts_with(continues)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(ids: &[&str]) -> People {
        let person = |id: &&str| Person {
            id: (*id).to_owned(),
            pseudonym: format!("erased-{}", id.len()),
            key: None,
            places: Places::Nowhere,
            names: [*id, "ana@x.com"]
                .into_iter()
                .filter(|name| name.len() >= SHORTEST)
                .map(str::to_owned)
                .collect(),
            is_found: false,
        };
        let people: Vec<Person> = ids.iter().map(person).collect();
        let by_id = ids.iter().enumerate().map(|(index, id)| ((*id).to_owned(), index)).collect();
        People { people, by_id }
    }

    #[test]
    fn a_text_names_whom_it_has_as_a_word() {
        let people = people(&["cust-17"]);
        for (text, expected) in [
            ("cust-17", true),
            ("see cust-17, twice", true),
            ("customer:cust-17", true),
            ("mailto:ana@x.com.", true),
            ("cust-170", false),
            ("cust-17-b", false),
            ("xcust-17", false),
            ("cust-170 cust-17", true),
            ("diana@x.com", false),
        ] {
            assert_eq!(people.named(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn records_name_by_key_by_field_and_by_word() {
        let both = people(&["cust-17", "c\"1"]);
        for (bytes, expected) in [
            (&br#"{"customer_id": "c\"1"}"#[..], Some(1)),
            (br#"{"customer_id": "\u0063ust-17"}"#, Some(0)),
            (br#"{"entity": "customer", "id": "c\"1"}"#, Some(1)),
            (br#"{"note": "c\"1"}"#, None),
            (br#"{"note": ["by \u0063ust-17"]}"#, Some(0)),
            (b"cust-17 \xff", Some(0)),
            (b"c\"1", Some(1)),
            (b"customer:c\"1", Some(1)),
            (br#"{"customer_id": "cust-18"}"#, None),
        ] {
            assert_eq!(both.named_in(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn alerts_keep_everything_else_byte_for_byte() {
        let people = people(&["cust-17"]);
        let message = r#"{"customer_id":"cust-17","store_id":"cust-17","rule_details":{"FR-003":{"km":1.50},"FR-005":{"entity":"customer","id":"cust-17","reason":"bad","score":1.0}}}"#;
        let expected = r#"{"customer_id":"erased-7","store_id":"cust-17","rule_details":{"FR-003":{"km":1.50},"FR-005":{"entity":"customer","id":"erased-7","reason":null,"score":1.0}}}"#;
        assert_eq!(people.erased_from(message).as_deref(), Some(expected));
        let store = r#"{"FR-005":{"entity":"store","id":"cust-17","reason":"of cust-17"}}"#;
        let expected = r#"{"FR-005":{"entity":"store","id":"cust-17","reason":null}}"#;
        assert_eq!(people.erased_from(store).as_deref(), Some(expected));
        let other = r#"{"FR-005":{"entity":"store","id":"cust-17","reason":"bad"}}"#;
        assert_eq!(people.erased_from(other), None);
    }
}
