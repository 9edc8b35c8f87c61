//! The stream of events in the order they are emitted.
//!
//! ```text
//! arrivals ─┬─> purchase ─> disturbance ─┬─────────────────────────> event
//! episodes ─┘  (event time)              └─> pending ─(when due)───> event
//! ```
//!
//! Purchases happen in order of event time, so that histories are exact; only emission is out of order.
//! State is bounded: the purchases of open episodes, and transactions pending for at most two hours, or until
//! they are refunded.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::Exp1;

use crate::agenda::Agenda;
use crate::defect::Defect;
use crate::disturbance::Disturbance;
use crate::event::GeneratedEvent;
use crate::history::Histories;
use crate::identity::{scatter, transaction_id};
use crate::label::{Label, Mark};
use crate::payload;
use crate::population::Population;
use crate::purchase::{Purchase, Transaction};
use crate::randomness::{Stream, stream};
use crate::scenarios::{Scene, stage};
use crate::settings::{GeneratorSettings, SettingsError};
use crate::time::{SECOND, local_minute, to_millisecond};

/// Room for an ordinary payload, bytes.
const ORDINARY_LENGTH: usize = 352;

/// An endless stream of events in emission order; equal settings give equal bytes.
pub struct Traffic {
    settings: GeneratorSettings,
    population: Population,
    histories: Histories,
    /// Purchases of open episodes, by event time.
    planned: Agenda<Injection>,
    /// Transactions to be emitted later, by due time.
    pending: Agenda<Emission>,
    /// One for each customer an episode keeps to itself, by when that ends.
    reservations: Agenda<()>,
    purchase_rng: ChaCha8Rng,
    fraud_rng: ChaCha8Rng,
    disturbance_rng: ChaCha8Rng,
    refund_rng: ChaCha8Rng,
    /// Event time of the next arrival, microseconds after the start.
    arrival: f64,
    transactions: u64,
    episodes: u64,
    id_salt: u64,
}

/// A purchase that an episode has planned.
struct Injection {
    purchase: Purchase,
    mark: Mark,
}

/// A transaction to be emitted.
#[derive(Clone, Copy)]
struct Emission {
    transaction: Transaction,
    defect: Option<Defect>,
    mark: Option<Mark>,
}

impl Traffic {
    /// Traffic over the population of the same settings.
    ///
    /// # Errors
    /// A setting that is out of range.
    pub fn new(settings: GeneratorSettings) -> Result<Self, SettingsError> {
        let population = Population::new(&settings)?;
        let rng = |concern| stream(settings.seed, concern);
        Ok(Self {
            histories: Histories::new(population.customer_count()),
            population,
            planned: Agenda::new(),
            pending: Agenda::new(),
            reservations: Agenda::new(),
            purchase_rng: rng(Stream::Purchases),
            fraud_rng: rng(Stream::Fraud),
            disturbance_rng: rng(Stream::Disturbance),
            refund_rng: rng(Stream::Refunds),
            arrival: 0.0,
            transactions: 0,
            episodes: 0,
            // Traffic of the same seed that starts at another time has other ids.
            id_salt: scatter(settings.seed, settings.start as u64, 64),
            settings,
        })
    }

    /// The population of this traffic: its dimension records and blacklist.
    pub fn population(&self) -> &Population {
        &self.population
    }

    /// Writes the next event over `event`, reusing its payload's memory. The stream has no end.
    pub fn next_into(&mut self, event: &mut GeneratedEvent) {
        loop {
            let arrival_at = self.arrival_at();
            let happens_at = self.planned.next_at().map_or(arrival_at, |planned| planned.min(arrival_at));
            if let Some((due, emission)) = self.pending.take(happens_at) {
                return self.emit(due, &emission, event);
            }
            let emission = match self.planned.take(arrival_at) {
                Some((_, injection)) => self.happen(injection.purchase, Some(injection.mark)),
                None => self.arrive(arrival_at),
            };
            if let Some(emission) = emission {
                return self.emit(happens_at, &emission, event);
            }
        }
    }

    fn arrival_at(&self) -> i64 {
        to_millisecond(self.settings.start + self.arrival as i64)
    }

    /// An ordinary purchase, and now and then the beginning of an episode.
    fn arrive(&mut self, at: i64) -> Option<Emission> {
        let gap: f64 = self.purchase_rng.sample(Exp1);
        self.arrival += gap * SECOND as f64 / self.settings.transactions_per_second;
        let customer = self.draw_customer(at);
        let purchase = Purchase::ordinary(&self.population, customer, at, &mut self.purchase_rng);
        let emission = self.happen(purchase, None);
        if self.fraud_rng.random_bool(self.settings.fraud_episode_rate) {
            self.begin_episode(at);
        }
        emission
    }

