//! How a purchase is paid.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    CreditCard,
    DebitCard,
    Pix,
    Boleto,
}

impl Payment {
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..100) {
            0..50 => Self::CreditCard,
            50..70 => Self::DebitCard,
            70..93 => Self::Pix,
            _ => Self::Boleto,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CreditCard => "credit_card",
            Self::DebitCard => "debit_card",
            Self::Pix => "pix",
            Self::Boleto => "boleto",
        }
    }
}
