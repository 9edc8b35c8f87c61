//! `gold.agg_daily_fraud`: how much of each day was alerted? The rule in most of the day's alerts comes from
//! `gold.rule_performance`.
//!
//! ```sql
//! SELECT date_key, count(*), sum(is_fraud::int), avg(fraud_score) FILTER (WHERE is_fraud)
//! FROM gold.fact_transactions GROUP BY 1
//! ```

use super::sales::day_end;
use super::{Facts, View};
use crate::abelian;
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};

/// The view.
pub struct AggDailyFraud;

/// A local day, days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub i32);

impl Key for Day {
    fn closes_at(&self) -> Option<i64> {
        day_end(self.0)
    }
}

/// Sums of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DailyFraud {
    /// Current transactions.
    pub transactions: i64,
    /// Those alerted.
    pub alerts: i64,
    /// Sum of the alerts' scores in thousandths.
    pub score_thousandths: i64,
}
abelian!(DailyFraud { transactions, alerts, score_thousandths });

impl View for AggDailyFraud {
    const NAME: &'static str = "agg_daily_fraud";
    type Key = Day;
    type Sum = DailyFraud;

    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, Day, DailyFraud> {
        facts.sum(Self::NAME, |fact| {
            let alerts = fact.alerts();
            let score_thousandths = alerts * i64::from(fact.scored.verdict.score.thousandths());
            [(Day(fact.day), DailyFraud { transactions: 1, alerts, score_thousandths })]
        })
    }
}
