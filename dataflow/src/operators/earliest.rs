//! The earliest of times that come and go.

use std::collections::BTreeMap;

/// Times, each as often as it was added.
#[derive(Debug, Default)]
pub struct Earliest(BTreeMap<i64, usize>);

impl Earliest {
    /// Adds a time.
    pub fn add(&mut self, time: i64) {
        *self.0.entry(time).or_default() += 1;
    }

    /// Removes a time that was added.
    pub fn remove(&mut self, time: i64) {
        if let Some(count) = self.0.get_mut(&time) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&time);
            }
        }
    }

    /// The earliest one.
    pub fn get(&self) -> Option<i64> {
        self.0.keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_counts_until_it_was_removed_as_often_as_added() {
        let mut times = Earliest::default();
        let mut after = |time, adds| {
            if adds {
                times.add(time);
            } else {
                times.remove(time);
            }
            times.get()
        };
        assert_eq!(after(5, true), Some(5));
        assert_eq!(after(3, true), Some(3));
        assert_eq!(after(3, true), Some(3));
        assert_eq!(after(3, false), Some(3));
        assert_eq!(after(3, false), Some(5));
        assert_eq!(after(5, false), None);
    }
}
