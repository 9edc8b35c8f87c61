//! A transaction as one line of JSON, written by hand: this is the hot path.

use crate::identity::{customer_id, push_hex};
use crate::population::Population;
use crate::purchase::Transaction;
use crate::time::push_local;

/// Appends the transaction as JSON without a line break: ASCII, all fields, always in this order.
pub(crate) fn write(out: &mut Vec<u8>, transaction: &Transaction, population: &Population) {
    let purchase = &transaction.purchase;
    out.extend_from_slice(br#"{"transaction_id":"txn-"#);
    push_hex(out, transaction.number, 16);
    out.extend_from_slice(br#"","customer_id":""#);
    out.extend_from_slice(&customer_id(population.customer(purchase.customer).number));
    out.extend_from_slice(br#"","store_id":"store-"#);
    push_hex(out, population.store(purchase.store).number, 8);
    out.extend_from_slice(br#"","product_id":"prod-"#);
    push_digits(out, u64::from(purchase.product), 4);
    out.extend_from_slice(br#"","amount":""#);
    push_decimal(out, purchase.cents, 2);
    out.extend_from_slice(br#"","currency":"BRL","payment_method":""#);
    out.extend_from_slice(purchase.payment.name());
    out.extend_from_slice(br#"","latitude":"#);
    push_degrees(out, purchase.place.latitude);
    out.extend_from_slice(br#","longitude":"#);
    push_degrees(out, purchase.place.longitude);
    out.extend_from_slice(br#","timestamp":""#);
    push_local(out, purchase.at);
    out.extend_from_slice(br#"","schema_version":1,"revision":"#);
    push_digits(out, u64::from(transaction.revision), 1);
    out.extend_from_slice(br#","voided":"#);
    out.extend_from_slice(if transaction.voided { b"true}" } else { b"false}" });
}

/// Appends a number of 0.00001 degrees as degrees.
fn push_degrees(out: &mut Vec<u8>, units: i32) {
    if units < 0 {
        out.push(b'-');
    }
    push_decimal(out, u64::from(units.unsigned_abs()), 5);
}

/// Appends `number` / 10^`decimals` with all decimals.
fn push_decimal(out: &mut Vec<u8>, number: u64, decimals: u32) {
    let scale = 10_u64.pow(decimals);
    push_digits(out, number / scale, 1);
    out.push(b'.');
    push_digits(out, number % scale, decimals as usize);
}

/// Appends `number` in at least `least` digits.
fn push_digits(out: &mut Vec<u8>, mut number: u64, least: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    while number > 0 || digits.len() - first < least {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn decimals_keep_their_zeros() {
        assert_eq!(text(|out| push_decimal(out, 45_466, 2)), "454.66");
        assert_eq!(text(|out| push_decimal(out, 5, 2)), "0.05");
        assert_eq!(text(|out| push_degrees(out, -2_300_001)), "-23.00001");
        assert_eq!(text(|out| push_degrees(out, -40)), "-0.00040");
        assert_eq!(text(|out| push_digits(out, 36, 4)), "0036");
    }
}
