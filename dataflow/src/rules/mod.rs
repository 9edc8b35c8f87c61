//! Rules as data: which detectors look at which transactions, with which parameters, and how their scores
//! are combined.
//!
//! A [`RuleSet`] is what applies at an event time; its versions are timestamped input of the graph. One set is live;
//! shadow sets run beside it, and only what they would alert is recorded. Users
//! write a set as a JSON [`document`]; the configuration has one of each detector, [`Rules`].

pub mod action;
pub mod combination;
pub mod configured;
pub mod document;
pub mod kind;
pub mod rule;
pub mod rule_set;
pub mod segment;
pub mod set_name;
pub mod version;

pub use action::Action;
pub use combination::Combination;
pub use configured::Rules;
pub use kind::Kind;
pub use rule::Rule;
pub use rule_set::RuleSet;
pub use segment::Segment;
pub use set_name::SetName;
pub use version::{RulesChange, Version};