    /// A customer who shops at this hour and is not part of an episode; if it can be, one whom this
    /// purchase does not make look like a burst.
    fn draw_customer(&mut self, at: i64) -> u32 {
        let hour = (local_minute(at) / 60) as usize;
        let mut customer = 0;
        for attempt in 0..64 {
            customer = self.population.activity().draw(hour, &mut self.purchase_rng);
            let hurried = attempt < 4 && self.histories.of(customer).is_hurried(at);
            if !hurried && !self.histories.is_reserved(customer, at) {
                break;
            }
        }
        customer
    }

    fn begin_episode(&mut self, now: i64) {
        while self.reservations.take(now).is_some() {}
        // Enough customers must be left for ordinary traffic.
        let most = (self.population.customer_count() as usize / 10).max(1);
        if self.reservations.len() >= most {
            return;
        }
        let patterns = &self.settings.patterns;
        let pattern = patterns[self.fraud_rng.random_range(0..patterns.len())];
        let (population, histories) = (&self.population, &self.histories);
        let mut scene = Scene { population, histories, rng: &mut self.fraud_rng, now };
        let Some(episode) = stage(pattern, &mut scene) else { return };
        self.episodes += 1;
        let mark = Mark { pattern, episode: self.episodes };
        self.reservations.add(episode.quiet_until, ());
        for purchase in episode.purchases {
            self.histories.reserve(purchase.customer, episode.quiet_until);
            self.planned.add(purchase.at, Injection { purchase, mark });
        }
    }

    /// Makes a transaction of the purchase. Returns what is emitted at once, if anything is, and keeps
    /// what is emitted later.
    fn happen(&mut self, purchase: Purchase, mark: Option<Mark>) -> Option<Emission> {
        let number = scatter(self.transactions, self.id_salt, 64);
        self.transactions += 1;
        let rng = &mut self.disturbance_rng;
        let mut disturbance = Disturbance::draw(&self.settings, purchase.cents, mark.is_some(), rng);
        if self.settings.refunded_rate > 0.0 && mark.is_none() && disturbance.is_none() {
            disturbance = Disturbance::draw_refund(&self.settings, purchase.cents, &mut self.refund_rng);
        }
        if let Some(cents) = Disturbance::final_cents(disturbance, purchase.cents) {
            self.histories.add(purchase.customer, purchase.at, cents, purchase.foreign.is_some());
        }
        let transaction = Transaction { number, purchase, revision: 0, voided: false };
        let first = Emission { transaction, defect: None, mark };
        match disturbance {
            None => {}
            Some(Disturbance::Malformed(defect)) => return Some(Emission { defect: Some(defect), ..first }),
            Some(Disturbance::Late { by }) => {
                self.pending.add(purchase.at + by, first);
                return None;
            }
            Some(Disturbance::Duplicate { after }) => self.follow(after, transaction),
            Some(Disturbance::Correction { after, cents }) => {
                let purchase = Purchase { cents, ..purchase };
                self.follow(after, Transaction { purchase, revision: 1, ..transaction });
            }
            Some(Disturbance::Void { after }) => {
                self.follow(after, Transaction { revision: 1, voided: true, ..transaction });
            }
        }
        Some(first)
    }

    fn follow(&mut self, after: i64, transaction: Transaction) {
        let emission = Emission { transaction, defect: None, mark: None };
        self.pending.add(transaction.purchase.at + after, emission);
    }

    fn emit(&self, due: i64, emission: &Emission, event: &mut GeneratedEvent) {
        let Emission { transaction, defect, mark } = emission;
        event.due = due;
        let customer = self.population.customer(transaction.purchase.customer);
        event.key.copy_from_slice(customer.id().as_bytes());
        event.payload.clear();
        payload::write(&mut event.payload, transaction, &self.population);
        if let Some(defect) = defect {
            defect.spoil(&mut event.payload, transaction.purchase.at);
        }
        event.label = mark.map(|mark| Label {
            transaction_id: transaction_id(transaction.number),
            pattern: mark.pattern,
            episode: mark.episode,
        });
    }
}

impl Iterator for Traffic {
    type Item = GeneratedEvent;

    /// Never `None`.
    fn next(&mut self) -> Option<GeneratedEvent> {
        let mut event =
            GeneratedEvent { payload: Vec::with_capacity(ORDINARY_LENGTH), ..GeneratedEvent::default() };
        self.next_into(&mut event);
        Some(event)
    }
}
