//! A shop with a past, whose payments are corrected and voided at any age.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const CUSTOMERS: usize = 20;

/// The past's payments, evenly over its days, up to now.
const PAYMENTS: i64 = 1_000;
const DAYS: i64 = 6;

/// An event comes so many seconds after what it tells of, at most.
const DELAY: i64 = 20;

/// Half of the amended payments are among so many latest ones of their customer.
const RECENT: usize = 5;

/// Its customers and their payments.
pub struct Shop {
    /// The beginning of all its ids.
    pub name: String,
    /// Repeats all that is by chance.
    pub dice: StdRng,
    customers: Vec<Customer>,
    payments: u32,
}

struct Customer {
    id: String,
    /// The last version of each that was sent, in the order of payment.
    payments: Vec<Value>,
    /// A payment whose amendment came before it.
    behind: Option<Value>,
}

impl Shop {
    /// Opens it with payments of the past, which are still to be sent.
    pub fn open(name: &str, seed: u64) -> Self {
        let customer =
            |number| Customer { id: format!("{name}-customer-{number}"), payments: Vec::new(), behind: None };
        let mut shop = Self {
            name: name.to_owned(),
            dice: StdRng::seed_from_u64(seed),
            customers: (0..CUSTOMERS).map(customer).collect(),
            payments: 0,
        };
        let begin = Utc::now() - Duration::days(DAYS);
        for number in 0..PAYMENTS {
            let customer = shop.dice.random_range(0..CUSTOMERS);
            let seconds = number * DAYS * 86_400 / PAYMENTS;
            let payment = shop.pay(customer, begin + Duration::seconds(seconds));
            shop.customers[customer].payments.push(payment);
        }
        shop
    }

    /// The latest version of each payment.
    pub fn payments(&self) -> impl Iterator<Item = &Value> {
        self.customers.iter().flat_map(|customer| &customer.payments)
    }

    /// So many further events: payments, and corrections and voids of payments of any age, of voids, of ids that
    /// nobody knows, and once more. `of_one_customer`: of any one, else of all.
    pub fn events(&mut self, count: usize, of_one_customer: bool) -> Vec<Value> {
        let one = self.dice.random_range(0..CUSTOMERS);
        let mut event = || {
            let customer = if of_one_customer { one } else { self.dice.random_range(0..CUSTOMERS) };
            self.event(customer)
        };
        (0..count).map(|_| event()).collect()
    }

    fn event(&mut self, customer: usize) -> Value {
        if let Some(payment) = self.customers[customer].behind.take() {
            return payment;
        }
        let kind = self.dice.random_range(0..100);
        if kind < 45 {
            let delay = Duration::seconds(self.dice.random_range(0..DELAY));
            let payment = self.pay(customer, Utc::now() - delay);
            let Customer { payments, behind, .. } = &mut self.customers[customer];
            payments.push(payment.clone());
            if kind < 40 {
                return payment;
            }
            *behind = Some(payment);
        }
        let payments = &mut self.customers[customer].payments;
        let recent = payments.len().saturating_sub(RECENT);
        let chosen = match kind {
            40..45 => payments.len() - 1,
            _ if self.dice.random_bool(0.5) => self.dice.random_range(recent..payments.len()),
            _ => self.dice.random_range(0..payments.len()),
        };
        // The others are sent once more as they are.
        if kind < 95 {
            amend(&mut payments[chosen], &mut self.dice);
        }
        payments[chosen].clone()
    }

    /// A payment with an id of its own, one in twenty much larger than the others.
    fn pay(&mut self, customer: usize, at: DateTime<Utc>) -> Value {
        self.payments += 1;
        let amount = if self.dice.random_bool(0.05) { "900.00" } else { "100.00" };
        json!({
            "transaction_id": format!("{}-{}", self.name, self.payments),
            "customer_id": self.customers[customer].id,
            "store_id": format!("s-{}", self.dice.random_range(0..4)), "payment_method": "pix",
            "amount": amount, "timestamp": text(at), "latitude": -23.5, "longitude": -46.6,
        })
    }
}

/// The next revision of a payment.
fn amend(payment: &mut Value, dice: &mut StdRng) {
    let revision = payment["revision"].as_u64().unwrap_or(0) + dice.random_range(1..3);
    payment["revision"] = json!(revision);
    payment["voided"] = json!(dice.random_bool(0.5));
    match dice.random_range(0..5) {
        0 => payment["amount"] = json!("1000.00"),
        1 => payment["amount"] = json!("10.00"),
        2 => payment["timestamp"] = json!(text(Utc::now())),
        3 => payment["latitude"] = json!(-3.1),
        _ => payment["store_id"] = json!("s-0"),
    }
}

/// Of one length, so that texts are in the order of times.
fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
