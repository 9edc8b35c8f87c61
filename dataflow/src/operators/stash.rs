//! Input buffered until its epoch is complete.

use std::collections::BTreeMap;
use timely::dataflow::operators::{Capability, InputCapability};
use timely::progress::frontier::MutableAntichain;

/// All data of one epoch from two inputs, with the capabilities to emit output in it.
pub struct Epoch<A, B> {
    /// The epoch.
    pub time: u64,
    /// A capability for each output, in their order.
    pub capabilities: Vec<Capability<u64>>,
    /// The first input.
    pub first: Vec<A>,
    /// The second input.
    pub second: Vec<B>,
}

struct Held<A, B> {
    capabilities: Vec<Capability<u64>>,
    first: Vec<A>,
    second: Vec<B>,
}

impl<A, B> Default for Held<A, B> {
    fn default() -> Self {
        Self { capabilities: Vec::new(), first: Vec::new(), second: Vec::new() }
    }
}

/// Data of up to two inputs by epoch, with a capability for each of `outputs`.
pub struct Stash<A, B = ()> {
    outputs: usize,
    held: BTreeMap<u64, Held<A, B>>,
}

impl<A, B> Stash<A, B> {
    /// An empty stash of an operator with this many outputs.
    pub fn new(outputs: usize) -> Self {
        Self { outputs, held: BTreeMap::new() }
    }

    /// Adds `data` of the first input.
    pub fn hold_first(&mut self, capability: &InputCapability<u64>, data: &mut Vec<A>) {
        if let Some(held) = self.held(capability) {
            append(&mut held.first, data);
        }
    }

    /// Adds `data` of the second input.
    pub fn hold_second(&mut self, capability: &InputCapability<u64>, data: &mut Vec<B>) {
        if let Some(held) = self.held(capability) {
            append(&mut held.second, data);
        }
    }

    /// The earliest epoch with any input.
    pub fn first_epoch(&self) -> Option<u64> {
        self.held.keys().next().copied()
    }

    /// The earliest epoch, once all `frontiers` have passed it.
    pub fn next_complete(&mut self, frontiers: &[&MutableAntichain<u64>]) -> Option<Epoch<A, B>> {
        let entry = self.held.first_entry()?;
        if frontiers.iter().any(|frontier| frontier.less_equal(entry.key())) {
            return None;
        }
        let (time, Held { capabilities, first, second }) = entry.remove_entry();
        Some(Epoch { time, capabilities, first, second })
    }

    fn held(&mut self, capability: &InputCapability<u64>) -> Option<&mut Held<A, B>> {
        // A message without a time carries no data.
        let time = *capability.least()?;
        let held = self.held.entry(time).or_default();
        if held.capabilities.is_empty() {
            held.capabilities = (0..self.outputs).filter_map(|port| capability.retain_least(port)).collect();
        }
        Some(held)
    }
}

fn append<D>(held: &mut Vec<D>, data: &mut Vec<D>) {
    if held.is_empty() {
        std::mem::swap(held, data);
    } else {
        held.append(data);
    }
}
