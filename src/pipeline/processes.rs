//! The processes of a pipeline: this one alone, or several that work as one.

use super::status::Status;
use crate::cluster::{Cluster, Communication, Decision, Identity, Members, ProcessIndex, Site, Ties};
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

/// How long they may take to end after another process was lost: a query under way is not broken off.
const LOSS_GRACE: Duration = Duration::from_secs(300);

/// Where the processes meet.
pub enum Meeting {
    /// One process with all workers.
    Alone,
    /// Several processes.
    Several(Arc<Site>),
}

impl Meeting {
    /// Listens for the other processes, if any.
    ///
    /// # Errors
    /// As for [`Site::open`]; a wrong `POD_NAME`.
    pub fn open(config: &Config, stop: &Stop) -> Result<Self> {
        let pod = std::env::var("POD_NAME").ok();
        let Some(members) = Members::new(&config.cluster, pod.as_deref())? else { return Ok(Self::Alone) };
        let settings = (config.graph_settings(), config.topics.roles(), &config.publisher.transactional_id);
        let identity = Identity::new(&settings, config.workers)?;
        Ok(Self::Several(Arc::new(Site::open(&config.cluster, members, identity, stop)?)))
    }

    /// Waits for the other processes, if any. `None` if a stop is requested before.
    ///
    /// # Errors
    /// As for [`Cluster::join`].
    pub fn gather(&self, stop: &Stop, status: &Status) -> Result<Option<Processes>> {
        let Self::Several(site) = self else { return Ok(Some(Processes::Alone)) };
        status.start().gather();
        Ok(Cluster::join(site, stop)?.map(|cluster| Processes::Several(Box::new(cluster))))
    }
}

pub enum Processes {
    /// One process with all workers.
    Alone,
    /// Several processes, connected.
    Several(Box<Cluster>),
}

/// How workers have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The workers have ended, and all threads between processes.
    All,
    /// The workers do not end after a failure: the process must.
    NotAtAll,
}

impl Processes {
    /// Which one this is.
    pub fn index(&self) -> ProcessIndex {
        match self {
            Self::Alone => ProcessIndex { index: 0, count: 1, number: 0 },
            Self::Several(cluster) => cluster.process(),
        }
    }

    /// Whether these are all that there are.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Alone => true,
            Self::Several(cluster) => cluster.is_complete(),
        }
    }

    /// Calls `decide` on the first process and returns its result on all of them; `None` if they are not to begin, for
    /// a reason that `stop` knows.
    ///
    /// # Errors
    /// Errors of `decide`.
    pub fn agree<A: Serialize + DeserializeOwned>(
        &mut self,
        stop: &Stop,
        decide: impl FnOnce() -> Result<Decision<A>>,
    ) -> Result<Option<A>> {
        match self {
            Self::Several(cluster) => cluster.agree(stop, decide),
            Self::Alone => match decide()? {
                Decision::Begin(agreed) => Ok(Some(agreed)),
                Decision::Wait(reason) => bail!(reason),
            },
        }
    }

    /// Runs the workers to their end. Once one of several processes is gone, the others give the dataflow up.
    ///
    /// # Errors
    /// Errors of `work`; a worker panicked; workers take too long to end.
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
        let workers = match self {
            Self::Alone => timely::execute(process, failing(Arc::clone(stop), None, work)),
            Self::Several(cluster) => {
                let Communication { allocators, threads, ties } =
                    cluster.communicate(config.workers, stop)?;
                let work = failing(Arc::clone(stop), Some(ties), work);
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

/// Reports the failure or panic of a worker as a failure of the pipeline. Where the dataflow cannot come to its end,
/// it is given up, and the other processes are left to notice it by their connections.
fn failing<W>(
    stop: Arc<Stop>,
    ties: Option<Arc<Ties>>,
    work: W,
) -> impl Fn(&mut Worker) -> Result<()> + Send + Sync + 'static
where
    W: Fn(&mut Worker) -> Result<()> + Send + Sync + 'static,
{
    move |worker| {
        let guard = Panicking(&stop);
        let outcome = work(worker);
        if let Err(error) = &outcome {
            stop.fail(format!("{error:#}"));
        }
        if let Some(ties) = &ties {
            end(worker, &stop, ties);
        }
        drop(guard);
        outcome
    }
}

/// Steps until no dataflow is left, or they cannot come to their end.
fn end(worker: &mut Worker, stop: &Stop, ties: &Ties) {
    while worker.has_dataflows() && !stop.is_broken() {
        worker.step_or_park(Some(LOOK_EVERY));
    }
    if worker.has_dataflows() {
        ties.cut();
        worker.installed_dataflows().into_iter().for_each(|dataflow| worker.drop_dataflow(dataflow));
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
    let (mut failed_at, mut broken_at, mut stopped_at) = (None, None, None);
    let is_over = |at: &mut Option<Instant>, grace| at.get_or_insert_with(Instant::now).elapsed() >= grace;
    loop {
        match joined.recv_timeout(LOOK_EVERY) {
            // What failed of a dataflow that is given up does not count: see `Stop::fail`.
            Ok(_) if stop.is_broken() && stop.failure().is_none() => return Ok(Ended::All),
            Ok(outcome) => return outcome.map(|()| Ended::All),
            Err(RecvTimeoutError::Disconnected) => bail!("the workers ended without a word"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if stop.failure().is_some() && is_over(&mut failed_at, grace.after_failure) {
            return Ok(Ended::NotAtAll);
        }
        if stop.is_broken() {
            if is_over(&mut broken_at, LOSS_GRACE) {
                stop.end("the workers do not end after the loss of another process".to_owned());
            }
        } else if stop.is_asked() && is_over(&mut stopped_at, grace.after_stop) {
            let late = format!(
                "what is in flight was not committed within cluster.leave_seconds = {}; it is read again at the next start",
                grace.after_stop.as_secs()
            );
            // Whoever is to end does not wait for what may never come.
            if stop.is_asked_here() { stop.fail(late) } else { stop.lose(late) }
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
