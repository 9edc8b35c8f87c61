//! Transactions of which one field is wrong, or only looks so: a table of the specification's rules, field by
//! field.

use super::case::{Case, Expectation, NO_TEXTS, TEXTS, TYPES, kept_as, quoted, refused};

/// A field's rule.
struct Rule {
    field: &'static str,
    required: bool,
    /// Where its value is found; bronze has no columns of its own for most.
    column: &'static str,
    /// What the column says where the field is absent.
    default: Option<&'static str>,
    kind: Kind,
    /// Values that are accepted, and what the column says then.
    kept: &'static [(&'static str, &'static str)],
    /// Values that are not, beside those of the wrong type.
    refused: &'static [&'static str],
}

enum Kind {
    /// At most so many bytes without control characters; at least one where it is required.
    Text { most: usize },
    /// Anything else.
    Other,
}

const fn text(field: &'static str, required: bool, most: usize) -> Rule {
    Rule { field, required, column: field, default: None, kind: Kind::Text { most }, kept: &[], refused: &[] }
}

const RULES: [Rule; 13] = [
    text("transaction_id", true, 100),
    text("customer_id", true, 100),
    text("store_id", true, 50),
    text("product_id", false, 50),
    text("payment_method", false, 30),
    Rule {
        field: "amount",
        required: true,
        column: "amount",
        default: None,
        kind: Kind::Other,
        kept: &[
            ("1", "1.00"),
            ("1.5", "1.50"),
            ("0.01", "0.01"),
            (r#""0.01""#, "0.01"),
            (r#""454.66""#, "454.66"),
            ("0.1", "0.10"),
            ("1e2", "100.00"),
            ("150e-1", "15.00"),
            ("9999999999.99", "9999999999.99"),
            (r#""9999999999.99""#, "9999999999.99"),
            ("999999999999", "999999999999.00"),
            ("999999999999.0", "999999999999.00"),
            ("10000000000.00", "10000000000.00"),
            ("100.0000", "100.00"),
            (r#""100.0000""#, "100.00"),
            ("10e-3", "0.01"),
        ],
        refused: &[
            "-0",
            "-0.0",
            "0.00",
            r#""0""#,
            r#""-1.00""#,
            "0.001",
            "1.005",
            "1e-3",
            "1e-400",
            "-1e400",
            "1e12",
            "1e99999999999999999999",
            "1234567890123",
            "10000000000.01",
            "18446744073709551617",
            "0.10000000000000000000000000000000000000000000000000000000000000001",
            r#""NaN""#,
            r#""Infinity""#,
            r#""-Infinity""#,
            r#""1e400""#,
            r#"" 1""#,
            r#""1 ""#,
            r#""1,50""#,
            r#""1.000,00""#,
            r#""0x10""#,
            r#""1_000""#,
            r#""R$ 10""#,
            r#""\u0661""#,
            r#""1\u0000""#,
        ],
    },
    Rule {
        field: "currency",
        required: false,
        column: "currency",
        default: Some("BRL"),
        kind: Kind::Other,
        kept: &[(r#""USD""#, "USD"), (r#""\u0045UR""#, "EUR")],
        refused: &[
            r#""brl""#,
            r#""BR""#,
            r#""BRLX""#,
            r#""B\u0000L""#,
            r#""BRÉ""#,
            r#""ＢＲＬ""#,
            r#""B'L""#,
        ],
    },
    Rule {
        field: "latitude",
        required: false,
        column: "latitude",
        default: None,
        kind: Kind::Other,
        kept: &[
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("-1", "-1"),
            ("1", "1"),
            ("1.5", "1.5"),
            ("90", "90"),
            ("-90.0", "-90"),
            ("1e-400", "0"),
            ("9e1", "90"),
            ("-23.550520000000000000000000000000000000000000000000001", "-23.55052"),
        ],
        refused: &[
            "90.0000001",
            "-91",
            "-1e400",
            "18446744073709551617",
            r#""1.5""#,
            r#""NaN""#,
            r#""Infinity""#,
        ],
    },
    Rule {
        field: "longitude",
        required: false,
        column: "longitude",
        default: None,
        kind: Kind::Other,
        kept: &[("0", "0"), ("-1", "-1"), ("1", "1"), ("1.5", "1.5"), ("180", "180"), ("-180.000", "-180")],
        refused: &["180.0000001", "-181", "-1e400", "18446744073709551617", r#""1.5""#, r#""NaN""#],
    },
    Rule {
        field: "timestamp",
        required: true,
        column: "transaction_at",
        default: None,
        kind: Kind::Other,
        kept: &[],
        refused: &[
            "1769922018",
            r#""1769922018""#,
            r#""now""#,
            r#""infinity""#,
            r#""-infinity""#,
            r#""epoch""#,
            r#""2026-02-01""#,
            r#""2026-02-01T02:00:18""#,
            r#""2026-02-01T02:00:18+0300""#,
            r#""2026-02-01T02:00:18+24:00""#,
            r#""2026-02-30T02:00:18Z""#,
            r#""2026-13-01T02:00:18Z""#,
            r#""2026-00-01T02:00:18Z""#,
            r#""2026-02-01T24:00:00Z""#,
            r#""2026-02-01T02:60:18Z""#,
            r#""2026-02-01T02:00:61Z""#,
            r#""2026-02-01T02:00:18.Z""#,
            r#""2026-02-01T02:00:18Z\u0000""#,
            r#""2026-02-01T02:00:18Z'; --""#,
            r#""10000-01-01T00:00:00Z""#,
            r#""-001-01-01T00:00:00Z""#,
            r#""２０２６-02-01T02:00:18Z""#,
        ],
    },
    Rule {
        field: "schema_version",
        required: false,
        column: "schema_version",
        default: Some("1"),
        kind: Kind::Other,
        kept: &[("0", "0"), ("1", "1"), ("2", "2"), ("4294967295", "4294967295")],
        refused: &["-0.5", r#""1""#, "18446744073709551617", "-9223372036854775809"],
    },
    Rule {
        field: "revision",
        required: false,
        column: "revision",
        default: Some("0"),
        kind: Kind::Other,
        kept: &[("0", "0"), ("1", "1"), ("4294967295", "4294967295")],
        refused: &["-0.5", r#""1""#, "18446744073709551617", "-9223372036854775809"],
    },
    Rule {
        field: "voided",
        required: false,
        column: "voided",
        default: Some("false"),
        kind: Kind::Other,
        kept: &[("true", "true"), ("false", "false")],
        refused: &[r#""true""#, r#""false""#, r#""yes""#],
    },
];

/// An event whose fields can be exchanged.
#[derive(Clone)]
pub struct Event(Vec<(String, String)>);

impl Event {
    /// An ordinary one of a customer of its own, a minute old.
    pub fn new(id: &str) -> Self {
        let at = (chrono::Utc::now() - chrono::Duration::minutes(1)).to_rfc3339();
        let fields = [
            ("transaction_id", quoted(&format!("hostile-{id}"))),
            ("customer_id", quoted(&format!("hostile-{id}"))),
            ("store_id", quoted("hostile-store")),
            ("amount", quoted("10.00")),
            ("timestamp", quoted(&at)),
        ];
        Self(fields.map(|(name, json)| (name.to_owned(), json)).to_vec())
    }

    /// With this field, whose value is JSON or what is to look like it, in the place of the one of that name.
    pub fn with(mut self, name: &str, json: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), json.to_owned()));
        self
    }

    /// Without this field.
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// As it is sent.
    pub fn payload(&self) -> Vec<u8> {
        let fields: Vec<String> = self.0.iter().map(|(name, json)| format!("\"{name}\": {json}")).collect();
        format!("{{{}}}", fields.join(", ")).into_bytes()
    }
}

/// All cases of all fields.
pub fn cases() -> Vec<Case> {
    RULES.iter().flat_map(Rule::cases).chain(instants()).collect()
}

impl Rule {
    fn cases(&self) -> Vec<Case> {
        let Self { field, .. } = *self;
        let mut cases = vec![
            Case::new(
                format!("{field} is absent"),
                self.event("absent").without(field).payload(),
                self.absent(),
            ),
            self.case("null", self.absent()),
        ];
        cases.extend(TYPES.iter().filter_map(|json| self.of_wrong_type(json)));
        for (json, text) in self.kept {
            cases.push(self.case(json, kept_as(self.column, Some(text))));
        }
        for json in self.refused.iter().chain(&NO_TEXTS) {
            cases.push(self.case(json, self.refusal()));
        }
        match self.kind {
            Kind::Text { most } => cases.extend(self.texts(most)),
            Kind::Other => {
                cases.extend(TEXTS.iter().map(|text| self.case(&quoted(text), self.refusal())));
                cases.push(self.case(&format!("1{}", "0".repeat(5000)), self.refusal()));
                cases.push(self.case(&quoted(&"9".repeat(60_000)), self.refusal()));
            }
        }
        cases
    }

    /// An event for a case; where it names a place, both of its fields are there.
    fn event(&self, id: &str) -> Event {
        let event = Event::new(&format!("{}-{id}", self.field));
        match self.field {
            "latitude" => event.with("longitude", "0"),
            "longitude" => event.with("latitude", "0"),
            _ => event,
        }
    }

    fn case(&self, json: &str, expected: Expectation) -> Case {
        let name: String = format!("{}: {json}", self.field).chars().take(100).collect();
        // Every case is a transaction of its own, whatever its name.
        let id = json
            .bytes()
            .fold(json.len() as u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        Case::new(name, self.event(&format!("{id:x}")).with(self.field, json).payload(), expected)
    }

    fn absent(&self) -> Expectation {
        match self.field {
            // Both or neither.
            "latitude" | "longitude" => self.refusal(),
            _ if self.required => refused("missing_field", self.field),
            _ => kept_as(self.column, self.default),
        }
    }

    fn refusal(&self) -> Expectation {
        refused("invalid_field", self.field)
    }

    fn of_wrong_type(&self, json: &str) -> Option<Case> {
        let is_kept = self.kept.iter().any(|(kept, _)| *kept == json);
        let is_text = matches!(self.kind, Kind::Text { .. }) && json.starts_with('"');
        (!is_kept && !is_text).then(|| self.case(json, self.refusal()))
    }

    fn texts(&self, most: usize) -> Vec<Case> {
        let kept = |text: &str| self.case(&quoted(text), kept_as(self.column, Some(text)));
        let mut cases: Vec<Case> =
            TEXTS.iter().filter(|text| text.len() <= most).map(|text| kept(text)).collect();
        // Limits are bytes, not characters.
        cases.push(kept(&"é".repeat(most / 2)));
        cases.push(kept(&"z".repeat(most)));
        cases.push(self.case(&quoted(&"z".repeat(most + 1)), self.refusal()));
        cases.push(self.case(&quoted(&format!("{}z", "é".repeat(most / 2))), self.refusal()));
        cases.push(self.case(&quoted(&"z".repeat(60_000)), self.refusal()));
        let empty = if self.required { self.refusal() } else { kept_as(self.column, None) };
        cases.push(self.case(r#""""#, empty));
        cases.push(
            self.case(r#""escaped \u0041\/\u00e9\ud83d\ude00""#, kept_as(self.column, Some("escaped A/é😀"))),
        );
        cases
    }
}

/// Instants that are well written and out of any range.
fn instants() -> impl Iterator<Item = Case> {
    let instants = [
        ("0000-12-31T23:59:59Z", "invalid_field"),
        ("0001-01-01T00:00:00+23:59", "invalid_field"),
        ("0001-01-01T00:00:00Z", "too_late"),
        ("1970-01-01T00:00:00Z", "too_late"),
        ("9999-12-31T23:59:59.999999999Z", "future_timestamp"),
        ("9999-12-31T23:59:59-23:59", "invalid_field"),
    ];
    instants.into_iter().map(|(at, reason)| {
        let payload = Event::new(at).with("timestamp", &quoted(at)).payload();
        Case::new(format!("timestamp: {at}"), payload, refused(reason, "timestamp"))
    })
}
