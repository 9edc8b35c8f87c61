//! Arguments that cannot be meant.

use thiserror::Error;

/// Arguments that contradict each other, or what they name. As with those that cannot be read the exit code is 2, and
/// nothing was done.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Misuse(pub String);
