//! Which of several processes one is.

/// One of several processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessIndex {
    /// Its place among those that run now; the first one, 0, commits and publishes.
    pub index: usize,
    /// How many run now.
    pub count: usize,
    /// Its number among all that belong to the cluster, whether they run or not.
    pub number: usize,
}

impl ProcessIndex {
    /// Whether this is the process that commits and publishes.
    pub fn commits(self) -> bool {
        self.index == 0
    }
}
