//! Activity and state of a worker's operators, from timely's log and from the log of the operators
//! themselves.

use super::status::{Held, OperatorReport};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use streamflow_dataflow::operators::state_size::{self, StateSize, StateSizeBuilder};
use timely::logging::{ChannelsEvent, OperatesEvent, StartStop, TimelyEvent, TimelyEventBuilder};
use timely::worker::Worker;

/// The operators of one worker, from timely's logs.
#[derive(Clone)]
pub struct Activity(Rc<RefCell<Operators>>);

#[derive(Default)]
struct Operators {
    /// Operators by the worker's operator ids.
    operators: Vec<Operator>,
    /// Channels to first inputs, with the addresses of the operators that they lead to.
    channels: Vec<(usize, Vec<usize>)>,
    /// These operators, by the worker's channel ids.
    targets: Vec<Option<usize>>,
}

#[derive(Clone, Default)]
struct Operator {
    /// Empty for scopes, such as the dataflow itself.
    name: String,
    /// The last time it was scheduled, by the log's clock.
    begun: Duration,
    invocations: u64,
    busy: Duration,
    received: u64,
    held: Option<Held>,
}

impl Activity {
    /// Subscribes to the logs of dataflows that `worker` builds from now on.
    pub fn listen(worker: &Worker) -> Self {
        let activity = Self(Rc::default());
        if let Some(mut register) = worker.log_register() {
            let operators = Rc::clone(&activity.0);
            register.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
                let mut operators = operators.borrow_mut();
                events.iter_mut().flatten().for_each(|(at, event)| operators.observe(*at, event));
            });
            let operators = Rc::clone(&activity.0);
            register.insert::<StateSizeBuilder, _>(state_size::LOG, move |_, events| {
                let mut operators = operators.borrow_mut();
                events.iter_mut().flatten().for_each(|(_, size)| operators.set_state_size(*size));
            });
        }
        activity
    }

    /// The operators, added up by name.
    pub fn look(&self) -> Vec<OperatorReport> {
        let mut reports: BTreeMap<&str, OperatorReport> = BTreeMap::new();
        let operators = self.0.borrow();
        for operator in operators.operators.iter().filter(|operator| !operator.name.is_empty()) {
            let report = reports.entry(&operator.name).or_default();
            report.name.clone_from(&operator.name);
            report.invocations += operator.invocations;
            report.busy += operator.busy;
            report.received += operator.received;
            if let Some(Held { records, bytes }) = operator.held {
                let held = report.held.get_or_insert_default();
                held.records += records;
                held.bytes += bytes;
            }
        }
        reports.into_values().collect()
    }
}

impl Operators {
    fn operator(&mut self, number: usize) -> &mut Operator {
        if self.operators.len() <= number {
            self.operators.resize(number + 1, Operator::default());
        }
        &mut self.operators[number]
    }

    /// A dataflow logs its channels, then its operators, then messages.
    fn add_channel(&mut self, event: &ChannelsEvent) {
        let (operator, port) = event.target;
        // The first input is what an operator is for; others bring times and rules, or what is restored.
        if port == 0 {
            let target = event.scope_addr.iter().copied().chain([operator]).collect();
            self.channels.push((event.id, target));
        }
    }

    fn add_operator(&mut self, event: &OperatesEvent) {
        self.operator(event.id).name.clone_from(&event.name);
        for (channel, _) in self.channels.iter().filter(|(_, target)| *target == event.addr) {
            if self.targets.len() <= *channel {
                self.targets.resize(channel + 1, None);
            }
            self.targets[*channel] = Some(event.id);
        }
    }

    fn observe(&mut self, at: Duration, event: &TimelyEvent) {
        match event {
            // A dataflow has an address of one part; its time is that of the operators in it.
            TimelyEvent::Operates(event) if event.addr.len() > 1 => self.add_operator(event),
            TimelyEvent::Channels(event) => self.add_channel(event),
            TimelyEvent::Messages(message) if !message.is_send => {
                if let Some(operator) = self.targets.get(message.channel).copied().flatten() {
                    self.operators[operator].received += u64::try_from(message.record_count).unwrap_or(0);
                }
            }
            TimelyEvent::Schedule(event) => {
                let operator = self.operator(event.id);
                match event.start_stop {
                    StartStop::Start => operator.begun = at,
                    StartStop::Stop => {
                        operator.invocations += 1;
                        operator.busy += at.saturating_sub(operator.begun);
                    }
                }
            }
            _ => {}
        }
    }

    fn set_state_size(&mut self, size: StateSize) {
        let StateSize { operator, records, bytes } = size;
        self.operator(operator).held = Some(Held { records, bytes });
    }
}
