//! A transaction as one line of JSON.

use std::io::Write;

use crate::identity::transaction_id;
use crate::population::Population;
use crate::purchase::Transaction;
use crate::time::local;

/// Appends the transaction as JSON without a line break: ASCII, all fields, always in this order.
pub(crate) fn write(out: &mut Vec<u8>, transaction: &Transaction, population: &Population) {
    let purchase = &transaction.purchase;
    let (latitude, longitude) = purchase.place.degrees();
    // Writing to memory cannot fail.
    let _ = write!(
        out,
        concat!(
            r#"{{"transaction_id":"{}","customer_id":"{}","store_id":"{}","product_id":"prod-{:04}","#,
            r#""amount":"{}.{:02}","currency":"{}","payment_method":"{}","latitude":{:.5},"longitude":{:.5},"#,
            r#""timestamp":"{}","schema_version":1,"revision":{},"voided":{}}}"#,
        ),
        transaction_id(transaction.number),
        population.customer(purchase.customer).id(),
        population.store(purchase.store).id(),
        purchase.product,
        purchase.cents / 100,
        purchase.cents % 100,
        purchase.foreign.map_or("BRL", |foreign| foreign.code),
        purchase.payment.name(),
        latitude,
        longitude,
        local(purchase.at),
        transaction.revision,
        transaction.voided,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::Payment;
    use crate::population::Coordinates;
    use crate::purchase::Purchase;
    use crate::settings::GeneratorSettings;

    #[test]
    fn decimals_keep_their_zeros() {
        let population = Population::new(&GeneratorSettings::default()).unwrap();
        let place = Coordinates { latitude: -2_300_001, longitude: -40 };
        let payment = Payment::Pix;
        let (at, cents, foreign) = (0, 45_466, None);
        let purchase = Purchase { at, customer: 0, store: 0, product: 36, cents, foreign, payment, place };
        let line = |cents| {
            let purchase = Purchase { cents, ..purchase };
            let mut out = Vec::new();
            write(&mut out, &Transaction { number: 10, purchase, revision: 1, voided: true }, &population);
            String::from_utf8(out).unwrap()
        };
        assert!(line(5).contains(r#""amount":"0.05","#));
        let line = line(45_466);
        for field in [
            r#""transaction_id":"txn-000000000000000a","#,
            r#""product_id":"prod-0036","amount":"454.66","#,
            r#""latitude":-23.00001,"longitude":-0.00040,"timestamp":"1969-12-31T21:00:00.000-03:00","#,
            r#""revision":1,"voided":true}"#,
        ] {
            assert!(line.contains(field), "{field} is not in {line}");
        }
    }
}
