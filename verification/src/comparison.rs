//! Compares the rows of a table with the expected ones.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::iter::Peekable;

/// How many differing rows are shown.
pub(crate) const SAMPLE: usize = 4;

/// How a table compares with its recomputation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The table or view, with its schema, and what it was recomputed from.
    pub table: String,
    /// Rows stored.
    pub rows: i64,
    /// Rows that only one of both sides has; a row that differs counts on either side.
    pub differing: i64,
    /// Up to four of these, `stored ...` or `expected ...`.
    pub sample: Vec<String>,
}

/// Rows by key. A key that occurs twice on a side counts as a difference.
type Rows<K, R> = Vec<(K, R)>;

/// Compares the rows of `table` by key; two rows of a key agree where they are equal.
pub fn equal<K: Ord + Debug, R: PartialEq + Debug>(
    table: impl Into<String>,
    stored: impl IntoIterator<Item = (K, R)>,
    expected: impl IntoIterator<Item = (K, R)>,
) -> Comparison {
    alike(table, stored, expected, R::eq)
}

/// Compares the rows of `table` by key; two rows of a key agree where they are the `same`.
pub fn alike<K: Ord + Debug, R: Debug>(
    table: impl Into<String>,
    stored: impl IntoIterator<Item = (K, R)>,
    expected: impl IntoIterator<Item = (K, R)>,
    same: impl Fn(&R, &R) -> bool,
) -> Comparison {
    let (stored, expected) = (sorted(stored), sorted(expected));
    let mut comparison =
        Comparison { table: table.into(), rows: stored.len() as i64, differing: 0, sample: Vec::new() };
    let (mut stored, mut expected) = (stored.into_iter().peekable(), expected.into_iter().peekable());
    while let Some(first) = first(&mut stored, &mut expected) {
        let left = stored.next_if(|_| first != Ordering::Greater);
        let right = expected.next_if(|_| first != Ordering::Less);
        if let (Some((_, left)), Some((_, right))) = (&left, &right)
            && same(left, right)
        {
            continue;
        }
        for (side, row) in [("stored", left), ("expected", right)] {
            let Some((key, row)) = row else { continue };
            comparison.differing += 1;
            if comparison.sample.len() < SAMPLE {
                comparison.sample.push(format!("{side} {key:?}: {row:?}"));
            }
        }
    }
    comparison
}

fn sorted<K: Ord, R>(rows: impl IntoIterator<Item = (K, R)>) -> Rows<K, R> {
    let mut rows: Rows<K, R> = rows.into_iter().collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

/// Which side has the smaller key next; `None` where both are at their end.
fn first<K: Ord, R>(
    stored: &mut Peekable<impl Iterator<Item = (K, R)>>,
    expected: &mut Peekable<impl Iterator<Item = (K, R)>>,
) -> Option<Ordering> {
    match (stored.peek(), expected.peek()) {
        (Some((stored, _)), Some((expected, _))) => Some(stored.cmp(expected)),
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_difference_is_counted_on_its_side() {
        let comparison =
            equal("t", [(1, 'a'), (2, 'b'), (4, 'd'), (5, 'e')], [(5, 'e'), (1, 'a'), (2, 'x'), (3, 'c')]);
        assert_eq!((comparison.rows, comparison.differing), (4, 4));
        assert_eq!(
            comparison.sample,
            ["stored 2: 'b'", "expected 2: 'x'", "expected 3: 'c'", "stored 4: 'd'"]
        );
    }

    #[test]
    fn a_row_stored_twice_differs() {
        assert_eq!(equal("t", [(1, 'a'), (1, 'a')], [(1, 'a')]).differing, 1);
        assert_eq!(equal("t", [(1, 'a')], [(1, 'a')]).differing, 0);
    }
}
