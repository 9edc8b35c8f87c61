//! The properties, over many seeded cases. `STREAMFLOW_CASES` sets their number, `STREAMFLOW_SEED` the first seed.

use crate::case::Case;
use crate::compare::{alert_log, differences};
use crate::cut::cut;
use crate::dice::Dice;
use crate::generator::{self, Scope};
use crate::run::run;
use crate::shrink::shrink;
use std::time::Duration;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seeds(default: u64) -> impl Iterator<Item = u64> {
    let first = setting("STREAMFLOW_SEED", 1);
    (first..).take(setting("STREAMFLOW_CASES", default) as usize)
}

fn findings(case: &Case, workers: usize) -> Vec<String> {
    run(case, workers).map_or_else(|panic| vec![panic], |observed| differences(case, observed))
}

fn check(workers: usize, scope: Scope, cases: u64) {
    for seed in seeds(cases) {
        let case = generator::case(seed, scope);
        let found = findings(&case, workers);
        if !found.is_empty() {
            let limit = Duration::from_secs(setting("STREAMFLOW_SHRINK_SECONDS", 20));
            let small = shrink(&case, limit, |case| !findings(case, workers).is_empty());
            let findings = findings(&small, workers).join("\n");
            panic!("{workers} workers, {scope:?}\n{small}\n{findings}\nat first:\n{}", found.join("\n"));
        }
    }
}

const EVERYTHING: Scope = Scope { rule_breakers: true, controls: true };
const BY_THE_RULE: Scope = Scope { rule_breakers: false, controls: true };

#[test]
fn every_view_equals_the_recomputation_on_one_worker() {
    check(1, EVERYTHING, 400);
}

#[test]
fn every_view_equals_the_recomputation_on_two_workers() {
    check(2, EVERYTHING, 400);
}

#[test]
fn every_view_equals_the_recomputation_on_three_workers() {
    check(3, BY_THE_RULE, 400);
}

/// Where producers keep their rule, neither the cut of epochs nor the number of workers shows in the changes of any alert.
#[test]
fn alert_changes_do_not_depend_on_cuts_and_workers() {
    let scope = Scope { rule_breakers: false, controls: false };
    for seed in seeds(150) {
        let case = generator::case(seed, scope);
        let log = alert_log(&run(&case, 1).unwrap());
        for workers in 1..=3 {
            let mut recut = case.clone();
            cut(&mut recut, &mut Dice::new(seed * 31 + workers as u64));
            let other = alert_log(&run(&recut, workers).unwrap());
            assert_eq!(log, other, "{workers} workers\n{case}\ncut anew:\n{recut}");
        }
    }
}
