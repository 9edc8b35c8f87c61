//! What precedes a transaction, as its detectors see it.

use super::history::{History, Other};
use super::row::Position;
use serde::Serialize;
use streamflow_dataflow::amendments::Precedents;
use streamflow_dataflow::detectors::Listing;
use streamflow_dataflow::history::Judge;
use streamflow_model::timestamp::{Rfc3339, SECOND};
use streamflow_model::{Cents, Transaction};

/// Earlier transactions that are listed one by one, at most: the latest.
const MOST_LISTED: usize = 100;

/// What the detectors see beside the transaction itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContextValues {
    /// Earlier transactions in the transaction's currency, their mean and their sum.
    pub count: u64,
    pub mean_amount: Option<String>,
    pub total_amount: String,
    /// Earlier transactions in any currency, and the mean and the standard deviation of their minutes of the
    /// local day.
    pub minute_count: u64,
    pub mean_minute: Option<f64>,
    pub minute_deviation: Option<f64>,
    /// How far back any rule looks at single transactions.
    pub window_seconds: i64,
    pub in_window: usize,
    /// The latest of them, the oldest first.
    pub recent: Vec<Earlier>,
    /// The latest earlier transaction with a place, however old.
    pub last_place: Option<EarlierPlace>,
    /// The entry of the blacklist in force, the customer's or else the store's.
    pub listing: Option<ListedAs>,
}

/// An earlier transaction with the event of its version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Earlier {
    pub transaction_id: String,
    pub transaction_at: String,
    pub amount: String,
    pub currency: String,
    #[serde(flatten)]
    pub position: Position,
}

/// An earlier transaction with a place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EarlierPlace {
    #[serde(flatten)]
    pub earlier: Earlier,
    pub latitude: f64,
    pub longitude: f64,
    pub seconds_before: i64,
    /// From there to the transaction's place, if it has one.
    pub km: Option<f64>,
}

/// An entry of the blacklist.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedAs {
    pub entity: &'static str,
    pub id: String,
    pub reason: Option<String>,
    pub valid_from: Option<String>,
    pub expires_at: Option<String>,
}

impl ContextValues {
    /// Of a transaction in its history.
    pub fn new(transaction: &Transaction, history: &History, precedents: &Precedents, judge: &Judge) -> Self {
        let Precedents { sums, minutes, .. } = precedents;
        let window = judge.rules(transaction.event_time).look_back().farthest();
        let recent = history.recent(transaction, window);
        let listed = &recent[recent.len().saturating_sub(MOST_LISTED)..];
        let count = minutes.count as f64;
        let variance = (minutes.count > 1).then(|| minutes.spread() as f64 / (count * (count - 1.0)));
        Self {
            count: sums.count,
            mean_amount: (sums.count > 0).then(|| hundredths(Cents::mean(sums.cents, sums.count))),
            total_amount: hundredths(sums.cents),
            minute_count: minutes.count,
            mean_minute: (minutes.count > 0).then(|| rounded(minutes.minutes as f64 / count, 100.0)),
            minute_deviation: variance.map(|variance| rounded(variance.sqrt(), 100.0)),
            window_seconds: window / SECOND,
            in_window: recent.len(),
            recent: listed.iter().map(Earlier::from).collect(),
            last_place: last_place(transaction, history, precedents),
            listing: judge.listing(transaction).map(ListedAs::from),
        }
    }
}

fn hundredths(cents: i128) -> String {
    streamflow_model::money::Decimals::<2>(cents).to_string()
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

fn last_place(transaction: &Transaction, history: &History, precedents: &Precedents) -> Option<EarlierPlace> {
    let last = precedents.last_place.as_ref()?;
    let km = transaction.place.map(|place| rounded(last.place.distance_km(place), 1000.0));
    Some(EarlierPlace {
        earlier: history.other(&last.id)?.into(),
        latitude: last.place.latitude_degrees(),
        longitude: last.place.longitude_degrees(),
        seconds_before: (transaction.event_time - last.event_time) / SECOND,
        km,
    })
}

impl From<&Other> for Earlier {
    fn from(other: &Other) -> Self {
        Self {
            transaction_id: other.id.to_string(),
            transaction_at: Rfc3339(other.event_time).to_string(),
            amount: Cents(other.cents).to_string(),
            currency: other.currency.as_str().to_owned(),
            position: other.position.clone(),
        }
    }
}

impl From<Listing<'_>> for ListedAs {
    fn from(Listing { entity, entry }: Listing<'_>) -> Self {
        let shown = |at: Option<i64>| at.map(|at| Rfc3339(at).to_string());
        Self {
            entity: entity.kind(),
            id: entity.id().to_string(),
            reason: entry.reason.clone(),
            valid_from: shown(entry.valid_from),
            expires_at: shown(entry.expires_at),
        }
    }
}
