//! Restores histories from the tables, in any order.

use super::entry::Entry;
use super::state::History;
use crate::resume::{RestoredCustomer, RestoredTransaction};

impl History {
    /// Everything has been restored.
    pub(super) fn finish_restoring(&mut self) {
        for slot in std::mem::take(&mut self.unordered) {
            self.customers.get_mut(slot).order_folded();
        }
    }

    /// Restores a customer's sums in a currency.
    pub(super) fn restore_customer(&mut self, restored: &RestoredCustomer) {
        let folded_before = self.folded_before();
        let slot = self.customers.slot(&restored.id);
        self.customers.get_mut(slot).restore(restored, folded_before);
    }

    /// Restores a transaction as an entry or, if it is folded, as far as detectors can still see it. Returns
    /// its customer's slot.
    pub(super) fn restore_transaction(&mut self, restored: &RestoredTransaction) -> u32 {
        let transaction = &restored.transaction;
        let slot = self.customers.slot(&transaction.customer);
        if transaction.event_time >= self.folded_before() {
            self.register(slot, transaction.event_time);
            let entry = Entry::restore(restored, &mut self.shared);
            self.customers.get_mut(slot).restore_entry(entry, self.block_length, &self.calendar);
            self.entries += 1;
        } else if !transaction.voided {
            let kept_from = self.folded_before() - self.folded_look_back();
            self.customers.get_mut(slot).restore_folded(transaction, kept_from);
            self.unordered.insert(slot);
        }
        slot
    }
}
