//! Compares the committed offsets with Kafka's, and each event that Kafka still has with the rows of bronze.

use super::brokers::{Brokers, Ranges};
use super::report::{Cases, Check, Outcome};
use crate::error::VerificationError;
use crate::snapshot::Snapshot;
use std::collections::BTreeMap;
use streamflow_connectors::kafka::OffsetRange;

/// Offset to read next, by partition.
pub type Committed = BTreeMap<u16, u64>;

const RUNBOOK: &str = "runbook, \"Offsets that Kafka no longer has\"";

/// Checks that each committed offset is between Kafka's first and last. The first was read before the
/// snapshot and the last after it, so a running pipeline causes no false differences.
pub fn within(topic: &str, committed: &Committed, before: &Ranges, after: &Ranges) -> Check {
    let (mut unread, mut cases) = (0, Cases::default());
    for (partition, next) in committed {
        let (Some(first), Some(last)) = (before.get(partition), after.get(partition)) else {
            cases.add(|| format!("partition {partition} is gone; {next} was to be read next"));
            continue;
        };
        if *next < first.earliest {
            let lost = first.earliest - next;
            cases.add(|| {
                format!("partition {partition}: {lost} events from {next} on are deleted and were not read")
            });
        } else if *next > last.latest {
            cases.add(|| {
                format!("partition {partition} ends at {}, before {next}: created anew?", last.latest)
            });
        } else {
            unread += last.latest - next;
        }
    }
    let outcome = if cases.count > 0 {
        Outcome::fail("committed offsets that Kafka does not have", RUNBOOK).with_details(cases.sample)
    } else if committed.is_empty() {
        Outcome::pass("nothing read yet")
    } else {
        let read: u64 = committed.values().sum();
        Outcome::pass(format!("{read} offsets passed, {unread} not yet read, {} partitions", committed.len()))
    };
    outcome.of(format!("offsets of {topic}"))
}

struct Held {
    rows: i64,
    distinct: i64,
    /// Rows from the committed offset on.
    beyond: i64,
}

/// `events` of a partition: parameters topic, partition.
const EVENTS: &str = "events AS ( \
         SELECT source_offset FROM bronze.raw_transactions WHERE source_topic = $1 AND source_partition = $2 \
         UNION ALL \
         SELECT source_offset FROM bronze.dead_letters WHERE source_topic = $1 AND source_partition = $2 \
         UNION ALL \
         SELECT source_offset FROM streamflow.pending_events WHERE source_topic = $1 AND source_partition = $2)";

/// The result for one topic.
pub struct InBronze {
    pub check: Check,
    /// The number of offsets read that Kafka has and that hold no event; `None` if not all were examined.
    pub empty: Option<u64>,
}

/// Checks that every offset of a transaction topic that was read and that Kafka still has is in bronze,
/// a dead letter, or pending, once. An offset that is in none must not be one of an event, which Kafka is asked for.
pub fn in_bronze(
    snapshot: &mut Snapshot<'_>,
    brokers: &Brokers,
    topic: &str,
    committed: &Committed,
    before: &Ranges,
) -> Result<InBronze, VerificationError> {
    let (mut rows, mut empty, mut undecided, mut cases) = (0, 0, 0, Cases::default());
    let mut is_whole = true;
    for (partition, next) in committed {
        let earliest = before.get(partition).map_or(0, |range| range.earliest);
        let window =
            OffsetRange { earliest: kept_from(snapshot, topic, *partition, earliest)?, latest: *next };
        is_whole &= window.earliest == earliest;
        let held = held(snapshot, topic, *partition, window)?;
        rows += held.rows;
        if held.beyond > 0 {
            cases.add(|| {
                format!(
                    "partition {partition}: {} rows from offset {next} on, which is not read",
                    held.beyond
                )
            });
        }
        if held.rows > held.distinct {
            cases.add(|| format!("partition {partition}: {} events twice", held.rows - held.distinct));
        }
        if held.distinct == i64::try_from(window.latest.saturating_sub(window.earliest))? {
            continue;
        }
        for gap in gaps(snapshot, topic, *partition, window)? {
            match gap {
                None => undecided += 1,
                Some(gap) => match brokers.first_from(topic, *partition, gap.earliest)? {
                    Some(found) if found < gap.latest => {
                        cases.add(|| {
                            format!("partition {partition}: the event at offset {found} is in no table")
                        });
                    }
                    _ => empty += gap.latest - gap.earliest,
                },
            }
        }
    }
    let empty_if_known = (is_whole && undecided == 0 && cases.count == 0).then_some(empty);
    let check = outcome(rows, empty, undecided, cases).of(format!("events of {topic}"));
    Ok(InBronze { check, empty: empty_if_known })
}

