//! An event as the one-thread loop reads it.

use serde::Deserialize;

/// The fields of an event. All are read, as whoever stores transactions must.
#[derive(Deserialize)]
#[allow(dead_code)]
pub struct Fields<'a> {
    pub transaction_id: &'a str,
    pub customer_id: &'a str,
    pub store_id: &'a str,
    pub product_id: Option<&'a str>,
    pub amount: &'a str,
    pub currency: Option<&'a str>,
    pub payment_method: Option<&'a str>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub timestamp: &'a str,
}
