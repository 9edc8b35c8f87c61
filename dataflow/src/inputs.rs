//! The inputs of the graph on one worker, and the handles that feed them.

use crate::amendments::{Answer, Pending, SettleCustomer};
use crate::changes::ViewChange;
use crate::decode::Event;
use crate::operators::watermark::Clock;
use crate::resume::{Restored, RestoredCustomer, RestoredTransaction};
use crate::rules::RulesChange;
use streamflow_model::record::Record;
use timely::dataflow::operators::Input;
use timely::dataflow::operators::vec::input::Handle;
use timely::dataflow::{Scope, StreamVec};

/// The streams into the graph; each worker contributes what its own sources deliver.
pub struct Inputs<'s> {
    /// Decoded records of transaction topics.
    pub transactions: StreamVec<'s, u64, Event>,
    /// Records of dimension topics and the blacklist.
    pub dimensions: StreamVec<'s, u64, Record>,
    /// Changes of the rules.
    pub rules: StreamVec<'s, u64, RulesChange>,
    /// Announcements of partitions, clocks of those that have been read to their end, and ends: each on the
    /// worker that reads the partition.
    pub clocks: StreamVec<'s, u64, Clock>,
    /// What the tables hold about events that wait, from any worker.
    pub answers: StreamVec<'s, u64, Answer>,
    /// Customers whose transactions are to be settled early, from any worker.
    pub settle: StreamVec<'s, u64, SettleCustomer>,
    /// State read back from the tables.
    pub restored: Restored<'s>,
}

/// The handles of [`Inputs`], but for restored state. Dropping them ends the inputs.
pub struct InputHandles {
    /// Decoded records of transaction topics.
    pub transactions: Handle<u64, Event>,
    /// Records of dimension topics and the blacklist.
    pub dimensions: Handle<u64, Record>,
    /// Changes of the rules.
    pub rules: Handle<u64, RulesChange>,
    /// Announcements of this worker's partitions, clocks of those that have been read to their end, and ends.
    pub clocks: Handle<u64, Clock>,
    /// What the tables hold about events that wait.
    pub answers: Handle<u64, Answer>,
    /// Customers whose transactions are to be settled early.
    pub settle: Handle<u64, SettleCustomer>,
}

/// The handles of [`Restored`]. The graph decides nothing before all workers have dropped theirs.
pub struct RestoredHandles {
    /// Transactions within the horizon, the identity retention, open hours, and what detectors look back.
    pub transactions: Handle<u64, RestoredTransaction>,
    /// All customers.
    pub customers: Handle<u64, RestoredCustomer>,
    /// Rows of aggregates that can still change, the counts of quality and the books.
    pub views: Handle<u64, ViewChange>,
    /// Events that wait for an answer.
    pub pending: Handle<u64, Pending>,
}

impl<'s> Inputs<'s> {
    /// Inputs in `scope`, all in epoch 0.
    #[must_use]
    pub fn new(scope: Scope<'s, u64>) -> (InputHandles, RestoredHandles, Self) {
        let (transactions_in, transactions) = scope.new_input();
        let (dimensions_in, dimensions) = scope.new_input();
        let (rules_in, rules) = scope.new_input();
        let (clocks_in, clocks) = scope.new_input();
        let (answers_in, answers) = scope.new_input();
        let (settle_in, settle) = scope.new_input();
        let (restored_transactions_in, restored_transactions) = scope.new_input();
        let (customers_in, customers) = scope.new_input();
        let (views_in, views) = scope.new_input();
        let (pending_in, pending) = scope.new_input();
        let handles = InputHandles {
            transactions: transactions_in,
            dimensions: dimensions_in,
            rules: rules_in,
            clocks: clocks_in,
            answers: answers_in,
            settle: settle_in,
        };
        let restored_handles = RestoredHandles {
            transactions: restored_transactions_in,
            customers: customers_in,
            views: views_in,
            pending: pending_in,
        };
        let restored = Restored { transactions: restored_transactions, customers, views, pending };
        (
            handles,
            restored_handles,
            Self { transactions, dimensions, rules, clocks, answers, settle, restored },
        )
    }
}

impl InputHandles {
    /// Opens `epoch` in every input and completes the ones before it.
    pub fn advance_to(&mut self, epoch: u64) {
        self.transactions.advance_to(epoch);
        self.dimensions.advance_to(epoch);
        self.rules.advance_to(epoch);
        self.clocks.advance_to(epoch);
        self.answers.advance_to(epoch);
        self.settle.advance_to(epoch);
    }
}
