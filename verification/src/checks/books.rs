//! Checks that the books balance and agree with Kafka's offsets and with the rows of PostgreSQL.

use super::brokers::Ranges;
use super::offsets::Committed;
use super::report::{Cases, Check, Outcome};
use crate::error::VerificationError;
use crate::refused::REFUSED;
use crate::snapshot::Snapshot;
use std::collections::BTreeMap;
use streamflow_model::Account;

/// Events by account.
type Accounts = BTreeMap<String, i64>;

const READ: &str = "read";
const REFERENCE: &str = "reference";

/// What messages call all accounts of accepted events together.
const ACCEPTED: &str = "accepted";

/// A topic and its books.
pub struct Topic<'a> {
    pub name: &'a str,
    pub accounts: &'a Accounts,
    /// The offset to read next, by partition.
    pub committed: &'a Committed,
    /// Kafka's offsets before the snapshot; `None` if Kafka did not answer.
    pub before: Option<&'a Ranges>,
    /// The number of offsets read that are known to hold no event; `None` if it is not known.
    pub empty: Option<u64>,
}

/// The findings of a comparison.
#[derive(Default)]
struct Findings {
    /// Differences that are errors.
    cases: Cases,
    /// Comparisons that cannot be decided.
    doubts: Vec<String>,
    /// Comparisons limited by Kafka's retention or by maintenance.
    notes: Vec<&'static str>,
}

/// Row counts of the tables.
pub struct Rows {
    /// Rows of `bronze.raw_transactions` by topic.
    received: BTreeMap<String, i64>,
    /// Rows of `bronze.dead_letters` by topic and reason, with those that maintenance has removed.
    refused: BTreeMap<String, Accounts>,
    /// Whether maintenance has removed older rows of `bronze.raw_transactions`.
    is_old: bool,
}

impl Rows {
    /// Counts the rows.
    pub fn count(snapshot: &mut Snapshot<'_>) -> Result<Self, VerificationError> {
        let sql = "SELECT source_topic, count(*) FROM bronze.raw_transactions GROUP BY 1";
        let received = snapshot.rows(sql, &[], |row| Ok((row.try_get(0)?, row.try_get(1)?)))?;
        let mut refused: BTreeMap<String, Accounts> = BTreeMap::new();
        snapshot.for_each(REFUSED, &[], |row| {
            refused.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?, row.try_get(2)?);
            Ok(())
        })?;
        let sql = "SELECT streamflow.kept_from('bronze.raw_transactions') > '-infinity'";
        Ok(Self { received, refused, is_old: snapshot.row(sql, &[])?.try_get(0)? })
    }
}

pub fn check(topic: &Topic<'_>, rows: &Rows) -> Check {
    let mut findings = Findings::default();
    let read = topic.accounts.get(READ).copied().unwrap_or(0);
    let ended: i64 = of(topic.accounts, |account| account != READ);
    if read != ended {
        findings.cases.add(|| format!("read {read}, but {ended} ended in an account"));
    }
    compare_offsets(topic, read, &mut findings);
    compare_rows(topic, rows, &mut findings);
    let Findings { cases, doubts, notes } = findings;
    let accounts = topic.accounts.len().saturating_sub(1);
    let found = std::iter::once(format!("{read} events in {accounts} accounts"));
    let found = found.chain(notes.into_iter().map(str::to_owned)).collect::<Vec<_>>().join("; ");
    let outcome = if cases.count > 0 {
        let advice = "keep the database and report it: runbook, \"Do the books balance?\"";
        Outcome::fail("the books do not agree", advice).with_details(cases.sample)
    } else if doubts.is_empty() {
        Outcome::pass(found)
    } else {
        let advice = "nothing to do where that is expected: it cannot be decided";
        Outcome::warn(found, advice).with_details(doubts)
    };
    outcome.of(format!("books of {}", topic.name))
}

/// Compares the number of events with the number of offsets, if Kafka still has the topic from its first
/// offset on.
fn compare_offsets(topic: &Topic<'_>, read: i64, findings: &mut Findings) {
    let Some(before) = topic.before else { return };
    let passed = i64::try_from(topic.committed.values().sum::<u64>()).unwrap_or(i64::MAX);
    let empty = topic.empty.map(|empty| i64::try_from(empty).unwrap_or(i64::MAX));
    let is_whole = before.values().all(|range| range.earliest == 0);
    if read > passed {
        findings.cases.add(|| format!("{read} events read at {passed} offsets"));
    } else if read == passed {
    } else if !is_whole {
        findings.notes.push("Kafka no longer has the first offsets to compare with");
    } else if let Some(empty) = empty {
        if read != passed - empty {
            findings.cases.add(|| format!("{read} events read at {passed} offsets, {empty} of them empty"));
        }
    } else {
        let reason = "compaction, aborted records, markers of transactions, or events lost";
        findings.doubts.push(format!("{read} events read at {passed} offsets: {reason}"));
    }
}

