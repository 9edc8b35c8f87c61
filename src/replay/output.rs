//! The writer of results: one thread, everything in an order that the data alone decides.

use super::Summary;
use super::results::Results;
use anyhow::Result;
use chrono_tz::Tz;
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::path::Path;
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::score::Settled;
use streamflow_model::PartitionId;

/// What workers send.
pub enum Message {
    /// Changes of views, of an epoch.
    Changes(u64, Vec<ViewChange>),
    /// Transactions that have become final, in an epoch.
    Settled(u64, Vec<Settled>),
    /// All epochs before this one are complete.
    Frontier(u64),
}

/// What has arrived for an epoch.
#[derive(Default)]
struct Epoch {
    changes: Vec<ViewChange>,
    settled: Vec<Vec<Settled>>,
}

/// Gathers epochs and writes them once they are complete.
pub struct Writer {
    epochs: BTreeMap<u64, Epoch>,
    results: Results,
}

impl Writer {
    /// Creates the files in `out`.
    pub fn create(out: &Path, zone: Tz, names: Vec<(PartitionId, String)>) -> Result<Self> {
        Ok(Self { epochs: BTreeMap::new(), results: Results::create(out, zone, names)? })
    }

    /// Writes what arrives until all senders are gone.
    pub fn run(mut self, messages: &Receiver<Message>) -> Result<Summary> {
        for message in messages {
            match message {
                Message::Changes(time, mut changes) => self.epoch(time).changes.append(&mut changes),
                Message::Settled(time, settled) => self.epoch(time).settled.push(settled),
                Message::Frontier(frontier) => self.write_before(frontier)?,
            }
        }
        self.write_before(u64::MAX)?;
        self.results.finish()
    }

    fn epoch(&mut self, time: u64) -> &mut Epoch {
        self.epochs.entry(time).or_default()
    }

    fn write_before(&mut self, frontier: u64) -> Result<()> {
        while let Some(first) = self.epochs.first_entry() {
            if *first.key() >= frontier {
                break;
            }
            let Epoch { changes, settled } = first.remove();
            self.results.write_epoch(changes, &settled)?;
        }
        Ok(())
    }
}
