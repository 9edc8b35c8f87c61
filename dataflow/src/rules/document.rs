//! A rule set as users write it: one JSON document.
//!
//! ```json
//! {"author": "ana", "note": "velocity by the hour", "alert_threshold": 0.7, "combination": "noisy_or",
//!  "rules": [{"id": "FR-002", "kind": "velocity", "weight": 0.25, "parameters": {"limit": 5, "window_seconds": 600}},
//!            {"id": "VEL-1H", "kind": "velocity", "weight": 0.4, "action": "block",
//!             "segment": {"payment_methods": ["pix"], "amount_from": "100.00"},
//!             "parameters": {"limit": 20, "window_seconds": 3600}}]}
//! ```

use super::{Action, Combination, Kind, Rule, RuleSet, Segment, Version};
use crate::detectors::{
    blacklist, card_testing, expression, high_value, impossible_travel, unusual_hour, velocity,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use streamflow_model::dead_letter::PAYLOAD_LIMIT;
use streamflow_model::{Cents, Currency, Id, RuleId, Thousandths};

/// Longest document, bytes: what a record may have.
pub const LONGEST: usize = PAYLOAD_LIMIT;

/// Longest author, bytes.
const LONGEST_AUTHOR: usize = 100;

/// Longest note, bytes.
const LONGEST_NOTE: usize = 2000;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// Assigned when the set was put; of no effect in one that is put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    author: String,
    #[serde(default)]
    note: String,
    alert_threshold: Thousandths,
    #[serde(default)]
    combination: Option<String>,
    rules: Vec<RuleDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleDocument {
    id: String,
    kind: String,
    #[serde(default = "on")]
    enabled: bool,
    weight: Thousandths,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    segment: Option<SegmentDocument>,
    #[serde(default)]
    parameters: Map<String, Value>,
}

fn on() -> bool {
    true
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SegmentDocument {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    payment_methods: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stores: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    currencies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_from: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_below: Option<Value>,
}

/// Reads a document. An error is one line that names the rule, the key, its value and what is allowed.
///
/// # Errors
/// Whatever is wrong with the document.
pub fn parse(text: &[u8]) -> Result<Version, String> {
    if text.len() > LONGEST {
        return Err(format!("{} bytes: must be at most {LONGEST}", text.len()));
    }
    let document: Document = serde_json::from_slice(text).map_err(|error| one_line(&error.to_string()))?;
    let Document { version: _, author, note, alert_threshold, combination, rules } = document;
    short("author", &author, 1, LONGEST_AUTHOR)?;
    short("note", &note, 0, LONGEST_NOTE)?;
    let combination = match combination {
        Some(name) => named("combination", &name, &Combination::ALL, Combination::as_str)?,
        None => Combination::default(),
    };
    if rules.len() > RuleSet::MOST_RULES {
        return Err(format!("rules: {}: must be at most {}", rules.len(), RuleSet::MOST_RULES));
    }
    let mut ids = BTreeSet::new();
    let mut read = Vec::new();
    for rule in rules {
        let named = one_line(&rule.id);
        let rule = rule.read().map_err(|problem| format!("rule {named}: {problem}"))?;
        if !ids.insert(rule.id) {
            return Err(format!("rule {named}: id: stands twice"));
        }
        read.push(rule);
    }
    let rules = RuleSet::new(alert_threshold, combination, read);
    match rules.problem() {
        Some(problem) => Err(problem),
        None => Ok(Version { author, note, rules }),
    }
}

/// The document of a version, with the number that it was assigned, if it was.
pub fn write(version: &Version, number: Option<u64>) -> Value {
    let rules = version.rules.rules().iter().map(RuleDocument::of).collect();
    let document = Document {
        version: number,
        author: version.author.clone(),
        note: version.note.clone(),
        alert_threshold: version.rules.alert_threshold,
        combination: Some(version.rules.combination.as_str().to_owned()),
        rules,
    };
    serde_json::to_value(document).unwrap_or_default()
}

/// What comes from outside, as part of one line.
fn one_line(text: &str) -> String {
    let shown = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    shown.take(200).collect()
}

fn short(key: &str, text: &str, least: usize, most: usize) -> Result<(), String> {
    let is_good = (least..=most).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_good {
        Ok(())
    } else {
        Err(format!("{key}: must be {least} to {most} bytes without control characters"))
    }
}

fn named<T: Copy>(key: &str, name: &str, all: &[T], shown: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| shown(*one) == name);
    found.ok_or_else(|| {
        let all: Vec<&str> = all.iter().map(|one| shown(*one)).collect();
        format!("{key} = {}: must be {}", one_line(name), all.join(" or "))
    })
}

impl RuleDocument {
    fn read(self) -> Result<Rule, String> {
        let longest = RuleId::LONGEST;
        let id = RuleId::new(&self.id)
            .ok_or_else(|| format!("id: must be 1 to {longest} letters, digits, -, _ or ."))?;
        let action = match &self.action {
            Some(name) => named("action", name, &Action::ALL, Action::as_str)?,
            None => Action::default(),
        };
        let segment =
            self.segment.unwrap_or_default().read().map_err(|problem| format!("segment.{problem}"))?;
        let kind = kind(&self.kind, self.weight, self.parameters)?;
        Ok(Rule { id, enabled: self.enabled, action, segment, kind })
    }

    fn of(rule: &Rule) -> Self {
        let (kind, mut parameters) = parameters(&rule.kind);
        parameters.remove("weight");
        parameters.remove("enabled");
        Self {
            id: rule.id.to_string(),
            kind: kind.to_owned(),
            enabled: rule.enabled,
            weight: rule.weight(),
            action: Some(rule.action.as_str().to_owned()),
            segment: (rule.segment != Segment::default()).then(|| SegmentDocument::of(&rule.segment)),
            parameters,
        }
    }
}

/// The detector of a kind. Weight and switch stand beside the parameters in a document, as they are the same
/// for each kind.
fn kind(name: &str, weight: Thousandths, mut parameters: Map<String, Value>) -> Result<Kind, String> {
    if let Some(key) = ["weight", "enabled"].into_iter().find(|key| parameters.contains_key(*key)) {
        return Err(format!("parameters.{key}: stands beside `parameters`, not in it"));
    }
    parameters.insert("weight".to_owned(), serde_json::to_value(weight).unwrap_or_default());
    fn read<T: DeserializeOwned>(parameters: Map<String, Value>) -> Result<T, String> {
        let read = serde_json::from_value(Value::Object(parameters));
        read.map_err(|error| format!("parameters: {}", one_line(&error.to_string())))
    }
    Ok(match name {
        "high_value" => Kind::HighValue(read::<high_value::HighValue>(parameters)?),
        "velocity" => Kind::Velocity(read::<velocity::Velocity>(parameters)?),
        "impossible_travel" => {
            Kind::ImpossibleTravel(read::<impossible_travel::ImpossibleTravel>(parameters)?)
        }
        "unusual_hour" => Kind::UnusualHour(read::<unusual_hour::UnusualHour>(parameters)?),
        "blacklist" => Kind::Blacklist(read::<blacklist::Blacklist>(parameters)?),
        "card_testing" => {
            parameters.insert("enabled".to_owned(), Value::Bool(true));
            Kind::CardTesting(read::<card_testing::CardTesting>(parameters)?)
        }
        "expression" => Kind::Expression(read::<expression::ExpressionRule>(parameters)?),
        _ => {
            return Err(format!(
                "kind = {}: must be high_value, velocity, impossible_travel, unusual_hour, blacklist, card_testing or expression",
                one_line(name)
            ));
        }
    })
}

fn parameters(kind: &Kind) -> (&'static str, Map<String, Value>) {
    let value = match kind {
        Kind::HighValue(detector) => serde_json::to_value(detector),
        Kind::Velocity(detector) => serde_json::to_value(detector),
        Kind::ImpossibleTravel(detector) => serde_json::to_value(detector),
        Kind::UnusualHour(detector) => serde_json::to_value(detector),
        Kind::Blacklist(detector) => serde_json::to_value(detector),
        Kind::CardTesting(detector) => serde_json::to_value(detector),
        Kind::Expression(detector) => serde_json::to_value(detector),
    };
    match value {
        Ok(Value::Object(parameters)) => (kind.detector().key(), parameters),
        _ => (kind.detector().key(), Map::new()),
    }
}

impl SegmentDocument {
    fn read(self) -> Result<Segment, String> {
        let ids = |key: &str, ids: Vec<String>| -> Result<Vec<Id>, String> {
            ids.into_iter().map(|id| short(key, &id, 1, 50).map(|()| Id::from(id))).collect()
        };
        let currency = |code: &String| {
            Currency::parse(code)
                .ok_or_else(|| "currencies: must be codes of three capital letters".to_owned())
        };
        Ok(Segment {
            payment_methods: ids("payment_methods", self.payment_methods)?,
            stores: ids("stores", self.stores)?,
            currencies: self.currencies.iter().map(currency).collect::<Result<_, _>>()?,
            amount_from: self.amount_from.map(|value| amount("amount_from", &value)).transpose()?,
            amount_below: self.amount_below.map(|value| amount("amount_below", &value)).transpose()?,
        })
    }

    fn of(segment: &Segment) -> Self {
        let texts = |ids: &[Id]| ids.iter().map(ToString::to_string).collect();
        let amount = |cents: Cents| Value::String(cents.to_string());
        Self {
            payment_methods: texts(&segment.payment_methods),
            stores: texts(&segment.stores),
            currencies: segment.currencies.iter().map(ToString::to_string).collect(),
            amount_from: segment.amount_from.map(amount),
            amount_below: segment.amount_below.map(amount),
        }
    }
}

/// An amount as text or as a number.
fn amount(key: &str, value: &Value) -> Result<Cents, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Cents::parse_price(&text).map_err(|limit| format!("{key} = {}: {limit}", one_line(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(rules: impl Serialize) -> Value {
        json!({"author": "ana", "note": "", "alert_threshold": 0.7, "combination": "weighted_mean", "rules": rules})
    }

    fn problem(document: &Value) -> String {
        parse(document.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let document = set(json!([
            {"id": "VEL-1H", "kind": "velocity", "enabled": true, "weight": 0.4, "action": "block",
             "segment": {"payment_methods": ["pix"], "currencies": ["BRL"], "amount_from": "100.00"},
             "parameters": {"limit": 20, "window_seconds": 3600}},
            {"id": "FR-005", "kind": "blacklist", "weight": 0.1}
        ]));
        let version = parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(version.rules.rules().len(), 2);
        assert_eq!(version.rules.rules()[1].action, Action::Block);
        let written = write(&version, Some(7));
        assert_eq!(written["version"], 7);
        assert_eq!(parse(written.to_string().as_bytes()).unwrap(), version);
    }

    #[test]
    fn the_rules_of_the_configuration_are_a_document() {
        let version = Version::configured(RuleSet::default());
        let written = write(&version, None);
        let ids: Vec<_> = written["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
        assert_eq!(ids, ["FR-001", "FR-002", "FR-003", "FR-004", "FR-005", "FR-006"]);
        assert_eq!(parse(written.to_string().as_bytes()), Ok(version));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_with_rule_key_value_and_what_is_allowed() {
        let rule = |change: &Value| {
            let mut rule = json!({"id": "V", "kind": "velocity", "weight": 0.4, "parameters": {}});
            rule.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            problem(&set(json!([rule])))
        };
        assert_eq!(rule(&json!({"weight": 1.5})), "rule V: weight = 1.500: must be 0.000 to 1.000");
        assert_eq!(rule(&json!({"parameters": {"limit": 0}})), "rule V: limit = 0: must be 1 to 1000000");
        assert!(rule(&json!({"kind": "magic"})).starts_with("rule V: kind = magic: must be high_value, "));
        assert_eq!(
            rule(&json!({"action": "shoot"})),
            "rule V: action = shoot: must be allow or review or block"
        );
        assert!(
            rule(&json!({"parameters": {"weight": 1}}))
                .starts_with("rule V: parameters.weight: stands beside")
        );
        assert!(rule(&json!({"parameters": {"widnow": 1}})).contains("unknown field `widnow`"));
        assert!(rule(&json!({"wieght": 1})).contains("unknown field `wieght`"));
        assert_eq!(rule(&json!({"id": "a b"})), "rule a b: id: must be 1 to 24 letters, digits, -, _ or .");
        assert_eq!(
            rule(&json!({"segment": {"amount_from": "5", "amount_below": 5}})),
            "rule V: segment.amount_from = 5.00: must be below amount_below, or no transaction belongs to it"
        );
        assert_eq!(
            rule(&json!({"segment": {"amount_from": "5.001"}})),
            "rule V: segment.amount_from = 5.001: must have at most 2 decimals"
        );
        let twice = set(
            json!([{"id": "V", "kind": "blacklist", "weight": 1}, {"id": "V", "kind": "blacklist", "weight": 1}]),
        );
        assert_eq!(problem(&twice), "rule V: id: stands twice");
        let many: Vec<_> =
            (0..65).map(|id| json!({"id": id.to_string(), "kind": "blacklist", "weight": 1})).collect();
        assert_eq!(problem(&set(json!(many))), "rules: 65: must be at most 64");
        let mut threshold = set(json!([]));
        threshold["alert_threshold"] = json!(0);
        assert_eq!(problem(&threshold), "alert_threshold = 0.000: must be 0.001 to 1.000");
        threshold["alert_threshold"] = json!(0.70001);
        assert!(problem(&threshold).starts_with("0.70001: must be >= 0 with at most 3 decimals"));
    }

    #[test]
    fn hostile_documents_are_refused_in_one_line() {
        let deep = format!(r#"{{"author": {}"#, "[".repeat(100_000));
        let large = vec![b' '; 10 << 20];
        let newlines = set(json!([{"id": "x\ny", "kind": "z\u{1b}[31m", "weight": 1}])).to_string();
        for text in
            [deep.as_bytes(), &large, newlines.as_bytes(), b"", b"null", b"[]", b"\xff", b"{\"rules\":1e999}"]
        {
            let problem = parse(text).unwrap_err();
            assert!(!problem.is_empty() && problem.len() < 400, "{problem}");
            assert!(!problem.chars().any(char::is_control), "{problem:?}");
        }
    }
}
