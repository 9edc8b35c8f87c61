//! One rule of a set.

use super::{Action, Kind, Segment};
use crate::detectors::{Bound, Context, Detector, Hit, Interval, LookBack, Movement};
use serde::{Deserialize, Serialize};
use streamflow_model::{RuleId, Thousandths};

/// A rule: a detector that looks at a segment of the transactions, and what is to be done about its hits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// The id that alerts and tables show.
    pub id: RuleId,
    /// Whether it looks at all.
    pub enabled: bool,
    /// What is to be done about its hits.
    pub action: Action,
    /// The transactions that it looks at.
    pub segment: Segment,
    /// What it looks for.
    pub kind: Kind,
}

impl Rule {
    /// Its weight in the combined score.
    pub fn weight(&self) -> Thousandths {
        self.detector().weight()
    }

    fn detector(&self) -> &dyn Detector {
        self.kind.detector()
    }

    /// The hit, if the transaction is what it looks for.
    pub fn detect(&self, context: &Context<'_>) -> Option<Hit> {
        if !self.segment.contains(context) {
            return None;
        }
        let detection = self.detector().detect(context)?;
        Some(Hit { rule: self.id, score: detection.score, evidence: detection.evidence })
    }

    /// How far before a transaction it looks at single earlier ones.
    pub fn look_back(&self) -> LookBack {
        self.detector().look_back()
    }

    /// As [`Detector::leeway`].
    pub fn leeway(&self, context: &Context<'_>, score: Interval) -> Movement {
        if self.segment.contains(context) { self.detector().leeway(context, score) } else { Movement::ANY }
    }

    /// What is wrong with it, if anything: the key, its value and what is allowed.
    pub fn problem(&self) -> Option<String> {
        let weight = Bound::decimal("weight", self.weight(), 0..=1000);
        let parameters = || self.detector().bounds().into_iter().find_map(|bound| bound.problem());
        let segment = || self.segment.problem().map(|problem| format!("segment.{problem}"));
        weight.problem().or_else(parameters).or_else(segment)
    }
}
