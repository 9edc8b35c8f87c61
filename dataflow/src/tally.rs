//! Counts events by what was observed of them: the source of the books and of the data-quality view.

use serde::{Deserialize, Serialize};
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Account, Reason};

/// Length of a data-quality window in partition time, microseconds.
pub const WINDOW: i64 = 15 * MINUTE;

/// Something observed of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Observation {
    /// It was read.
    Read,
    /// It has no place.
    NoPlace,
    /// It has no product.
    NoProduct,
    /// It has no payment method.
    NoPaymentMethod,
    /// Its schema version is newer than the known ones.
    NewerSchema,
    /// Its amount is invalid.
    InvalidAmount,
    /// Its event time is more than a minute before the partition time.
    Late,
    /// It ended in an account other than a dead letter's.
    Ended(Account),
    /// It became a dead letter.
    DeadLetter(Reason),
}

const SLOTS: usize = 23;

/// All observations: the inverse of [`slot`].
const OBSERVATIONS: [Observation; SLOTS] = [
    Observation::Read,
    Observation::NoPlace,
    Observation::NoProduct,
    Observation::NoPaymentMethod,
    Observation::NewerSchema,
    Observation::InvalidAmount,
    Observation::Late,
    Observation::Ended(Account::New),
    Observation::Ended(Account::Correcting),
    Observation::Ended(Account::Voiding),
    Observation::Ended(Account::Duplicate),
    Observation::Ended(Account::Superseded),
    Observation::Ended(Account::Reference),
    Observation::Ended(Account::Pending),
    Observation::Ended(Account::Skipped),
    Observation::DeadLetter(Reason::MalformedJson),
    Observation::DeadLetter(Reason::MissingField),
    Observation::DeadLetter(Reason::InvalidField),
    Observation::DeadLetter(Reason::TooLarge),
    Observation::DeadLetter(Reason::FutureTimestamp),
    Observation::DeadLetter(Reason::TooLate),
    Observation::DeadLetter(Reason::ConflictingIdentity),
    Observation::DeadLetter(Reason::UnsupportedFormat),
];

fn slot(observation: Observation) -> usize {
    match observation {
        Observation::Read => 0,
        Observation::NoPlace => 1,
        Observation::NoProduct => 2,
        Observation::NoPaymentMethod => 3,
        Observation::NewerSchema => 4,
        Observation::InvalidAmount => 5,
        Observation::Late => 6,
        Observation::Ended(Account::New) => 7,
        Observation::Ended(Account::Correcting) => 8,
        Observation::Ended(Account::Voiding) => 9,
        Observation::Ended(Account::Duplicate) => 10,
        Observation::Ended(Account::Superseded) => 11,
        Observation::Ended(Account::Reference) => 12,
        Observation::Ended(Account::Pending) => 13,
        Observation::Ended(Account::Skipped) => 14,
        Observation::DeadLetter(reason) | Observation::Ended(Account::DeadLetter(reason)) => {
            15 + reason as usize
        }
    }
}

/// Number of events of one topic and window of partition time with an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tally {
    /// The topic's index in the configuration.
    pub topic: u16,
    /// Start of the window, microseconds since 1970.
    pub window_start: i64,
    /// What was observed.
    pub observation: Observation,
    /// Number of events.
    pub events: i64,
}

/// Counts by observation for one open topic and window; opening another one sets them aside.
#[derive(Default)]
pub struct Tallies {
    topic: u16,
    window_start: i64,
    counts: [i64; SLOTS],
    aside: Vec<Tally>,
}

impl Tallies {
    /// Counts from now on for `topic` and the window of `observed_at`, microseconds since 1970.
    pub fn open(&mut self, topic: u16, observed_at: i64) {
        let window_start = observed_at - observed_at.rem_euclid(WINDOW);
        if (topic, window_start) != (self.topic, self.window_start) {
            self.set_aside();
            (self.topic, self.window_start) = (topic, window_start);
        }
    }

    /// Counts one event with `observation`.
    pub fn count(&mut self, observation: Observation) {
        self.counts[slot(observation)] += 1;
    }

    /// Takes back one event that was counted with `observation`.
    pub fn take_back(&mut self, observation: Observation) {
        self.counts[slot(observation)] -= 1;
    }

    /// The counts since the last call.
    pub fn take(&mut self) -> impl Iterator<Item = Tally> + '_ {
        self.set_aside();
        self.aside.drain(..)
    }

    fn set_aside(&mut self) {
        for (count, observation) in self.counts.iter_mut().zip(OBSERVATIONS) {
            if *count != 0 {
                let (topic, window_start) = (self.topic, self.window_start);
                self.aside.push(Tally { topic, window_start, observation, events: std::mem::take(count) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_observation_has_its_slot() {
        for (index, observation) in OBSERVATIONS.into_iter().enumerate() {
            assert_eq!(slot(observation), index);
        }
    }

    #[test]
    fn counts_by_topic_and_window() {
        let mut tallies = Tallies::default();
        for (topic, at) in [(0, 0), (0, WINDOW - 1), (0, WINDOW), (1, WINDOW)] {
            tallies.open(topic, at);
            tallies.count(Observation::Read);
        }
        let counted: Vec<_> = tallies.take().map(|t| (t.topic, t.window_start, t.events)).collect();
        assert_eq!(counted, [(0, 0, 2), (0, WINDOW, 1), (1, WINDOW, 1)]);
        assert_eq!(tallies.take().count(), 0);
    }
}
