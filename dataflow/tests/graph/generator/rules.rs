//! Sets of rules that are likely to raise alerts and to meet their limits exactly.

use crate::dice::Dice;
use streamflow_oracle::{Detector, Rule, RuleSet, Rules, Segment, WrittenRule};

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
    for id in ["written", "x-1"] {
        if dice.chance(40) {
            let detector = Detector::Written(written(dice));
            let weight = *dice.pick(&[250, 1000]);
            set.rules.push(Rule { id: id.to_owned(), weight, segment: segment(dice), detector });
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

/// Over every name that expressions know, in ways that meet limits exactly.
fn written(dice: &mut Dice) -> WrittenRule {
    let (window, shown) = *dice.pick(&[("1m", "1m"), ("10m", "10m"), ("900s", "15m"), ("1h", "1h")]);
    let limit = dice.between(0, 4);
    let of = |function: &str, window: &str| format!("{function}(\"{window}\")");
    let [count, amount, travel] = ["count_within", "amount_within", "travel_km"].map(|name| of(name, window));
    let read = |function: &str| of(function, shown);
    let clauses = [
        (format!("{count} >= {limit}"), vec![read("count_within")]),
        (
            format!("{amount} > {limit}00 || amount == 100.00"),
            vec![read("amount_within"), "amount".to_owned()],
        ),
        (format!("{travel} >= {limit}00"), vec![read("travel_km")]),
        (
            "customer.count >= 1 && amount >= 2 * customer.mean_amount".to_owned(),
            names(&["customer.count", "customer.mean_amount", "amount"]),
        ),
        ("hour.z_squared > 1 || hour.count == 3".to_owned(), names(&["hour.z_squared", "hour.count"])),
        (
            "minute_of_day > hour.mean && customer.total_amount > 0".to_owned(),
            names(&["minute_of_day", "hour.mean", "customer.total_amount"]),
        ),
        (
            "payment_method == 'pix' || store in ['s-0', 's-1'] && !listed".to_owned(),
            names(&["payment_method", "store", "listed"]),
        ),
        ("currency != 'BRL' || listed".to_owned(), names(&["currency", "listed"])),
    ];
    let (when, mut read) = dice.pick(&clauses[..]).clone();
    let scores: [(&str, &[&str]); 4] = [
        ("0.7", &[]),
        ("amount / 1000", &["amount"]),
        ("amount / (3 * customer.mean_amount) - 0.5", &["amount", "customer.mean_amount"]),
        ("(customer.count - 1) / 3", &["customer.count"]),
    ];
    let (score, of_score) = *dice.pick(&scores);
    read.extend(names(of_score));
    read.sort();
    read.dedup();
    let reasons: [(&str, &[&str]); 3] = [
        ("", &[]),
        ("paid {amount} {{of}} {customer.mean_amount}", &["amount", "customer.mean_amount"]),
        ("{1 / 3}", &[]),
    ];
    let (reason, reason_names) = *dice.pick(&reasons);
    WrittenRule {
        when,
        score: score.to_owned(),
        reason: reason.to_owned(),
        names: read,
        reason_names: names(reason_names),
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
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
