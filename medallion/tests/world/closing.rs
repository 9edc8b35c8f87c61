//! Keys that close at random: from then on their rows change by differences.

use differential_dataflow::difference::Abelian;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::operators::sums;
use streamflow_dataflow::views::{RowOf, Rows, Take, View, ViewRow, Views};

pub struct Closing {
    rng: ChaCha8Rng,
    rows: Views<Rows>,
    /// By view and key.
    closed: BTreeSet<String>,
}

impl Closing {
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), rows: Views::default(), closed: BTreeSet::new() }
    }

    /// The same changes, where rows of closed keys are differences.
    pub fn apply(&mut self, changes: Vec<ViewChange>) -> Vec<ViewChange> {
        changes.into_iter().map(|change| self.change(change)).collect()
    }

    fn change(&mut self, change: ViewChange) -> ViewChange {
        let ViewChange::Row(row) = change else { return change };
        let key = format!("{} {:?}", row.view(), row.key());
        let closes = self.rng.random_range(0..6) == 0;
        if !self.closed.contains(&key) && !closes {
            self.rows.put(row.clone());
            return ViewChange::Row(row);
        }
        self.closed.insert(key);
        let mut difference = DifferenceTo(None);
        row.clone().take_into(&mut self.rows, &mut difference);
        self.rows.put(row);
        ViewChange::RowDifference(difference.0.unwrap())
    }
}

struct DifferenceTo(Option<ViewRow>);

impl Take<Rows> for DifferenceTo {
    fn take<V: View>(&mut self, rows: &mut BTreeMap<V::Key, V::Sum>, (key, mut sum): RowOf<V>) {
        if let Some(before) = rows.get(&key) {
            let mut before = before.clone();
            before.negate();
            sums::add(&mut sum, &before);
        }
        self.0 = Some(V::row((key, sum)));
    }
}
