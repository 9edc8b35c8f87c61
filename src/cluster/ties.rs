//! What holds the connections of one dataflow together: they break as one, and the threads behind them end once
//! its workers are gone.

use crate::lock::lock;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// The connections of one dataflow.
pub struct Ties {
    sockets: Vec<TcpStream>,
    are_cut: AtomicBool,
    are_workers_gone: Mutex<bool>,
    gone: Condvar,
}

impl Ties {
    pub fn new(sockets: Vec<TcpStream>) -> Self {
        Self {
            sockets,
            are_cut: AtomicBool::new(false),
            are_workers_gone: Mutex::new(false),
            gone: Condvar::new(),
        }
    }

    /// Breaks all connections: to the others this looks like the loss of this process, not like an orderly end. Must
    /// come before workers give up a dataflow that has not ended.
    pub fn cut(&self) {
        self.are_cut.store(true, Ordering::SeqCst);
        for socket in &self.sockets {
            // One that is broken already need not be.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Whether they are broken on purpose.
    pub fn are_cut(&self) -> bool {
        self.are_cut.load(Ordering::SeqCst)
    }

    /// All workers have ended.
    pub fn release(&self) {
        *lock(&self.are_workers_gone) = true;
        self.gone.notify_all();
    }

    /// Waits until all workers have ended.
    pub fn await_release(&self) {
        let are_gone = self.gone.wait_while(lock(&self.are_workers_gone), |are_gone| !*are_gone);
        drop(are_gone.unwrap_or_else(PoisonError::into_inner));
    }
}
