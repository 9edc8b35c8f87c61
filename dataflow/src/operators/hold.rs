//! Holds finality back.
//!
//! Law: the time that comes out is the watermark, or the earliest hold in force where that is earlier. It only
//! grows, because a hold never begins before what was final in the epochs before it.

use super::earliest::Earliest;
use super::stash::Stash;
use super::watermark::{PartitionTime, Watermark};
use serde::{Deserialize, Serialize};
use streamflow_model::PartitionId;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

/// A hold that begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hold {
    /// The time at which the watermark stands while it is in force, microseconds since 1970.
    pub time: i64,
    /// It begins; otherwise one at this time ends.
    pub begins: bool,
}

/// The partition times as one, held back. Both inputs must hold everything on every worker.
pub fn hold<'s>(
    times: StreamVec<'s, u64, PartitionTime>,
    holds: StreamVec<'s, u64, Hold>,
) -> StreamVec<'s, u64, PartitionTime> {
    times.binary_frontier(holds, Pipeline, Pipeline, "hold", move |_, _| {
        let mut stash = Stash::<PartitionTime, Hold>::new(1);
        let (mut watermark, mut holds) = (Watermark::default(), Earliest::default());
        let mut held = i64::MIN;
        move |(times_in, times_frontier), (holds_in, holds_frontier), output| {
            times_in.for_each(|capability, data| stash.hold_first(&capability, data));
            holds_in.for_each(|capability, data| stash.hold_second(&capability, data));
            while let Some(epoch) = stash.next_complete(&[times_frontier, holds_frontier]) {
                watermark.update(epoch.first);
                for Hold { time, begins } in epoch.second {
                    if begins { holds.add(time) } else { holds.remove(time) }
                }
                let time = holds.get().unwrap_or(i64::MAX).min(watermark.time());
                if time > held
                    && let Some(capability) = epoch.capabilities.first()
                {
                    held = time;
                    output.session(capability).give(PartitionTime { partition: PartitionId::FIRST, time });
                }
            }
        }
    })
}
