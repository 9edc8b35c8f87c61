//! Reference records that may do harm: customers, stores, products and the blacklist.

use super::case::{Case, Column, Expectation, NO_TEXTS, TEXTS, TYPES, kept, quoted, refused};
use serde_json::{Value, json};

/// Attributes have at most so many bytes.
const ATTRIBUTE: usize = 200;

/// A reference topic: what stands in it, and where that goes.
pub struct Topic {
    /// Its name in the tests.
    pub name: &'static str,
    /// The table of silver.
    pub table: &'static str,
    /// Identity in records and table.
    pub id: &'static str,
    limit: usize,
    texts: &'static [&'static str],
    others: &'static [Other],
}

/// A field that is no text.
struct Other {
    field: &'static str,
    /// Values that are accepted, and what the table says then.
    kept: &'static [(&'static str, &'static str)],
    refused: &'static [&'static str],
}

const INSTANTS: [&str; 8] = [
    r#""now""#,
    r#""infinity""#,
    r#""2026-02-01""#,
    r#""2026-02-30T00:00:00Z""#,
    r#""0000-12-31T23:59:59Z""#,
    r#""9999-12-31T23:59:59-23:59""#,
    r#""10000-01-01T00:00:00Z""#,
    r#""missing field""#,
];

/// Of entities.
pub const TOPICS: [Topic; 3] = [
    Topic {
        name: "customers",
        table: "silver.customers",
        id: "customer_id",
        limit: 100,
        texts: &["name", "email", "city", "state", "risk_profile"],
        others: &[Other {
            field: "registered_at",
            kept: &[
                (r#""0001-01-01T00:00:00Z""#, "0001-01-01T00:00:00+00:00"),
                (r#""9999-12-31T23:59:59Z""#, "9999-12-31T23:59:59+00:00"),
            ],
            refused: &INSTANTS,
        }],
    },
    Topic {
        name: "stores",
        table: "silver.stores",
        id: "store_id",
        limit: 50,
        texts: &["name", "city", "state", "category", "channel"],
        others: &[
            Other {
                field: "latitude",
                kept: &[
                    ("0", "0"),
                    ("-0", "0"),
                    ("-1", "-1"),
                    ("1", "1"),
                    ("1.5", "1.5"),
                    ("90", "90"),
                    ("1e-400", "0"),
                ],
                refused: &["90.0000001", "-1e400", r#""1.5""#, r#""missing field""#, "18446744073709551617"],
            },
            Other {
                field: "longitude",
                kept: &[("0", "0"), ("-1", "-1"), ("1", "1"), ("1.5", "1.5"), ("-180", "-180")],
                refused: &["180.0000001", "-1e400", r#""1.5""#, r#""missing field""#, "18446744073709551617"],
            },
        ],
    },
    Topic {
        name: "products",
        table: "silver.products",
        id: "product_id",
        limit: 50,
        texts: &["name", "category"],
        others: &[Other {
            field: "price",
            kept: &[
                (r#""0.01""#, "0.01"),
                (r#""9999999999.99""#, "9999999999.99"),
                (r#""0.00""#, "0.0"),
                ("10.50", "10.5"),
                ("0", "0.0"),
                ("1", "1.0"),
                ("1.5", "1.5"),
            ],
            refused: &[
                "-0.01",
                "1.005",
                "true",
                r#""-1""#,
                r#""1.005""#,
                r#""NaN""#,
                r#""1e400""#,
                r#""1234567890123""#,
                r#""missing field""#,
            ],
        }],
    },
];

/// An entity and what the table is to say of it; the columns are those of the record's last version.
pub struct Entity {
    /// The record.
    pub case: Case,
    /// Its identity, where it is kept.
    pub id: String,
}

impl Topic {
    /// All cases, each of an entity of its own.
    pub fn cases(&self) -> Vec<Entity> {
        let mut entities = Vec::new();
        for text in TEXTS.iter().filter(|text| text.len() <= self.limit) {
            entities.push(self.entity(text, &[]));
        }
        for field in self.texts {
            for text in TEXTS {
                let column = Column { name: field, text: Some(text.to_owned()) };
                let id = self.fresh(&entities);
                entities.push(Entity {
                    id: id.clone(),
                    case: self.case(&id, &[(field, quoted(text))], Expectation::Kept(vec![column])),
                });
            }
            let longer = [quoted(&"é".repeat(ATTRIBUTE / 2 + 1)), quoted(&"z".repeat(60_000))];
            let wrong = TYPES.iter().filter(|json| !json.starts_with('"')).chain(&NO_TEXTS);
            for json in wrong.map(|json| (*json).to_owned()).chain(longer) {
                self.refuse(&mut entities, field, json);
            }
        }
        for Other { field, kept, refused } in self.others {
            for (json, text) in *kept {
                let column = Column { name: field, text: Some((*text).to_owned()) };
                let id = self.fresh(&entities);
                entities.push(Entity {
                    id: id.clone(),
                    case: self.case(&id, &[(field, (*json).to_owned())], Expectation::Kept(vec![column])),
                });
            }
            let wrong = TYPES.iter().filter(|json| kept.iter().all(|(kept, _)| kept != *json));
            for json in wrong.chain(*refused).chain(&NO_TEXTS) {
                self.refuse(&mut entities, field, (*json).to_owned());
            }
        }
        entities.extend(self.identities());
        entities.extend(self.whole());
        entities.extend(self.removed());
        entities
    }

    fn fresh(&self, entities: &[Entity]) -> String {
        format!("hostile-{}", entities.len())
    }

    fn entity(&self, id: &str, fields: &[(&str, String)]) -> Entity {
        Entity { id: id.to_owned(), case: self.case(id, fields, kept()) }
    }

    fn refuse(&self, entities: &mut Vec<Entity>, field: &str, json: String) {
        let id = self.fresh(entities);
        let case = self.case(&id, &[(field, json)], refused("invalid_field", field));
        entities.push(Entity { id, case });
    }

    fn case(&self, id: &str, fields: &[(&str, String)], expected: Expectation) -> Case {
        let mut all = vec![format!("{}: {}", quoted(self.id), quoted(id))];
        // A place has both.
        for (this, other) in [("latitude", "longitude"), ("longitude", "latitude")] {
            if fields.iter().any(|(field, _)| *field == this) {
                all.push(format!("{}: 0", quoted(other)));
            }
        }
        all.extend(fields.iter().map(|(name, json)| format!("{}: {json}", quoted(name))));
        let payload = format!("{{{}}}", all.join(", "));
        let name: String = format!("{}: {payload}", self.name).chars().take(120).collect();
        Case { key: Some(id.as_bytes().to_vec()), ..Case::new(name, payload, expected) }
    }

    /// What is wrong with the identity itself.
    fn identities(&self) -> Vec<Entity> {
        let wrong = TYPES.iter().filter(|json| **json != r#""x""#).chain(&NO_TEXTS);
        let longer = [quoted(&"z".repeat(self.limit + 1)), quoted(&"z".repeat(60_000))];
        let invalid = wrong.map(|json| (*json).to_owned()).chain(longer);
        let invalid =
            invalid.map(|json| (format!("{{{}: {json}}}", quoted(self.id)), refused("invalid_field", "id")));
        let missing = (r#"{"name": "nobody"}"#.to_owned(), refused("missing_field", self.id));
        invalid.chain([missing]).map(|(payload, expected)| self.raw(payload, expected)).collect()
    }

    /// What is no object, or a strange one.
    fn whole(&self) -> Vec<Entity> {
        let malformed = || refused("malformed_json", "");
        let fields = vec!["null"; self.texts.len() + self.others.len()].join(", ");
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let id = |name: &str| format!("{}: {}", quoted(self.id), quoted(name));
        let mut entities: Vec<Entity> = [
            String::new(),
            "null".to_owned(),
            "1".to_owned(),
            quoted("x"),
            "[]".to_owned(),
            // As many values as there are fields.
            format!(r#"["array", {fields}]"#),
            format!("{{{}}}{{{}}}", id("a"), id("b")),
            format!("{{{}", id("cut")),
            format!("{{{}, \"note\": {deep}}}", id("deep")),
            format!("{{{}, \"note\": NaN}}", id("nan")),
            "\\.\n\\N\t'; DROP TABLE silver.customers; --".to_owned(),
            "\u{1b}[2J".to_owned(),
        ]
        .into_iter()
        .map(|payload| self.raw(payload, malformed()))
        .collect();
        for bytes in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\0"] {
            let payload = [format!("{{{}, \"note\": \"", id("bytes")).as_bytes(), bytes, b"\"}"].concat();
            entities.push(self.raw(payload, malformed()));
        }
        let large = format!("{{{}, \"note\": {}}}", id("large"), quoted(&"x".repeat(10 * 1024 * 1024)));
        entities.push(self.raw(large, refused("too_large", "65536")));
        for (name, json) in [("unknown", r#""\u0000""#), ("huge", "1e400")] {
            let payload = format!("{{{}, \"note\": {json}}}", id(name));
            entities.push(Entity {
                id: name.to_owned(),
                case: Case { key: Some(name.as_bytes().to_vec()), ..self.raw(payload, kept()).case },
            });
        }
        entities
    }

    fn raw(&self, payload: impl Into<Vec<u8>>, expected: Expectation) -> Entity {
        let payload = payload.into();
        let name = format!("{}: {}", self.name, String::from_utf8_lossy(&payload[..payload.len().min(100)]));
        Entity { id: String::new(), case: Case::new(name, payload, expected) }
    }

    /// Records without a value: the key says who goes.
    fn removed(&self) -> Vec<Entity> {
        let tombstone = |key: &[u8], expected: Expectation| {
            let name =
                format!("{}: removal of {}", self.name, String::from_utf8_lossy(&key[..key.len().min(100)]));
            let case = Case { key: Some(key.to_vec()), value: None, ..Case::new(name, "", expected) };
            Entity { id: String::new(), case }
        };
        let wrong = |key: &[u8]| tombstone(key, refused("invalid_field", ""));
        vec![
            tombstone(b"nobody'); DELETE FROM silver.stores; --", kept()),
            wrong(b""),
            wrong(b"\xff"),
            wrong(b"a\0b"),
            wrong(b"\x1b[2J"),
            wrong(&[b'k'; 101]),
            wrong(&vec![b'k'; 1024 * 1024]),
        ]
    }
}

/// Who is put on the list although the name is what it is.
pub const LISTED: &str = "'; DELETE FROM silver.blacklist; --";

/// Records of the blacklist.
pub fn blacklist() -> Vec<Case> {
    let case = |key: &str, value: Value, expected: Expectation| Case {
        key: Some(key.as_bytes().to_vec()),
        ..Case::new(format!("blacklist: {key}: {value}"), value.to_string(), expected)
    };
    let invalid = |names: &str| refused("invalid_field", names);
    let mut cases = vec![
        case(&format!("customer:{LISTED}"), json!({"reason": "\\copy x"}), kept()),
        case("any", json!({"entity": "store", "id": "\\.", "reason": "=1+1"}), kept()),
        case("any", json!({"entity": "tables", "id": "x"}), invalid("entity")),
        case("tables:x", json!({}), invalid("entity")),
        case("customer", json!({}), invalid("entity")),
        case("customer:", json!({}), invalid("id")),
        case("any", json!({"entity": "customer", "id": ""}), invalid("id")),
        case("any", json!({"entity": "customer", "id": "a\u{0}b"}), invalid("id")),
        case("any", json!({"entity": "customer", "id": "x".repeat(101)}), invalid("id")),
        case("any", json!({"entity": 1, "id": "x"}), invalid("entity")),
        case("any", json!({"entity": "customer", "id": {"x": 1}}), invalid("id")),
        case("customer:a", json!({"reason": "a\nb"}), invalid("reason")),
        case("customer:a", json!({"reason": "x".repeat(201)}), invalid("reason")),
        case("customer:a", json!({"reason": ["missing field"]}), invalid("reason")),
        case("customer:a", json!({"valid_from": "infinity"}), invalid("valid_from")),
        case("customer:a", json!({"expires_at": 1e300}), invalid("expires_at")),
        case(
            "customer:a",
            json!({"valid_from": "2026-02-02T00:00:00Z", "expires_at": "2026-02-02T00:00:00Z"}),
            invalid("never in force"),
        ),
        case("customer:a", json!([]), refused("malformed_json", "")),
        case("customer:a", json!(["customer", "a", null, null, null]), refused("malformed_json", "")),
        case("customer:a", json!(null), refused("malformed_json", "")),
        case("customer:a", json!({"reason": "x".repeat(70_000)}), refused("too_large", "65536")),
    ];
    let removal = |key: &[u8], expected: Expectation| Case {
        key: Some(key.to_vec()),
        value: None,
        ..Case::new(format!("blacklist: removal of {}", String::from_utf8_lossy(key)), "", expected)
    };
    cases.push(removal(b"store:nobody'); --", kept()));
    cases.push(removal(b"", invalid("entity")));
    cases.push(removal(b"nobody", invalid("entity")));
    cases.push(removal(b"customer:\xff", invalid("")));
    cases.push(removal(b"customer:\x1b[2J", invalid("id")));
    cases
}
