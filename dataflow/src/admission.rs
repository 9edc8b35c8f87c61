//! Admission: which events of transaction topics are taken, partition by partition, in the order of offsets.
//!
//! Law: an event is too late if it is older than its partition time less the horizon, unless it corrects or
//! voids: then `identity` decides. A partition time is the
//! largest record timestamp in the partition up to the event, or a later clock that was given in an earlier
//! epoch, because the partition had been read to its end. A clock that is right is never past a record that is
//! still to come, so the partition's prefix alone decides, and any replay decides the same. Where a clock was
//! wrong, what the graph has made final by it stays final. In files a line's record timestamp is its own event
//! time.

use crate::admitted_event::AdmittedEvent;
use crate::changes::PartitionPosition;
use crate::decode::{Decoded, Event, Refusal};
use crate::operators::output;
use crate::operators::stash::Stash;
use crate::operators::watermark::{Clock, PartitionTime};
use crate::partitions::Partitions;
use crate::resume::Resume;
use crate::settings::Settings;
use crate::tally::{Observation, Tallies, Tally};
use streamflow_model::dead_letter::PAYLOAD_LIMIT;
use streamflow_model::record::Record;
use streamflow_model::timestamp::{Rfc3339, SECOND};
use streamflow_model::{DeadLetter, Reason};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// The outputs of [`admit`].
pub struct Admitted<'s> {
    /// Events that are admitted.
    pub events: StreamVec<'s, u64, AdmittedEvent>,
    /// Events that are not.
    pub dead_letters: StreamVec<'s, u64, DeadLetter>,
    /// Counts of observations.
    pub tallies: StreamVec<'s, u64, Tally>,
    /// The position of each partition with new records.
    pub progress: StreamVec<'s, u64, PartitionPosition>,
    /// The time of each partition with new records.
    pub partition_times: StreamVec<'s, u64, PartitionTime>,
}

/// Admits the events that this worker's sources deliver, from the positions in `resume` on. `clocks` are the
/// announcements and clocks of their partitions.
pub fn admit<'s>(
    settings: &Settings,
    resume: &Resume,
    events: StreamVec<'s, u64, Event>,
    clocks: StreamVec<'s, u64, Clock>,
) -> Admitted<'s> {
    let mut builder = OperatorBuilder::new("admission".to_owned(), events.scope());
    let mut events = builder.new_input(events, Pipeline);
    let mut clocks = builder.new_input(clocks, Pipeline);
    let (mut admitted_out, admitted) = output::add(&mut builder);
    let (mut letters_out, dead_letters) = output::add(&mut builder);
    let (mut tallies_out, tallies) = output::add(&mut builder);
    let (mut progress_out, progress) = output::add(&mut builder);
    let (mut partition_times_out, partition_times) = output::add(&mut builder);
    let mut admission = Admission::new(settings, resume);
    builder.build(move |_| {
        let mut stash = Stash::new(5);
        move |frontiers| {
            if streamflow_failpoint::is_stalled(streamflow_failpoint::ADMITTED) {
                return;
            }
            events.for_each(|capability, data| stash.hold_first(&capability, data));
            clocks.for_each(|capability, data| stash.hold_second(&capability, data));
            let (mut admitted_out, mut letters_out) = (admitted_out.activate(), letters_out.activate());
            let (mut tallies_out, mut progress_out) = (tallies_out.activate(), progress_out.activate());
            let mut partition_times_out = partition_times_out.activate();
            while let Some(epoch) = stash.next_complete(&[&frontiers[0], &frontiers[1]]) {
                let [on_admitted, on_letters, on_tallies, on_progress, on_times] =
                    epoch.capabilities.as_slice()
                else {
                    return;
                };
                let mut admitted = Vec::with_capacity(epoch.first.len());
                let mut letters = letters_out.session(on_letters);
                for event in epoch.first {
                    match admission.admit(event) {
                        Ok(event) => admitted.push(event),
                        Err(letter) => letters.give(*letter),
                    }
                }
                epoch.second.iter().for_each(|clock| admission.partitions.follow(clock));
                admitted_out.session(on_admitted).give_container(&mut admitted);
                tallies_out.session(on_tallies).give_iterator(admission.tallies.take());
                let progress = admission.partitions.take_moved();
                let times = progress.iter().filter_map(PartitionPosition::time);
                partition_times_out.session(on_times).give_iterator(times);
                progress_out.session(on_progress).give_iterator(progress.into_iter());
            }
        }
    });
    Admitted { events: admitted, dead_letters, tallies, progress, partition_times }
}

