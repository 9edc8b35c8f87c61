//! Data with what was settled when their epoch began.
//!
//! Law: a datum meets the instant that the partition times of all epochs before its own settled, and none of
//! its own epoch's or a later one's, in whatever order they arrive. That instant only grows.

use super::stash::Stash;
use super::watermark::{PartitionTime, Watermark};
use std::rc::Rc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{Stream, StreamVec};

/// What is settled at the start, and how far behind the watermark later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// Before the first epoch, everything before this instant was final; microseconds since 1970.
    pub restored: i64,
    /// The correction horizon, microseconds.
    pub horizon: i64,
}

/// Makes of each datum, and of the instant before which everything was final in the epochs before its own,
/// what `logic` says, in containers to be shared. `times` are the partition times, on every worker.
pub fn settled_before<'s, D: Clone + 'static, E: 'static>(
    name: &str,
    Settling { restored, horizon }: Settling,
    data: StreamVec<'s, u64, D>,
    times: StreamVec<'s, u64, PartitionTime>,
    logic: impl Fn(D, i64) -> Option<E> + 'static,
) -> Stream<'s, u64, Rc<Vec<E>>> {
    data.binary_frontier::<_, CapacityContainerBuilder<_>, _, _, _, _>(
        times,
        Pipeline,
        Pipeline,
        name,
        move |_, _| {
            let mut stash = Stash::<D, PartitionTime>::new(1);
            let mut watermark = Watermark::default();
            let mut settled = restored;
            move |(data, of_data), (times, of_times), output| {
                data.for_each(|capability, data| stash.hold_first(&capability, data));
                times.for_each(|capability, times| stash.hold_second(&capability, times));
                while let Some(mut epoch) = stash.next_complete(&[of_data, of_times]) {
                    let made: Vec<E> =
                        epoch.first.drain(..).filter_map(|datum| logic(datum, settled)).collect();
                    if let Some(capability) = epoch.capabilities.first().filter(|_| !made.is_empty()) {
                        output.session(capability).give_container(&mut Rc::new(made));
                    }
                    watermark.update(epoch.second);
                    settled = settled.max(watermark.settled(horizon));
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::time::Instant;
    use streamflow_model::PartitionId;
    use timely::communication::Allocator;
    use timely::communication::allocator::thread::Thread;
    use timely::dataflow::InputHandle;
    use timely::dataflow::operators::{Input, Inspect};
    use timely::worker::Worker;

    type Handle<D> = InputHandle<u64, CapacityContainerBuilder<Vec<D>>>;

    /// A datum, with its epoch and the instant that it met.
    type Met = Rc<RefCell<Vec<(u64, char, i64)>>>;

    /// Names, of which `-` is nobody's, 10 microseconds behind the partition times; 5 is settled at the start.
    fn build(worker: &mut Worker) -> (Handle<char>, Handle<PartitionTime>, Met) {
        let met = Met::default();
        let into = met.clone();
        worker.dataflow(|scope| {
            let (names, names_in) = scope.new_input();
            let (times, times_in) = scope.new_input();
            let settling = Settling { restored: 5, horizon: 10 };
            let name = |name, settled| (name != '-').then_some((name, settled));
            let with_settled = settled_before("test", settling, names_in, times_in, name);
            with_settled.inspect_core(move |event| {
                if let Ok((stamp, some)) = event
                    && let Some(epoch) = stamp.least()
                {
                    into.borrow_mut().extend(some.iter().map(|(name, settled)| (*epoch, *name, *settled)));
                }
            });
            (names, times, met)
        })
    }

    fn worker() -> Worker {
        Worker::new(Default::default(), Allocator::Thread(Thread::default()), Some(Instant::now()))
    }

    #[test]
    fn a_datum_meets_what_earlier_epochs_have_settled() {
        let mut worker = worker();
        let (mut names, mut times, met) = build(&mut worker);
        let time = |time| PartitionTime { partition: PartitionId::FIRST, time };
        names.send('a');
        names.advance_to(1);
        names.send('b');
        names.send('-');
        names.advance_to(2);
        names.send('c');
        worker.step();
        times.send(time(8));
        times.advance_to(1);
        worker.step();
        times.send(time(30));
        times.advance_to(2);
        worker.step();
        times.send(time(i64::MAX));
        names.advance_to(3);
        names.send('d');
        drop((names, times));
        while worker.step() {}
        assert_eq!(met.take(), [(0, 'a', 5), (1, 'b', 5), (2, 'c', 20), (3, 'd', i64::MAX)]);
    }

    #[test]
    fn a_partition_that_is_announced_later_opens_nothing() {
        let mut worker = worker();
        let (mut names, mut times, met) = build(&mut worker);
        for (epoch, (number, time)) in (1..).zip([(0, 30), (1, i64::MIN), (1, 40), (0, 60)]) {
            times.send(PartitionTime { partition: PartitionId::new(0, number).unwrap(), time });
            times.advance_to(epoch);
            names.advance_to(epoch);
            names.send('x');
        }
        drop((names, times));
        while worker.step() {}
        let settled: Vec<i64> = met.take().into_iter().map(|(_, _, settled)| settled).collect();
        assert_eq!(settled, [20, 20, 20, 30]);
    }
}
