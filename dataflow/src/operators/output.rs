//! Outputs of operators that emit vectors.

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// Gathers the data of an output into vectors.
pub type VecBuilder<D> = CapacityContainerBuilder<Vec<D>>;

/// One output of an operator, to be activated each time the operator is scheduled.
pub type VecOutput<D> = OutputBuilder<u64, VecBuilder<D>>;

/// Adds an output to `operator`, with the stream that it feeds.
pub fn add<'s, D: Clone + 'static>(
    operator: &mut OperatorBuilder<'s, u64>,
) -> (VecOutput<D>, StreamVec<'s, u64, D>) {
    let (output, stream) = operator.new_output();
    (OutputBuilder::from(output), stream)
}
