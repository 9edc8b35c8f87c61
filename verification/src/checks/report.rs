//! The outcome of a check.

use crate::comparison::SAMPLE;
use crate::error::VerificationError;
use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// All is well.
    Pass,
    /// Somebody should look at it, or it cannot be decided.
    Warn,
    /// Something is wrong.
    Fail,
    /// The check could not be made: a right is missing, or a server went away.
    Error,
}

/// What a check found, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How it ended.
    #[serde(rename = "verdict")]
    pub grade: Grade,
    /// What it found, one line.
    pub found: String,
    /// What to do, if anything.
    pub advice: Option<String>,
    /// The first few cases.
    pub details: Vec<String>,
}

impl Outcome {
    /// All is well.
    pub fn pass(found: impl Into<String>) -> Self {
        Self { grade: Grade::Pass, found: found.into(), advice: None, details: Vec::new() }
    }

    /// Somebody should look at it.
    pub fn warn(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { grade: Grade::Warn, advice: Some(advice.into()), ..Self::pass(found) }
    }

    /// Something is wrong.
    pub fn fail(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { grade: Grade::Fail, ..Self::warn(found, advice) }
    }

    pub(super) fn error(error: &VerificationError) -> Self {
        let advice = "mend what the line says and verify again; a missing right: GRANT streamflow_writer";
        Self { grade: Grade::Error, ..Self::warn(format!("could not be checked: {error}"), advice) }
    }

    /// Adds the first few cases.
    pub fn with_details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// Names the outcome.
    pub fn of(self, name: impl Into<String>) -> Check {
        Check { name: name.into(), outcome: self }
    }
}

/// A named outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The family of the check, and the table or topic.
    #[serde(rename = "check")]
    pub name: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// All checks.
#[derive(Debug, Default)]
pub struct Report(Vec<Check>);

impl Report {
    /// Adds a check.
    pub fn add(&mut self, check: Check) {
        self.0.push(check);
    }

    /// Adds the checks of a family, or the error that prevented them.
    pub(super) fn add_family(&mut self, family: &str, checks: Result<Vec<Check>, VerificationError>) {
        let checks = self.made(family, checks);
        self.0.extend(checks.into_iter().flatten());
    }

    /// The result, or `None` after adding the error under the name.
    pub(super) fn made<T>(
        &mut self,
        name: impl Into<String>,
        result: Result<T, VerificationError>,
    ) -> Option<T> {
        result.map_err(|error| self.add(Outcome::error(&error).of(name))).ok()
    }

    /// The checks in the order in which they were made.
    pub fn checks(&self) -> &[Check] {
        &self.0
    }

    /// How many ended so.
    pub fn count(&self, grade: Grade) -> usize {
        self.0.iter().filter(|check| check.outcome.grade == grade).count()
    }
}

/// Cases of a difference: all are counted, the first few kept.
#[derive(Debug, Default)]
pub(super) struct Cases {
    pub(super) count: u64,
    pub(super) sample: Vec<String>,
}

impl Cases {
    pub(super) fn add(&mut self, case: impl FnOnce() -> String) {
        self.count += 1;
        if self.sample.len() < SAMPLE {
            self.sample.push(case());
        }
    }
}
