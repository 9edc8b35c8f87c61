//! Sets of rules that are likely to raise alerts and to meet their limits exactly.

use crate::dice::Dice;
use streamflow_oracle::{Detector, Rule, RuleSet, Rules, Segment};

/// A set of rules: those of the configuration, or others of the same kinds.
pub(crate) fn random_rules(dice: &mut Dice) -> RuleSet {
    let mut set: RuleSet = configured(dice).into();
    if dice.chance(50) {
        return set;
    }
    set.noisy_or = dice.chance(60);
    set.rules.retain(|_| dice.chance(85));
    for rule in &mut set.rules {
        if dice.chance(30) {
            rule.segment = segment(dice);
        }
    }
    for id in ["VEL-2", "a.second_one", "0"] {
        if dice.chance(40) {
            let detector = one_more(dice);
            let weight = *dice.pick(&[0, 250, 1000]);
            set.rules.push(Rule { id: id.to_owned(), weight, segment: segment(dice), detector });
        }
    }
    set
}

fn configured(dice: &mut Dice) -> Rules {
    Rules {
        alert_threshold: *dice.pick(&[100, 500, 700, 1000]),
        high_value_weight: *dice.pick(&[0, 300, 500]),
        high_value_minimum_history: *dice.pick(&[1, 2, 5]),
        high_value_multiple: *dice.pick(&[1000, 1500, 3000]),
        velocity_limit: *dice.pick(&[1, 2, 3, 5]),
        velocity_window_seconds: window(dice),
        travel_distance: *dice.pick(&[0, 100_000, 500_000]),
        travel_within_seconds: *dice.pick(&[60, 3600, 86_400]),
        hour_minimum_history: *dice.pick(&[2, 3, 5]),
        hour_deviations: *dice.pick(&[500, 1000, 2000]),
        card_testing_enabled: dice.chance(60),
        card_testing_weight: *dice.pick(&[0, 250, 500]),
        card_testing_small_amount: *dice.pick(&[40_000, 50_000, 100_001]),
        card_testing_minimum_count: *dice.pick(&[1, 2, 3]),
        card_testing_window_seconds: window(dice),
        card_testing_multiple: *dice.pick(&[1000, 1500, 3000]),
        ..Rules::default()
    }
}

fn window(dice: &mut Dice) -> u32 {
    *dice.pick(&[1, 60, 600, 900, 3600])
}

/// Not of an unusual hour: the oracle's scores have one square root at most.
fn one_more(dice: &mut Dice) -> Detector {
    match dice.below(3) {
        0 => Detector::Velocity { limit: *dice.pick(&[1, 2]), window_seconds: window(dice) },
        1 => {
            Detector::HighValue { minimum_history: *dice.pick(&[1, 3]), multiple: *dice.pick(&[1000, 2000]) }
        }
        _ => Detector::Blacklist,
    }
}

fn segment(dice: &mut Dice) -> Segment {
    let amounts = [None, Some(10_000), Some(30_000)];
    let of_some = |dice: &mut Dice, values: &[&str]| match dice.chance(40) {
        true => vec![(*dice.pick(values)).to_owned()],
        false => Vec::new(),
    };
    let amount_from = *dice.pick(&amounts);
    let amount_below = (*dice.pick(&amounts)).filter(|below| amount_from.is_none_or(|from| from < *below));
    Segment {
        payment_methods: of_some(dice, &["pix", "boleto"]),
        stores: of_some(dice, &["s-0", "s-1"]),
        currencies: of_some(dice, &["BRL", "USD"]),
        amount_from,
        amount_below,
    }
}
