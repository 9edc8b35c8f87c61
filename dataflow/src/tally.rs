//! Counting events on their way, cheaply: the source of the books and of the data-quality views.

use serde::{Deserialize, Serialize};
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Account, Reason};

/// Length of a data-quality window in partition time, microseconds.
pub const WINDOW: i64 = 15 * MINUTE;

/// Something that happened to one event.
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
    /// It claims a schema version that is not known yet.
    NewerSchema,
    /// Its amount is invalid.
    InvalidAmount,
    /// It lies more than a minute behind the partition time.
    Late,
    /// It ended in an account other than a dead letter's.
    Ended(Account),
    /// It became a dead letter.
    DeadLetter(Reason),
}

const SLOTS: usize = 20;

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
    Observation::DeadLetter(Reason::MalformedJson),
    Observation::DeadLetter(Reason::MissingField),
    Observation::DeadLetter(Reason::InvalidField),
    Observation::DeadLetter(Reason::TooLarge),
    Observation::DeadLetter(Reason::FutureTimestamp),
    Observation::DeadLetter(Reason::TooLate),
    Observation::DeadLetter(Reason::ConflictingIdentity),
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
        Observation::DeadLetter(reason) | Observation::Ended(Account::DeadLetter(reason)) => {
            13 + reason as usize
        }
    }
}

/// How often something happened to events of one topic in one window of partition time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tally {
    /// The topic's place in the configuration.
    pub topic: u16,
    /// Start of the window, microseconds since 1970.
    pub window_start: i64,
    /// What happened.
    pub observation: Observation,
    /// How often.
    pub events: i64,
}

/// Counts by observation for the topic and window that are open; on to the next one, they are set aside.
#[derive(Default)]
pub struct Tallies {
    topic: u16,
    window_start: i64,
    counts: [i64; SLOTS],
    aside: Vec<Tally>,
}

impl Tallies {
    /// What is counted next belongs to `topic` and to the window of `observed_at`.
    pub fn open(&mut self, topic: u16, observed_at: i64) {
        let window_start = observed_at - observed_at.rem_euclid(WINDOW);
        if (topic, window_start) != (self.topic, self.window_start) {
            self.set_aside();
            (self.topic, self.window_start) = (topic, window_start);
        }
    }

    /// One more event to which `observation` applies.
    pub fn count(&mut self, observation: Observation) {
        self.counts[slot(observation)] += 1;
    }

    /// Everything counted since the last call.
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
        for (place, observation) in OBSERVATIONS.into_iter().enumerate() {
            assert_eq!(slot(observation), place);
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
