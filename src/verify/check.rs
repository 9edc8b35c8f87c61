//! The outcome of a check.

use serde::Serialize;
use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// All is well.
    Pass,
    /// Somebody should look at it, or it cannot be decided.
    Warn,
    Fail,
    /// The check could not be made: a right is missing, or a server went away.
    Error,
}

impl Grade {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::Error => "error",
        }
    }
}

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
    pub fn pass(found: impl Into<String>) -> Self {
        Self { grade: Grade::Pass, found: found.into(), advice: None, details: Vec::new() }
    }

    pub fn warn(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { grade: Grade::Warn, advice: Some(advice.into()), ..Self::pass(found) }
    }

    pub fn fail(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { grade: Grade::Fail, ..Self::warn(found, advice) }
    }

    pub fn error(error: &anyhow::Error) -> Self {
        let advice = "mend what the line says and verify again; a missing right: GRANT streamflow_writer";
        Self { grade: Grade::Error, ..Self::warn(format!("could not be checked: {error:#}"), advice) }
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The family of the check, and the table or topic.
    #[serde(rename = "check")]
    pub name: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Debug, Default)]
pub struct Report(Vec<Check>);

impl Report {
    pub fn add(&mut self, check: Check) {
        self.0.push(check);
    }

    /// Adds the checks of a family, or the error that prevented them.
    pub fn add_family(&mut self, family: &str, checks: anyhow::Result<Vec<Check>>) {
        match checks {
            Ok(checks) => self.0.extend(checks),
            Err(error) => self.add(Outcome::error(&error).of(family)),
        }
    }

    /// The checks in the order in which they were made.
    pub fn checks(&self) -> &[Check] {
        &self.0
    }

    /// How many ended so.
    pub fn count(&self, grade: Grade) -> usize {
        self.0.iter().filter(|check| check.outcome.grade == grade).count()
    }

    /// 1 if a check failed, else 2 if one could not be made, else 0.
    pub fn exit_code(&self) -> ExitCode {
        if self.count(Grade::Fail) > 0 {
            ExitCode::from(1)
        } else if self.count(Grade::Error) > 0 {
            ExitCode::from(2)
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Cases of a difference: all are counted, the first few kept.
#[derive(Debug, Default)]
pub struct Cases {
    pub count: u64,
    pub sample: Vec<String>,
}

const SAMPLE: usize = 4;

impl Cases {
    pub fn add(&mut self, case: impl FnOnce() -> String) {
        self.count += 1;
        if self.sample.len() < SAMPLE {
            self.sample.push(case());
        }
    }
}
