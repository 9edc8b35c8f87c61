//! Locks that outlive a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// For what is whole after every statement, so that a panic elsewhere does not spoil it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
