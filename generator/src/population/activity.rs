//! Who shops at which hour, and how often.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const HOURS: usize = 24;
/// A customer shops at most this many hours before or after the middle of the preferred ones. Five
/// hours alike keep every purchase within two standard deviations of the mean.
const REACH: usize = 2;
/// Largest share of one customer in the traffic of any hour.
const LARGEST_SHARE: f64 = 0.005;
/// Exponent of the Zipf law: the customer of rank r is active in proportion to r^-EXPONENT.
const EXPONENT: f64 = 0.8;

/// Customers in the order of their preferred hour, with running sums of their activity: the customers
/// of any five hours are one stretch of it (around midnight, of it wrapped around).
pub(crate) struct Activity {
    customers: Vec<u32>,
    running: Vec<f64>,
    /// Activity of the customers whose preferred hours have their middle at this hour, and before it.
    groups: [Group; HOURS],
    total: f64,
}

#[derive(Clone, Copy, Default)]
struct Group {
    before: f64,
    weight: f64,
}

/// Middle of a customer's preferred hours, 0 to 23. Neighbours in rank differ, which spreads the most
/// active customers over the day.
fn preferred_hour(customer: u32) -> usize {
    customer as usize % HOURS
}

/// Whether the customer shops at this local hour.
pub(crate) fn is_preferred(customer: u32, hour: usize) -> bool {
    (hour + HOURS + REACH - preferred_hour(customer)) % HOURS <= 2 * REACH
}

fn window(hour: usize) -> impl Iterator<Item = usize> {
    (0..=2 * REACH).map(move |step| (hour + HOURS - REACH + step) % HOURS)
}

impl Activity {
    /// The activity of `count` customers, the first the most active, without those who never shop.
    pub(super) fn new(count: u32, never_shops: impl Fn(u32) -> bool) -> Self {
        let active = |customer: &u32| !never_shops(*customer);
        let mut weights: Vec<f64> = (0..count).map(|rank| (f64::from(rank) + 1.0).powf(-EXPONENT)).collect();
        bound(&mut weights);
        let mut activity = Self {
            customers: Vec::with_capacity(weights.len()),
            running: Vec::with_capacity(weights.len()),
            groups: [Group::default(); HOURS],
            total: 0.0,
        };
        for hour in 0..HOURS {
            activity.groups[hour].before = activity.total;
            for customer in (hour as u32..count).step_by(HOURS).filter(active) {
                activity.total += weights[customer as usize];
                activity.customers.push(customer);
                activity.running.push(activity.total);
            }
            activity.groups[hour].weight = activity.total - activity.groups[hour].before;
        }
        activity
    }

    /// A customer who shops at this local hour; anyone, where the population is too small for that.
    pub(crate) fn draw(&self, hour: usize, rng: &mut ChaCha8Rng) -> u32 {
        let within: f64 = window(hour).map(|hour| self.groups[hour].weight).sum();
        let (first, width) = if within > 0.0 {
            (self.groups[(hour + HOURS - REACH) % HOURS].before, within)
        } else {
            (0.0, self.total)
        };
        let mut ticket = first + width * rng.random::<f64>();
        if ticket >= self.total {
            ticket -= self.total;
        }
        let found = self.running.partition_point(|sum| *sum <= ticket);
        self.customers.get(found).or(self.customers.last()).copied().unwrap_or_default()
    }
}

/// Cuts the heaviest weights until none exceeds its share of any hour; evens out small populations.
fn bound(weights: &mut [f64]) {
    for _ in 0..16 {
        let mut groups = [0.0; HOURS];
        for (customer, weight) in (0..).zip(weights.iter()) {
            groups[preferred_hour(customer)] += weight;
        }
        let hours = (0..HOURS).map(|hour| window(hour).map(|hour| groups[hour]).sum::<f64>());
        let largest = LARGEST_SHARE * hours.fold(f64::INFINITY, f64::min);
        if largest <= 0.0 {
            return;
        }
        for weight in weights.iter_mut() {
            *weight = weight.min(largest);
        }
    }
}