/// The state of admission.
struct Admission {
    horizon: i64,
    future_allowance: i64,
    file_now: i64,
    partitions: Partitions,
    tallies: Tallies,
}

impl Admission {
    fn new(settings: &Settings, resume: &Resume) -> Self {
        Self {
            horizon: settings.correction_horizon,
            future_allowance: settings.future_allowance,
            file_now: settings.file_now,
            partitions: Partitions::new(resume),
            tallies: Tallies::default(),
        }
    }

    fn admit(&mut self, event: Event) -> Result<AdmittedEvent, Box<DeadLetter>> {
        let Event { record, decoded } = event;
        let partition = self.partitions.read(&record);
        let decoded = decoded.and_then(|decoded| {
            let event_time = decoded.transaction.event_time;
            let now = record.appended_at.unwrap_or(self.file_now);
            future(event_time, now, self.future_allowance)?;
            // A line in the future must not make all others late, so its time counts only from here on.
            partition.observe(record.appended_at.unwrap_or(event_time));
            let partition_time = partition.time().unwrap_or(event_time);
            if !decoded.transaction.amends() {
                late(event_time, partition_time, self.horizon)?;
            }
            Ok((decoded, partition_time))
        });
        // Before a file's first readable line there is no time to count under.
        let observed_at = partition.time().unwrap_or(0);
        let topic = record.source.partition().topic();
        self.tallies.open(topic, observed_at);
        self.tallies.count(Observation::Read);
        match decoded {
            Ok((decoded, partition_time)) => Ok(admitted(record, decoded, partition_time)),
            Err(refusal) => {
                self.tallies.count(Observation::DeadLetter(refusal.reason));
                if refusal.invalid_amount {
                    self.tallies.count(Observation::InvalidAmount);
                }
                Err(Box::new(dead_letter(record, refusal)))
            }
        }
    }
}

fn future(event_time: i64, now: i64, allowance: i64) -> Result<(), Refusal> {
    if event_time <= now.saturating_add(allowance) {
        return Ok(());
    }
    let message = format!(
        "timestamp {}: must be at most {} s past {}",
        Rfc3339(event_time),
        allowance / SECOND,
        Rfc3339(now)
    );
    Err(Refusal::new(Reason::FutureTimestamp, message))
}

fn late(event_time: i64, partition_time: i64, horizon: i64) -> Result<(), Refusal> {
    let limit = partition_time.saturating_sub(horizon);
    if event_time >= limit { Ok(()) } else { Err(Refusal::new(Reason::TooLate, too_late(event_time, limit))) }
}

/// Says that an event at `event_time` had to be at or after `limit`, both microseconds since 1970.
pub(crate) fn too_late(event_time: i64, limit: i64) -> String {
    format!("timestamp {}: must be at or after {}", Rfc3339(event_time), Rfc3339(limit))
}

fn admitted(record: Record, decoded: Decoded, partition_time: i64) -> AdmittedEvent {
    AdmittedEvent {
        transaction: decoded.transaction,
        record_time: record.appended_at,
        partition_time,
        schema_version: decoded.schema_version,
        key: record.key,
        payload: record.payload.unwrap_or_default(),
    }
}

/// The dead letter of a record that admission refuses.
pub(crate) fn dead_letter(record: Record, refusal: Refusal) -> DeadLetter {
    DeadLetter {
        source: record.source,
        record_time: record.appended_at,
        reason: refusal.reason,
        message: refusal.message,
        key: record.key,
        payload: record.payload.map(|payload| payload.slice(..payload.len().min(PAYLOAD_LIMIT))),
        full_length: record.full_length,
    }
}
