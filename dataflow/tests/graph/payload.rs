//! Payloads of transactions, well written in many ways and flawed in many others.

use crate::case::{HOUR, MINUTE, SECOND};
use crate::dice::Dice;
use chrono::DateTime;

/// Latitude and longitude as they are written.
pub(crate) type Written = (&'static str, &'static str);

pub(crate) const PLACES: [Written; 6] = [
    ("-23.55052", "-46.63331"),
    ("-3.11903", "-60.02173"),
    ("-22.90685", "-43.1729"),
    ("-23.5", "-46.6"),
    ("0", "0"),
    ("4.49", "0"),
];

/// A transaction to be written.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub id: String,
    pub customer: String,
    pub store: String,
    pub product: Option<String>,
    pub payment_method: Option<String>,
    pub cents: i64,
    pub currency: Option<&'static str>,
    pub place: Option<Written>,
    pub event_time: i64,
    pub schema_version: u32,
    pub revision: u32,
    pub voided: bool,
}

type Field = (String, String);

/// The draft as JSON: fields in any order, defaults written or not, numbers as text or not.
pub(crate) fn write(draft: &Draft, dice: &mut Dice) -> Vec<u8> {
    let mut fields = fields(draft, dice);
    dice.shuffle(&mut fields);
    join(&fields, dice).into_bytes()
}

fn fields(draft: &Draft, dice: &mut Dice) -> Vec<Field> {
    let quoted = |text: &str| format!("\"{text}\"");
    let mut fields: Vec<Field> = vec![
        ("transaction_id".into(), quoted(&draft.id)),
        ("customer_id".into(), quoted(&draft.customer)),
        ("store_id".into(), quoted(&draft.store)),
        ("amount".into(), amount(draft.cents, dice)),
        ("timestamp".into(), quoted(&timestamp(draft.event_time, dice))),
    ];
    let optional = [
        ("product_id", draft.product.as_deref().map(quoted)),
        ("payment_method", draft.payment_method.as_deref().map(quoted)),
        ("currency", draft.currency.map(quoted)),
        ("latitude", draft.place.map(|place| place.0.to_owned())),
        ("longitude", draft.place.map(|place| place.1.to_owned())),
        ("schema_version", written(draft.schema_version, 1, dice)),
        ("revision", written(draft.revision, 0, dice)),
        ("voided", written(draft.voided, false, dice)),
        ("note", dice.chance(10).then(|| r#"{"deep": [1, "\u0041", null]}"#.to_owned())),
    ];
    for (name, value) in optional {
        match value {
            Some(value) => fields.push((name.into(), value)),
            None if dice.chance(5) => fields.push((name.into(), "null".into())),
            None => {}
        }
    }
    fields
}

fn written<T: PartialEq + ToString + Copy>(value: T, default: T, dice: &mut Dice) -> Option<String> {
    (value != default || dice.chance(30)).then(|| value.to_string())
}

fn amount(cents: i64, dice: &mut Dice) -> String {
    let plain = match dice.below(8) {
        0 | 1 if cents % 100 == 0 => (cents / 100).to_string(),
        2 => format!("{cents}e-2"),
        3 => format!("{}.{:02}{}", cents / 100, cents % 100, "0".repeat(dice.below(40))),
        4 => {
            let zeros = dice.below(40);
            format!("{cents}{}E-{}", "0".repeat(zeros), zeros + 2)
        }
        5 => {
            let zeros = dice.below(40);
            let exponent = (zeros + cents.to_string().len()) as i64 - 2;
            format!("0.{}{cents}e{exponent}", "0".repeat(zeros))
        }
        _ => format!("{}.{:02}", cents / 100, cents % 100),
    };
    if dice.chance(60) { format!("\"{plain}\"") } else { plain }
}

/// RFC 3339 with some offset and as many decimals as it takes.
pub(crate) fn timestamp(instant: i64, dice: &mut Dice) -> String {
    let (offset, name) =
        *dice.pick(&[(0, "Z"), (0, "+00:00"), (-3 * HOUR, "-03:00"), (5 * HOUR + 30 * MINUTE, "+05:30")]);
    let local = DateTime::from_timestamp_micros(instant + offset).unwrap_or_default();
    let seconds = local.format("%Y-%m-%dT%H:%M:%S");
    let micros = instant.rem_euclid(SECOND);
    if micros == 0 && dice.chance(50) {
        return format!("{seconds}{name}");
    }
    let beyond = if dice.chance(5) { "9" } else { "" };
    format!("{seconds}.{micros:06}{beyond}{name}")
}

fn join(fields: &[Field], dice: &mut Dice) -> String {
    let (gap, colon) = *dice.pick(&[("", ":"), (" ", ": "), ("\n\t", " : ")]);
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{gap}\"{name}\"{colon}{value}")).collect();
    format!("{{{}{gap}}}", pairs.join(","))
}

