//! The nearest step at which something differs, though nothing is known of where it does.

/// Where something first differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Steps from the start, from 1 on. It does not differ one step before.
    pub steps: u64,
    /// Every step before was tried, so none is nearer.
    pub is_proven: bool,
}

/// The nearest of the steps 1 to `limit` at which something differs.
///
/// Steps that double find one where it differs, and halving the last interval an edge. Because it may differ,
/// and no longer, in between, then every step from 1 to that edge is tried, up to `thorough`; and where
/// doubling finds nothing, every step to `thorough`.
pub fn nearest(limit: u64, thorough: u64, mut differs: impl FnMut(u64) -> bool) -> Option<Nearest> {
    let edge = first_doubling(limit, &mut differs).map(|(same, other)| edge(same, other, &mut differs));
    let tried = edge.map_or(limit, |edge| edge - 1).min(thorough);
    if let Some(steps) = (1..=tried).find(|steps| differs(*steps)) {
        return Some(Nearest { steps, is_proven: true });
    }
    edge.map(|steps| Nearest { steps, is_proven: steps - 1 <= thorough })
}

/// The last doubled step at which it does not differ, and the first at which it does.
fn first_doubling(limit: u64, differs: &mut impl FnMut(u64) -> bool) -> Option<(u64, u64)> {
    let (mut same, mut steps) = (0, 1);
    while same < limit {
        if differs(steps) {
            return Some((same, steps));
        }
        same = steps;
        steps = steps.saturating_mul(2).min(limit);
    }
    None
}

/// A step in between at which it differs, while it does not one step before.
fn edge(mut same: u64, mut other: u64, differs: &mut impl FnMut(u64) -> bool) -> u64 {
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if differs(middle) {
            other = middle;
        } else {
            same = middle;
        }
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(steps: u64, is_proven: bool) -> Option<Nearest> {
        Some(Nearest { steps, is_proven })
    }

    #[test]
    fn an_edge_is_found_however_far_away() {
        for edge in [1, 2, 3, 100, 1000, 1001] {
            assert_eq!(nearest(u64::MAX, 1000, |steps| steps >= edge), found(edge, true), "{edge}");
        }
        assert_eq!(nearest(u64::MAX, 1000, |steps| steps >= 1_000_000_007), found(1_000_000_007, false));
        assert_eq!(nearest(1_000, 10, |steps| steps >= 1_000), found(1_000, false));
        assert_eq!(nearest(999, 999, |steps| steps >= 1_000), None);
        assert_eq!(nearest(0, 10, |_| true), None);
    }

    #[test]
    fn what_differs_for_a_single_step_is_found_where_every_one_is_tried() {
        assert_eq!(nearest(10_000, 100, |steps| steps == 77), found(77, true));
        assert_eq!(nearest(10_000, 100, |steps| steps == 777), None);
        assert_eq!(nearest(10_000, 100, |steps| steps == 77 || steps >= 5_000), found(77, true));
        assert_eq!(nearest(10_000, 100, |steps| steps == 777 || steps >= 5_000), found(5_000, false));
    }
}
