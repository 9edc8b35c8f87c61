//! `gold.rule_performance`: how often did each rule trigger on each day, and what came of it?
//!
//! ```sql
//! SELECT rule, date_key, count(*), sum(is_fraud::int), sum((is_fraud AND rules = 1)::int), avg(score)
//! FROM hits GROUP BY 1, 2
//! ```

use super::sales::day_end;
use super::{Facts, View};
use crate::abelian;
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::RuleId;

/// The view.
pub struct RulePerformance;

/// A rule's local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleDay {
    /// The day, days since 1970-01-01.
    pub day: i32,
    /// The rule.
    pub rule: RuleId,
}

impl Key for RuleDay {
    fn closes_at(&self) -> Option<i64> {
        day_end(self.day)
    }
}

/// Sums over the hits of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hits {
    /// Transactions in which the rule triggered.
    pub hits: i64,
    /// Alerts in which it took part.
    pub alerts: i64,
    /// Alerts in which no other rule took part.
    pub alone: i64,
    /// Sum of its hits' scores in thousandths.
    pub score_thousandths: i64,
}
abelian!(Hits { hits, alerts, alone, score_thousandths });

impl View for RulePerformance {
    const NAME: &'static str = "rule_performance";
    type Key = RuleDay;
    type Sum = Hits;

    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, RuleDay, Hits> {
        facts.sum(Self::NAME, |fact| {
            let (day, alerts) = (fact.day, fact.alerts());
            let hits = &fact.scored.verdict.hits;
            let alone = if hits.len() == 1 { alerts } else { 0 };
            hits.iter()
                .map(move |hit| {
                    let score_thousandths = i64::from(hit.score.thousandths());
                    (RuleDay { day, rule: hit.rule }, Hits { hits: 1, alerts, alone, score_thousandths })
                })
                .collect::<Vec<_>>()
        })
    }
}
