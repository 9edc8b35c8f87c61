//! Making a failing case small.

use crate::case::{Case, SentTime};
use std::time::{Duration, Instant};

/// The case with as many inputs left out as can be while it still fails, within `limit`.
pub(crate) fn shrink(case: &Case, limit: Duration, fails: impl Fn(&Case) -> bool) -> Case {
    let deadline = Instant::now() + limit;
    let mut small = case.clone();
    let mut size = small.events.len() / 2;
    while size > 0 && Instant::now() < deadline {
        let mut from = 0;
        let before = small.events.len();
        while from < small.events.len() && Instant::now() < deadline {
            let mut fewer = small.clone();
            fewer.events.drain(from..(from + size).min(fewer.events.len()));
            if fails(&fewer) {
                small = fewer;
            } else {
                from += size;
            }
        }
        if small.events.len() == before || size > 1 {
            size /= 2;
        }
    }
    drop_one_by_one(&mut small, deadline, |case| &mut case.rules_versions, |_| true, &fails);
    // Announcements and ends belong to the contract.
    let clock = |sent: &SentTime| !matches!(sent.time, i64::MIN | i64::MAX);
    drop_one_by_one(&mut small, deadline, |case| &mut case.partition_times, clock, &fails);
    small
}

fn drop_one_by_one<T>(
    small: &mut Case,
    deadline: Instant,
    inputs: impl Fn(&mut Case) -> &mut Vec<T>,
    may_go: impl Fn(&T) -> bool,
    fails: impl Fn(&Case) -> bool,
) {
    let mut index = inputs(small).len();
    while index > 0 && Instant::now() < deadline {
        index -= 1;
        let mut fewer = small.clone();
        let dropped = inputs(&mut fewer).remove(index);
        if may_go(&dropped) && fails(&fewer) {
            *small = fewer;
        }
    }
}