/// The draft with a field that is missing or violates its limit.
pub(crate) fn write_invalid(draft: &Draft, dice: &mut Dice) -> Vec<u8> {
    let mut fields = fields(draft, dice);
    dice.shuffle(&mut fields);
    for _ in 0..dice.between(1, 2) {
        if dice.chance(35) {
            let required = ["transaction_id", "customer_id", "store_id", "amount", "timestamp"];
            let name = *dice.pick(&required);
            if dice.chance(50) {
                fields.retain(|field| field.0 != name);
            } else {
                set(&mut fields, name, "null");
            }
        } else {
            let (name, value) = dice.pick(&violations()).clone();
            set(&mut fields, name, &value);
        }
    }
    join(&fields, dice).into_bytes()
}

fn set(fields: &mut Vec<Field>, name: &str, value: &str) {
    fields.retain(|field| field.0 != name);
    fields.push((name.to_owned(), value.to_owned()));
}

fn violations() -> Vec<(&'static str, String)> {
    let long = |length: usize| format!("\"{}\"", "x".repeat(length));
    let plain = [
        ("transaction_id", r#""""#),
        ("transaction_id", "17"),
        ("customer_id", r#""a\u0007b""#),
        ("customer_id", r#""\ud800""#),
        ("store_id", "{}"),
        ("amount", r#""0.00""#),
        ("amount", "-5"),
        ("amount", "1.234"),
        ("amount", "1e12"),
        ("amount", "100.00010"),
        ("amount", "10000000000.01"),
        ("amount", "-0e5"),
        ("amount", "1e99999999999999999999"),
        ("amount", "1e-99999999999999999999"),
        ("amount", "true"),
        ("amount", r#"" 1.00""#),
        ("amount", r#""NaN""#),
        ("currency", r#""brl""#),
        ("currency", r#""BR""#),
        ("latitude", "90.1"),
        ("latitude", r#""1.0""#),
        ("latitude", "1e999"),
        ("longitude", "-180.5"),
        ("longitude", "null"),
        ("timestamp", r#""2026-02-01T02:00:18""#),
        ("timestamp", r#""2026-02-30T02:00:18Z""#),
        ("timestamp", r#""0000-12-31T23:00:00-02:00""#),
        ("timestamp", r#""9999-12-31T23:59:60Z""#),
        ("timestamp", "1769922018"),
        ("schema_version", "-1"),
        ("schema_version", r#""1""#),
        ("revision", "1.0"),
        ("revision", "4294967296"),
        ("voided", "0"),
    ];
    let mut all: Vec<(&str, String)> =
        plain.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    all.extend([
        ("transaction_id", long(101)),
        ("customer_id", long(101)),
        ("store_id", long(51)),
        ("product_id", long(51)),
        ("payment_method", long(31)),
    ]);
    all
}

/// Something that is no JSON object, and perhaps nothing at all.
pub(crate) fn write_malformed(draft: &Draft, dice: &mut Dice) -> Option<Vec<u8>> {
    let good = write(draft, dice);
    Some(match dice.below(9) {
        0 => return None,
        1 => Vec::new(),
        2 => good[..dice.below(good.len())].to_vec(),
        3 => [good.as_slice(), b"x"].concat(),
        4 => [b"[".as_slice(), &good, b"]"].concat(),
        5 => vec![0xff, 0xfe, b'{', b'}'],
        6 => b"null".to_vec(),
        7 => [br#"{"note": ""#.as_slice(), &[0xc3, 0x28], br#"","#, &good[1..]].concat(),
        _ => vec![b' '; 70_000],
    })
}
