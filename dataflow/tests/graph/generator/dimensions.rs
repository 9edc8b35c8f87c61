//! Records of the blacklist and of customers, stores and products.

use super::Generator;
use crate::case::BLACKLIST;
use crate::payload;

impl Generator {
    pub(crate) fn list_change(&mut self) {
        let entity = if self.dice.chance(60) {
            ("customer", format!("c-{}", self.dice.below(4)))
        } else {
            ("store", format!("s-{}", self.dice.below(3)))
        };
        let key = format!("{}:{}", entity.0, entity.1).into_bytes();
        if self.dice.chance(30) {
            return self.push((BLACKLIST, 0), Some(key), None);
        }
        if self.dice.chance(10) {
            let payload = *self.dice.pick(&["{", r#"{"valid_from": "soon"}"#, r#"{"reason": 3}"#]);
            return self.push((BLACKLIST, 0), Some(key), Some(payload.into()));
        }
        let mut fields = serde_json::Map::new();
        if self.dice.chance(30) {
            fields.insert("entity".into(), entity.0.into());
            fields.insert("id".into(), entity.1.into());
        }
        for (name, from) in [("valid_from", -self.horizon), ("expires_at", 0)] {
            if self.dice.chance(40) {
                let at = self.now + self.dice.between(from, from + 2 * self.horizon);
                fields.insert(name.into(), payload::timestamp(at, &mut self.dice).into());
            }
        }
        if self.dice.chance(50) {
            fields.insert("reason".into(), "stolen card".into());
        }
        let payload = serde_json::Value::Object(fields).to_string();
        self.push((BLACKLIST, 0), Some(key), Some(payload.into()));
    }

    pub(crate) fn entity(&mut self) {
        let number = self.dice.below(3);
        let price =
            *self.dice.pick(&[r#""12.5""#, "10.50", "0.00", r#""0""#, "-1", "0.1000000000000000000005"]);
        let (topic, key, rows) = match self.dice.below(3) {
            0 => (
                1,
                format!("c-{number}"),
                [
                    format!(
                        r#"{{"customer_id": "c-{number}", "name": "Ana", "registered_at": "2026-01-01T00:00:00Z"}}"#
                    ),
                    format!(r#"{{"customer_id": "c-{number}", "registered_at": "then"}}"#),
                ],
            ),
            1 => (
                2,
                format!("s-{number}"),
                [
                    format!(
                        r#"{{"store_id": "s-{number}", "channel": null, "latitude": -3.11903, "longitude": -60}}"#
                    ),
                    format!(r#"{{"store_id": "s-{number}", "latitude": 1}}"#),
                ],
            ),
            _ => (
                3,
                format!("p-{number}"),
                [
                    format!(r#"{{"product_id": "p-{number}", "category": "books", "price": {price}}}"#),
                    r#"{"name": "nameless"}"#.to_owned(),
                ],
            ),
        };
        let payload = match self.dice.weighted(&[(60, 0), (20, 1), (20, 2)]) {
            0 => Some(rows[0].clone().into_bytes()),
            1 => Some(rows[1].clone().into_bytes()),
            _ => None,
        };
        self.push((topic, 0), Some(key.into_bytes()), payload);
    }
}
