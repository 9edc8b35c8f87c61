//! The properties, over many seeded cases. `STREAMFLOW_CASES` sets their number, `STREAMFLOW_SEED` the first
//! seed.

use crate::case::Case;
use crate::compare::{alert_log, differences};
use crate::cut::{change_at_restart, cut};
use crate::dice::Dice;
use crate::generator::{self, Scope};
use crate::run::{run, run_resumed};
use crate::shrink::shrink;
use crate::tables::coordinates;
use std::collections::BTreeSet;
use std::time::Duration;
use streamflow_dataflow::changes::ViewChange;
use streamflow_model::BooksEntry;
use streamflow_oracle::Coordinates;

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
    seeds(cases).for_each(|seed| check_case(workers, &generator::case(seed, scope)));
}

fn check_case(workers: usize, case: &Case) {
    let found = findings(case, workers);
    if !found.is_empty() {
        let limit = Duration::from_secs(setting("STREAMFLOW_SHRINK_SECONDS", 20));
        let small = shrink(case, limit, |case| !findings(case, workers).is_empty());
        let findings = findings(&small, workers).join("\n");
        panic!("{workers} workers\n{small}\n{findings}\nat first:\n{}", found.join("\n"));
    }
}

const EVERYTHING: Scope = Scope { rule_breakers: true, controls: true, wrong_clocks: true };

#[test]
fn every_view_equals_the_recomputation_on_one_worker() {
    check(1, EVERYTHING, 250);
}

#[test]
fn every_view_equals_the_recomputation_on_two_workers() {
    check(2, EVERYTHING, 250);
}

#[test]
fn every_view_equals_the_recomputation_on_three_workers() {
    check(3, EVERYTHING, 250);
}

/// A graph that resumes from the tables equals one that never stopped, on any number of workers.
#[test]
fn every_view_equals_the_recomputation_after_a_restart() {
    let (mut cases, mut restarted) = (0, 0);
    for seed in seeds(400) {
        let mut case = generator::case(seed, EVERYTHING);
        let mut dice = Dice::new(seed);
        let cut = dice.between(1, case.last_epoch() as i64) as u64;
        let workers = [1 + dice.below(3), 1 + dice.below(3)];
        if dice.chance(60) {
            change_at_restart(&mut case, cut, &mut dice);
        }
        let findings = |case: &Case| match run_resumed(case, cut, workers) {
            Ok(Some(observed)) => differences(case, observed),
            Ok(None) => Vec::new(),
            Err(panic) => vec![panic],
        };
        cases += 1;
        restarted += u32::from(run_resumed(&case, cut, workers).is_ok_and(|observed| observed.is_some()));
        let found = findings(&case);
        if !found.is_empty() {
            let limit = Duration::from_secs(setting("STREAMFLOW_SHRINK_SECONDS", 20));
            let small = shrink(&case, limit, |case| !findings(case).is_empty());
            let small_found = findings(&small).join("\n");
            panic!(
                "cut at {cut}, {workers:?} workers\n{small}\n{small_found}\nat first:\n{}",
                found.join("\n")
            );
        }
    }
    assert!(restarted * 4 >= cases * 3, "only {restarted} of {cases} cases restart");
}

/// One customer with many transactions, of which many are late, corrected or voided.
#[test]
fn every_view_equals_the_recomputation_of_a_hot_customer() {
    seeds(24).for_each(|seed| check_case(1, &generator::hot_case(seed, EVERYTHING)));
}

/// The length of blocks does not show in any change of any alert: with blocks that no history fills, whatever
/// lies behind a change is evaluated one by one.
#[test]
fn alert_changes_do_not_depend_on_blocks() {
    for seed in seeds(24) {
        let mut case = generator::hot_case(seed, EVERYTHING);
        case.history_block = usize::MAX;
        let log = alert_log(&run(&case, 1).unwrap());
        for length in [2, 7, 32] {
            case.history_block = length;
            assert_eq!(log, alert_log(&run(&case, 1).unwrap()), "in blocks of {length}\n{case}");
        }
    }
}

/// Where producers keep their rule and no event waits for an answer, neither the cut of epochs nor the number of
/// workers shows in the changes of any alert.
#[test]
fn alert_changes_do_not_depend_on_cuts_and_workers() {
    let scope = Scope { rule_breakers: false, controls: false, wrong_clocks: false };
    for seed in seeds(60) {
        let case = without_waiting(if seed % 4 == 0 {
            generator::hot_case(seed, scope)
        } else {
            generator::case(seed, scope)
        });
        let log = alert_log(&run(&case, 1).unwrap());
        for workers in 1..=3 {
            let mut recut = case.clone();
            cut(&mut recut, &mut Dice::new(seed * 31 + workers as u64));
            let other = alert_log(&run(&recut, workers).unwrap());
            assert_eq!(log, other, "{workers} workers\n{case}\ncut anew:\n{recut}");
        }
    }
}

/// The case without the events that wait for an answer: when it comes is left open, and so is what is said of an
/// alert in the meantime.
fn without_waiting(mut case: Case) -> Case {
    loop {
        let observed = run(&case, 1).unwrap();
        let waiting: BTreeSet<Coordinates> = observed.changes.into_iter().filter_map(waits).collect();
        if waiting.is_empty() {
            return case;
        }
        case.events.retain(|event| !waiting.contains(&event.coordinates()));
    }
}

fn waits((_, change): (u64, ViewChange)) -> Option<Coordinates> {
    match change {
        ViewChange::Pending((source, Some(_))) => Some(coordinates(source)),
        _ => None,
    }
}

/// The cases cover everything that the other tests are about.
#[test]
fn the_cases_hold_all_that_can_happen() {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for seed in 1..=60 {
        let case = generator::case(seed, EVERYTHING);
        let observed = run(&case, 1).unwrap();
        let last = case.last_epoch();
        if observed.settled.iter().any(|(epoch, _)| *epoch < last) {
            seen.insert("settled before the end".to_owned());
        }
        for (_, change) in observed.changes {
            match change {
                ViewChange::AlertChange(change) => {
                    seen.extend([change.kind.as_str(), change.cause.as_str()].map(str::to_owned));
                    seen.extend(change.alert.rules().map(|rule| rule.to_string()));
                }
                ViewChange::Books((BooksEntry::Ended { account, .. }, _)) => {
                    seen.insert(account.as_str().to_owned());
                }
                ViewChange::Quality((key, _)) => {
                    seen.insert(format!("{:?}", key.measure));
                }
                _ => {}
            }
        }
    }
    let expected = "settled before the end,raised,revised,withdrawn,transaction,late_event,correction,void,list_change,\
        rule_change,FR-001,FR-002,FR-003,FR-004,FR-005,FR-006,new,correcting,voiding,duplicate,superseded,reference,\
        malformed_json,missing_field,invalid_field,too_large,future_timestamp,too_late,conflicting_identity,pending,\
        Read,Accepted,NoPlace,NoProduct,NoPaymentMethod,NewerSchema,InvalidAmount,Late,Duplicate";
    let missing: Vec<&str> = expected.split(',').filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} in {seen:?}");
}
