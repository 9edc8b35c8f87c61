//! `gold.rule_performance`: how often did each rule trigger on each day, and what came of it? Of shadow sets only
//! what they would alert is known.
//!
//! ```sql
//! SELECT rule_set, rule, date_key, count(*), sum(is_fraud::int), sum((is_fraud AND rules = 1)::int), avg(score)
//! FROM hits GROUP BY 1, 2, 3
//! ```

use super::sales::day_end;
use super::{Facts, View};
use crate::abelian;
use crate::operators::sums::Key;
use crate::rules::SetName;
use crate::score::{ShownHit, ShownVerdict};
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::RuleId;

/// The view.
pub struct RulePerformance;

/// A local day of a rule in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleDay {
    /// The day, days since 1970-01-01.
    pub day: i32,
    /// The set of the rule.
    pub set: SetName,
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
            let ShownVerdict { hits, shadows, .. } = &fact.scored.verdict;
            let live = of_set(fact.day, SetName::Live, hits, fact.alerts());
            live.chain(shadows.iter().flat_map(|shadow| of_set(fact.day, shadow.set, &shadow.hits, 1)))
                .collect::<Vec<_>>()
        })
    }
}

/// What the hits of a set on one transaction add, of which that many are alerted.
fn of_set(day: i32, set: SetName, hits: &[ShownHit], alerts: i64) -> impl Iterator<Item = (RuleDay, Hits)> {
    let alone = if hits.len() == 1 { alerts } else { 0 };
    hits.iter().map(move |hit| {
        let score_thousandths = i64::from(hit.score.thousandths());
        (RuleDay { day, set, rule: hit.rule }, Hits { hits: 1, alerts, alone, score_thousandths })
    })
}
