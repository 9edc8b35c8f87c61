//! Why an evaluation has no result.

use thiserror::Error;

/// Why an evaluation has no result. A rule that fails does not trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// A division, or a remainder, by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// The exact result needs a numerator or a denominator of more than 128 bits.
    #[error("a number is too large or too fine")]
    Overflow,
    /// The square root of a negative number.
    #[error("square root of a negative number")]
    NegativeRoot,
    /// A remainder of numbers that are not whole.
    #[error("remainder of numbers that are not whole")]
    NotWhole,
    /// The facts have no value for the read with this slot, as there is no mean of no amounts.
    #[error("what slot {0} reads has no value")]
    Missing(usize),
    /// The facts gave a value of another kind than the variable with this slot is declared with.
    #[error("what slot {0} reads is of another kind than declared")]
    Mistyped(usize),
}