fn outcome(rows: i64, empty: u64, undecided: u64, cases: Cases) -> Outcome {
    if cases.count > 0 {
        return Outcome::fail(
            format!("{} differences between Kafka and bronze", cases.count),
            "keep the database and the topic, and report it; to mend it: runbook, \"Rebuild\"",
        )
        .with_details(cases.sample);
    }
    let markers = match empty {
        0 => String::new(),
        empty => format!("; {empty} offsets hold none (transactions' markers, aborted or compacted records)"),
    };
    let found = format!("{rows} events of those that Kafka has are in bronze, each once{markers}");
    if undecided > 0 {
        let advice =
            "too many gaps to ask Kafka about each: it has markers of transactions, or events are missing";
        return Outcome::warn(format!("{found}; not all gaps were looked at"), advice);
    }
    Outcome::pass(found)
}

/// The offset from which bronze must be complete: Kafka's first, or bronze's first if maintenance has removed
/// days, or the one after the last dead letter that it has removed.
fn kept_from(
    snapshot: &mut Snapshot<'_>,
    topic: &str,
    partition: u16,
    earliest: u64,
) -> Result<u64, VerificationError> {
    let sql = "SELECT greatest(0, \
             (SELECT source_offset FROM bronze.raw_transactions WHERE source_topic = $1 AND source_partition = $2 \
                  AND streamflow.kept_from('bronze.raw_transactions') > '-infinity' \
              ORDER BY source_partition, source_offset LIMIT 1), \
             (SELECT max(next_offset) FROM streamflow.removed_dead_letters \
              WHERE source_topic = $1 AND source_partition = $2))";
    let row = snapshot.row(sql, &[&topic, &i32::from(partition)])?;
    Ok(earliest.max(u64::try_from(row.try_get::<_, i64>(0)?)?))
}

fn held(
    snapshot: &mut Snapshot<'_>,
    topic: &str,
    partition: u16,
    window: OffsetRange,
) -> Result<Held, VerificationError> {
    let sql = format!(
        "WITH {EVENTS} SELECT count(*) FILTER (WHERE source_offset >= $3 AND source_offset < $4), \
             count(DISTINCT source_offset) FILTER (WHERE source_offset >= $3 AND source_offset < $4), \
             count(*) FILTER (WHERE source_offset >= $4) \
         FROM events WHERE source_offset >= least($3, $4)"
    );
    let (earliest, latest) = (i64::try_from(window.earliest)?, i64::try_from(window.latest)?);
    let row = snapshot.row(&sql, &[&topic, &i32::from(partition), &earliest, &latest])?;
    Ok(Held { rows: row.try_get(0)?, distinct: row.try_get(1)?, beyond: row.try_get(2)? })
}

/// The most gaps of a partition for which Kafka is asked.
const GAPS: usize = 100;

/// The offsets that have no row and were not passed by an operator; `None` represents further ones.
fn gaps(
    snapshot: &mut Snapshot<'_>,
    topic: &str,
    partition: u16,
    window: OffsetRange,
) -> Result<Vec<Option<OffsetRange>>, VerificationError> {
    let sql = format!(
        "WITH {EVENTS} SELECT previous, first \
         FROM (SELECT first, max(next) OVER ( \
                   ORDER BY first, next ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS previous \
               FROM (SELECT source_offset AS first, source_offset + 1 AS next FROM events \
                     WHERE source_offset >= $3 AND source_offset < $4 \
                     UNION ALL \
                     SELECT from_offset, to_offset FROM streamflow.skipped_offsets \
                     WHERE source_topic = $1 AND source_partition = $2 AND to_offset > $3 AND from_offset < $4 \
                     UNION ALL SELECT $3, $3 \
                     UNION ALL SELECT $4, $4) AS bounded) AS pairs \
         WHERE first > previous ORDER BY 1 LIMIT {}",
        GAPS + 1
    );
    let (earliest, latest) = (i64::try_from(window.earliest)?, i64::try_from(window.latest)?);
    let mut gaps = Vec::new();
    snapshot.for_each(&sql, &[&topic, &i32::from(partition), &earliest, &latest], |row| {
        let (earliest, latest): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let gap = OffsetRange { earliest: u64::try_from(earliest)?, latest: u64::try_from(latest)? };
        gaps.push((gaps.len() < GAPS).then_some(gap));
        Ok(())
    })?;
    Ok(gaps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::report::Grade;

    #[test]
    fn committed_offsets_lie_within_those_of_kafka() {
        let range = |earliest, latest| Ranges::from([(0, OffsetRange { earliest, latest })]);
        for (next, before, after, grade) in [
            (10, range(10, 10), range(10, 10), Grade::Pass),
            // Between the questions, Kafka deleted what had been read, and more was written.
            (10, range(5, 12), range(11, 20), Grade::Pass),
            (9, range(10, 12), range(10, 12), Grade::Fail),
            (13, range(0, 12), range(0, 12), Grade::Fail),
            (13, Ranges::new(), Ranges::new(), Grade::Fail),
        ] {
            let check = within("t", &Committed::from([(0, next)]), &before, &after);
            assert_eq!(check.outcome.grade, grade, "{check:?}");
        }
    }
}
