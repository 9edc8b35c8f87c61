//! The rules in the oracle's terms.

use streamflow_dataflow::detectors::Rules;
use streamflow_dataflow::detectors::blacklist::Blacklist;
use streamflow_dataflow::detectors::card_testing::CardTesting;
use streamflow_dataflow::detectors::high_value::HighValue;
use streamflow_dataflow::detectors::impossible_travel::ImpossibleTravel;
use streamflow_dataflow::detectors::unusual_hour::UnusualHour;
use streamflow_dataflow::detectors::velocity::Velocity;

/// The same parameters for the oracle.
pub(super) fn for_oracle(rules: &Rules) -> streamflow_oracle::Rules {
    let Rules {
        alert_threshold,
        high_value,
        velocity,
        impossible_travel,
        unusual_hour,
        blacklist,
        card_testing,
    } = rules;
    let HighValue { weight: high_value_weight, minimum_history: high_value_history, multiple } = high_value;
    let Velocity { weight: velocity_weight, limit, window_seconds } = velocity;
    let ImpossibleTravel { weight: travel_weight, distance_km, within_seconds, full_score_km } =
        impossible_travel;
    let UnusualHour { weight: hour_weight, minimum_history: hour_history, deviations } = unusual_hour;
    let Blacklist { weight: blacklist_weight } = blacklist;
    let CardTesting {
        enabled,
        weight: card_weight,
        small_amount,
        minimum_count,
        window_seconds: card_window,
        multiple: card_multiple,
    } = card_testing;
    streamflow_oracle::Rules {
        alert_threshold: alert_threshold.0,
        high_value_weight: high_value_weight.0,
        high_value_minimum_history: *high_value_history,
        high_value_multiple: multiple.0,
        velocity_weight: velocity_weight.0,
        velocity_limit: *limit,
        velocity_window_seconds: *window_seconds,
        travel_weight: travel_weight.0,
        // Thousandths of a kilometre are metres.
        travel_distance: distance_km.0,
        travel_within_seconds: *within_seconds,
        travel_full_score: full_score_km.0,
        hour_weight: hour_weight.0,
        hour_minimum_history: *hour_history,
        hour_deviations: deviations.0,
        blacklist_weight: blacklist_weight.0,
        card_testing_enabled: *enabled,
        card_testing_weight: card_weight.0,
        card_testing_small_amount: small_amount.0,
        card_testing_minimum_count: *minimum_count,
        card_testing_window_seconds: *card_window,
        card_testing_multiple: card_multiple.0,
    }
}
