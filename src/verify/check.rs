//! What a check comes to.

use serde::Serialize;
use std::process::ExitCode;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Pass,
    /// Somebody should look at it, or it cannot be decided.
    Warn,
    /// Something is wrong.
    Fail,
    /// It could not be made: a right is missing, a server went away.
    Error,
}

impl Verdict {
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

/// How a check ended, what it found, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// What it found, one line.
    pub found: String,
    /// What to do; none where nothing is to be done.
    pub advice: Option<String>,
    /// A few cases of what is wrong.
    pub details: Vec<String>,
}

impl Outcome {
    /// All is well.
    pub fn pass(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, found: found.into(), advice: None, details: Vec::new() }
    }

    /// Somebody should look.
    pub fn warn(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, advice: Some(advice.into()), ..Self::pass(found) }
    }

    /// Something is wrong.
    pub fn fail(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(found, advice) }
    }

    /// The check could not be made.
    pub fn error(error: &anyhow::Error) -> Self {
        let advice = "mend what the line says and verify again; a missing right: GRANT streamflow_writer";
        Self { verdict: Verdict::Error, ..Self::warn(format!("could not be checked: {error:#}"), advice) }
    }

    /// The same with a few cases.
    pub fn with_details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// The outcome under a name.
    pub fn of(self, name: impl Into<String>) -> Check {
        Check { name: name.into(), outcome: self }
    }
}

/// A check that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked: the family, and the table or topic.
    #[serde(rename = "check")]
    pub name: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// All checks that were made.
#[derive(Debug, Default)]
pub struct Report(Vec<Check>);

impl Report {
    /// Adds a check.
    pub fn add(&mut self, check: Check) {
        self.0.push(check);
    }

    /// Adds the checks of a family, or that they could not be made.
    pub fn add_family(&mut self, family: &str, checks: anyhow::Result<Vec<Check>>) {
        match checks {
            Ok(checks) => self.0.extend(checks),
            Err(error) => self.add(Outcome::error(&error).of(family)),
        }
    }

    /// All of them, in the order in which they were made.
    pub fn checks(&self) -> &[Check] {
        &self.0
    }

    /// How many ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|check| check.outcome.verdict == verdict).count()
    }

    /// 1 where a check failed, else 2 where one could not be made, else 0.
    pub fn exit_code(&self) -> ExitCode {
        if self.count(Verdict::Fail) > 0 {
            ExitCode::from(1)
        } else if self.count(Verdict::Error) > 0 {
            ExitCode::from(2)
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Cases of what is wrong: all are counted, the first few kept.
#[derive(Debug, Default)]
pub struct Cases {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub sample: Vec<String>,
}

/// Cases that are kept.
const SAMPLE: usize = 4;

impl Cases {
    /// Counts a case.
    pub fn add(&mut self, case: impl FnOnce() -> String) {
        self.count += 1;
        if self.sample.len() < SAMPLE {
            self.sample.push(case());
        }
    }
}
