//! Which of several processes one is.

/// One of several processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessIndex {
    /// Its number; the first one, 0, commits and publishes.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

impl ProcessIndex {
    /// Whether this is the process that commits and publishes.
    pub fn commits(self) -> bool {
        self.index == 0
    }
}
