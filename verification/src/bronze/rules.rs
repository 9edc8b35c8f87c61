//! The rules in the oracle's terms.

use streamflow_dataflow::rules::{Combination, Kind, Rule, RuleSet, Segment};
use streamflow_oracle::{Detector, WrittenRule};

/// The same rules for the oracle.
pub(super) fn for_oracle(rules: &RuleSet) -> streamflow_oracle::RuleSet {
    streamflow_oracle::RuleSet {
        alert_threshold: rules.alert_threshold.0,
        noisy_or: rules.combination == Combination::NoisyOr,
        rules: rules.enabled().map(rule).collect(),
    }
}

fn rule(rule: &Rule) -> streamflow_oracle::Rule {
    streamflow_oracle::Rule {
        id: rule.id.to_string(),
        weight: rule.weight().0,
        segment: segment(&rule.segment),
        detector: detector(&rule.kind),
    }
}

fn segment(segment: &Segment) -> streamflow_oracle::Segment {
    streamflow_oracle::Segment {
        payment_methods: segment.payment_methods.iter().map(ToString::to_string).collect(),
        stores: segment.stores.iter().map(ToString::to_string).collect(),
        currencies: segment.currencies.iter().map(ToString::to_string).collect(),
        amount_from: segment.amount_from.map(|from| from.0),
        amount_below: segment.amount_below.map(|below| below.0),
    }
}

/// Thousandths of a kilometre are metres.
fn detector(kind: &Kind) -> Detector {
    match kind {
        Kind::HighValue(kind) => {
            Detector::HighValue { minimum_history: kind.minimum_history, multiple: kind.multiple.0 }
        }
        Kind::Velocity(kind) => Detector::Velocity { limit: kind.limit, window_seconds: kind.window_seconds },
        Kind::ImpossibleTravel(kind) => Detector::ImpossibleTravel {
            distance: kind.distance_km.0,
            within_seconds: kind.within_seconds,
            full_score: kind.full_score_km.0,
        },
        Kind::UnusualHour(kind) => {
            Detector::UnusualHour { minimum_history: kind.minimum_history, deviations: kind.deviations.0 }
        }
        Kind::Blacklist(_) => Detector::Blacklist,
        Kind::Expression(rule) => Detector::Written(WrittenRule {
            when: rule.written().when.clone(),
            score: rule.written().score.clone(),
            reason: rule.written().reason.clone(),
            names: rule.names(),
            reason_names: rule.reason_names(),
        }),
        Kind::CardTesting(kind) => Detector::CardTesting {
            small_amount: kind.small_amount.0,
            minimum_count: kind.minimum_count,
            window_seconds: kind.window_seconds,
            multiple: kind.multiple.0,
        },
    }
}
