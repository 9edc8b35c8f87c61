//! The writer of results: one thread, everything in an order that the data alone decides.

use super::answers::Round;
use super::results::{Epoch, Results};
use super::{Alerted, Summary};
use anyhow::Result;
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::score::{Amended, Settled};

/// What workers send.
pub enum Message {
    /// Changes of views, of an epoch.
    Changes(u64, Vec<ViewChange>),
    /// Transactions that have become final, in an epoch.
    Settled(u64, Vec<Settled>),
    /// Versions of final transactions that are retracted (-1) or asserted (1), in an epoch.
    Amended(u64, Vec<(Amended, isize)>),
    /// All epochs before this one are complete.
    Frontier(u64),
    /// The first worker wants to know what to give to the graph for events that wait.
    Round,
}

/// Gathers epochs and writes them once they are complete.
pub struct Writer {
    epochs: BTreeMap<u64, Epoch>,
    results: Results,
    rounds: Sender<Round>,
}

impl Writer {
    /// Writes `results`, and sends to `rounds` what is asked for.
    pub fn new(results: Results, rounds: Sender<Round>) -> Self {
        Self { epochs: BTreeMap::new(), results, rounds }
    }

    /// Writes what arrives until all senders are gone.
    pub fn run(mut self, messages: &Receiver<Message>) -> Result<(Summary, Option<Alerted>)> {
        for message in messages {
            match message {
                Message::Changes(time, mut changes) => self.epoch(time).changes.append(&mut changes),
                Message::Settled(time, settled) => self.epoch(time).settled.push(settled),
                Message::Amended(time, mut amended) => self.epoch(time).amended.append(&mut amended),
                Message::Frontier(frontier) => self.write_before(frontier)?,
                Message::Round => {
                    // A worker that has failed takes no more.
                    let _ = self.rounds.send(self.results.round()?);
                }
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
            self.results.write_epoch(first.remove())?;
        }
        Ok(())
    }
}
