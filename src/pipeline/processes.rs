//! The processes of a pipeline: this one alone, or several that work as one.

use super::status::Status;
use crate::cluster::{Cluster, Communication, Identity, Members, ProcessIndex};
use crate::config::Config;
use crate::stop::Stop;
use anyhow::{Result, anyhow, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};
use timely::communication::WorkerGuards;
use timely::worker::Worker;

/// How often it checks for a failure.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long the workers of a process may take to end after a failure.
const FAILURE_GRACE: Duration = Duration::from_secs(30);

pub enum Processes {
    /// One process with all workers.
    Alone,
    /// Several processes, connected.
    Several(Box<Cluster>),
}

/// How workers have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The workers ended by themselves.
    InOrder,
    /// The workers cannot end, because a process that they need is gone.
    NotAtAll,
}

impl Processes {
    /// Waits for the other processes, if any. `None` if a stop is requested before all are connected.
    ///
    /// # Errors
    /// As for [`Cluster::join`]; a wrong `POD_NAME`.
    pub fn gather(config: &Config, stop: &Stop, status: &Status) -> Result<Option<Self>> {
        let pod = std::env::var("POD_NAME").ok();
        let Some(members) = Members::new(&config.cluster, pod.as_deref())? else {
            return Ok(Some(Self::Alone));
        };
        status.start().gather();
        let settings = (config.graph_settings(), config.topics.roles(), &config.publisher.transactional_id);
        let identity = Identity::new(&settings, config.workers)?;
        Ok(Cluster::join(&config.cluster, members, &identity, stop)?
            .map(|cluster| Self::Several(Box::new(cluster))))
    }

    /// Which one this is.
    pub fn index(&self) -> ProcessIndex {
        match self {
            Self::Alone => ProcessIndex { index: 0, count: 1 },
            Self::Several(cluster) => cluster.process(),
        }
    }

    /// Calls `decide` on the first process and returns its result on all of them.
    ///
    /// # Errors
    /// Errors of `decide`; a process is gone.
    pub fn agree<A: Serialize + DeserializeOwned>(
        &mut self,
        decide: impl FnOnce() -> Result<A>,
    ) -> Result<A> {
        match self {
            Self::Alone => decide(),
            Self::Several(cluster) => cluster.agree(decide),
        }
    }

    /// Runs the workers to their end. Once one of several processes is gone, the workers of the others cannot
    /// end by themselves.
    ///
    /// # Errors
    /// Errors of `work`; a worker panicked; other workers take too long to end.
    pub fn execute(
        self,
        config: &Config,
        stop: &Arc<Stop>,
        work: impl Fn(&mut Worker) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Ended> {
        let process = timely::Config::process(config.workers);
        let grace = match &self {
            Self::Alone => GracePeriods { after_failure: FAILURE_GRACE, after_stop: Duration::MAX },
            Self::Several(_) => {
                GracePeriods { after_failure: Duration::ZERO, after_stop: config.cluster.leave() }
            }
        };
        let work = failing(Arc::clone(stop), work);
        let workers = match self {
            Self::Alone => timely::execute(process, work),
            Self::Several(cluster) => {
                let Communication { allocators, threads } = cluster.communicate(config.workers, stop)?;
                timely::execute::execute_from(allocators, threads, process.worker, work)
            }
        };
        let workers = workers.map_err(|error| anyhow!("cannot start the workers: {error}"))?;
        watch(workers, stop, &grace)
    }
}

/// How long workers may take to end.
struct GracePeriods {
    after_failure: Duration,
    after_stop: Duration,
}

/// Reports the failure or panic of a worker as a failure of the pipeline.
fn failing<W>(stop: Arc<Stop>, work: W) -> impl Fn(&mut Worker) -> Result<()> + Send + Sync + 'static
where
    W: Fn(&mut Worker) -> Result<()> + Send + Sync + 'static,
{
    move |worker| {
        let guard = Panicking(&stop);
        let outcome = work(worker);
        if let Err(error) = &outcome {
            stop.fail(format!("{error:#}"));
        }
        drop(guard);
        outcome
    }
}

/// Reports a panic when it is dropped by one.
struct Panicking<'a>(&'a Stop);

impl Drop for Panicking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("a worker panicked; what it said is above".to_owned());
        }
    }
}

/// Waits for the workers as long as they can come to an end.
fn watch(workers: WorkerGuards<Result<()>>, stop: &Stop, grace: &GracePeriods) -> Result<Ended> {
    let joined = join(workers)?;
    let (mut failed_at, mut stopped_at) = (None, None);
    loop {
        match joined.recv_timeout(LOOK_EVERY) {
            Ok(outcome) => return outcome.map(|()| Ended::InOrder),
            Err(RecvTimeoutError::Disconnected) => bail!("the workers ended without a word"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if stop.failure().is_some()
            && failed_at.get_or_insert_with(Instant::now).elapsed() >= grace.after_failure
        {
            return Ok(Ended::NotAtAll);
        }
        if stop.is_asked() && stopped_at.get_or_insert_with(Instant::now).elapsed() >= grace.after_stop {
            stop.fail(format!(
                "what is in flight was not committed within cluster.leave_seconds = {}; it is read again at the next start",
                grace.after_stop.as_secs()
            ));
        }
    }
}

/// The outcome of the workers, after all of them have ended.
fn join(workers: WorkerGuards<Result<()>>) -> Result<Receiver<Result<()>>> {
    let (outcome, joined) = bounded(1);
    let join = move || {
        let joined = workers.join().into_iter();
        let joined = joined.map(|worker| worker.map_err(|panic| anyhow!("a worker stopped: {panic}"))?);
        // Nobody waits any more where the process ends without them.
        let _ = outcome.send(joined.collect());
    };
    std::thread::Builder::new().name("join workers".to_owned()).spawn(join)?;
    Ok(joined)
}
