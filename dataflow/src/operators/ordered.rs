//! `flat_map` and `broadcast` that keep the order within an epoch.
//!
//! Timely's own operators gather the containers of one time by an unstable sort, so with more than twenty of
//! them the order is lost. Upserts need it: the last row of a key wins.

use timely::ExchangeData;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

/// Maps each datum to any number of others, in order.
pub fn flat_map<'s, D, I, L>(
    name: &str,
    stream: StreamVec<'s, u64, D>,
    mut logic: L,
) -> StreamVec<'s, u64, I::Item>
where
    D: Clone + 'static,
    I: IntoIterator<Item: Clone + 'static>,
    L: FnMut(D) -> I + 'static,
{
    stream.unary(Pipeline, name, move |_, _| {
        move |input, output| {
            input.for_each(|capability, data| {
                output.session(&capability).give_iterator(data.drain(..).flat_map(&mut logic));
            });
        }
    })
}

/// Sends every datum to every worker; the data of one sender stay in order.
pub fn broadcast<'s, D: ExchangeData + Clone>(
    name: &str,
    stream: StreamVec<'s, u64, D>,
) -> StreamVec<'s, u64, D> {
    let peers = stream.scope().peers() as u64;
    let addressed = flat_map(name, stream, move |datum| (0..peers).map(move |peer| (peer, datum.clone())));
    addressed.unary(Exchange::new(|(peer, _): &(u64, D)| *peer), name, |_, _| {
        |input, output| {
            input.for_each(|capability, data| {
                output.session(&capability).give_iterator(data.drain(..).map(|(_, datum)| datum));
            });
        }
    })
}
