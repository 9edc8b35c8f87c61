//! What happens in the midst of a run.

use super::deployment::Deployment;
use super::plan::Disturbance;
use super::reference;
use super::servers::Servers;
use super::signals::Signals;
use anyhow::Result;
use streamflow_harness::schedule::Clock;

/// When it began and ended, microseconds of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disturbed {
    pub from: i64,
    pub to: i64,
}

/// Lets it happen.
///
/// # Errors
/// Those of the servers; it is interrupted.
pub fn happen(
    disturbance: Disturbance,
    deployment: &mut Deployment,
    servers: &Servers,
    (clock, seed): (Clock, u64),
    signals: &Signals,
) -> Result<Disturbed> {
    let from = clock.now();
    match disturbance {
        Disturbance::Burst { records } => reference::burst(&deployment.config, records, seed)?,
        Disturbance::Outage { away } => servers.interrupt_database(|| signals.sleep(away))?,
        Disturbance::Restart => {
            deployment.kill();
            deployment.start()?;
        }
    }
    Ok(Disturbed { from, to: clock.now() })
}
