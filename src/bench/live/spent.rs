//! What the pipeline spends.

use super::deployment::Deployment;
use super::durations::Durations;
use std::time::Duration;

/// What the pipeline's process has spent.
#[derive(Clone, Debug)]
pub struct Spent {
    /// Time of a processor.
    pub processor: Duration,
    /// How long its commits took.
    pub durations: Durations,
}

impl Spent {
    /// Of the pipeline since its start; `None` where it does not answer.
    pub fn of(deployment: &Deployment) -> Option<Self> {
        let durations = Durations::read(deployment.metrics_port())?;
        Some(Self { processor: deployment.usage().processor, durations })
    }

    /// What was spent since an earlier reading; `None` where that was of another process.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        let durations = self.durations.since(&earlier.durations)?;
        Some(Self { processor: self.processor.checked_sub(earlier.processor)?, durations })
    }
}