/// Compares the number of rows with the number of events, if maintenance has removed none.
fn compare_rows(topic: &Topic<'_>, rows: &Rows, findings: &mut Findings) {
    let accepted = of(topic.accounts, Account::names_transactions);
    let received = rows.received.get(topic.name).copied().unwrap_or(0);
    let mut pairs = vec![(ACCEPTED.to_owned(), accepted, received)];
    let none = Accounts::new();
    let refused = rows.refused.get(topic.name).unwrap_or(&none);
    let reasons = topic.accounts.keys().chain(refused.keys()).filter(|account| is_reason(account));
    let mut reasons: Vec<&String> = reasons.collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let of_reason = |accounts: &Accounts| accounts.get(reason).copied().unwrap_or(0);
        pairs.push((reason.clone(), of_reason(topic.accounts), of_reason(refused)));
    }
    let mut is_dropped = false;
    for (account, events, held) in pairs.into_iter().filter(|(_, events, held)| events != held) {
        if held < events && rows.is_old && account == ACCEPTED {
            is_dropped = true;
        } else {
            findings.cases.add(|| format!("{account}: {events} events, {held} rows"));
        }
    }
    if is_dropped {
        findings.notes.push("fewer rows: maintenance has dropped old days");
    }
}

fn is_reason(account: &str) -> bool {
    let others = [READ, REFERENCE, Account::Pending.as_str(), Account::Skipped.as_str()];
    !others.contains(&account) && !Account::names_transactions(account)
}

fn of(accounts: &Accounts, which: impl Fn(&str) -> bool) -> i64 {
    accounts.iter().filter(|(account, _)| which(account)).map(|(_, events)| events).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::report::Grade;
    use streamflow_connectors::kafka::OffsetRange;

    fn grade(accounts: &[(&str, i64)], next: u64, empty: Option<u64>, rows: &Rows) -> Grade {
        let accounts = accounts.iter().map(|(account, events)| ((*account).to_owned(), *events)).collect();
        let committed = Committed::from([(0, next)]);
        let before = Ranges::from([(0, OffsetRange { earliest: 0, latest: next })]);
        let topic =
            Topic { name: "t", accounts: &accounts, committed: &committed, before: Some(&before), empty };
        check(&topic, rows).outcome.grade
    }

    fn rows(received: i64, too_late: i64, is_old: bool) -> Rows {
        let refused = Accounts::from([("too_late".to_owned(), too_late)]);
        Rows {
            received: BTreeMap::from([("t".to_owned(), received)]),
            refused: BTreeMap::from([("t".to_owned(), refused)]),
            is_old,
        }
    }

    #[test]
    fn events_are_as_many_as_offsets() {
        let (books, rows) = ([("read", 10), ("new", 9), ("too_late", 1)], rows(9, 1, false));
        assert_eq!(grade(&books, 10, Some(0), &rows), Grade::Pass);
        assert_eq!(grade(&books, 12, Some(2), &rows), Grade::Pass, "two markers");
        assert_eq!(grade(&books, 12, None, &rows), Grade::Warn, "who knows");
        assert_eq!(grade(&books, 12, Some(1), &rows), Grade::Fail, "one event is not in the books");
        assert_eq!(grade(&books, 9, None, &rows), Grade::Fail, "more events than offsets");
        let torn = [("read", 11), ("new", 9), ("too_late", 1)];
        assert_eq!(grade(&torn, 11, Some(0), &rows), Grade::Fail, "they do not balance");
    }

    #[test]
    fn events_are_as_many_as_rows() {
        let books = [("read", 10), ("new", 7), ("duplicate", 2), ("too_late", 1)];
        let grade = |rows| grade(&books, 10, Some(0), &rows);
        assert_eq!(grade(rows(9, 1, false)), Grade::Pass);
        assert_eq!(grade(rows(8, 1, false)), Grade::Fail, "a row is missing");
        assert_eq!(grade(rows(8, 1, true)), Grade::Pass, "a day was dropped");
        assert_eq!(grade(rows(10, 1, true)), Grade::Fail, "a row too many");
        assert_eq!(grade(rows(9, 2, false)), Grade::Fail, "a dead letter too many");
        assert_eq!(grade(rows(8, 0, true)), Grade::Fail, "dead letters that go are counted");
    }
}
