//! Lines of amended transactions that do not stand any more: they are taken out of the files at the end.

use super::archive::OwnLines;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use streamflow_model::Id;

/// By transaction id, which of its lines fall away, counted from 0.
type Lines = HashMap<Id, BTreeSet<u32>>;

/// The lines that fall away.
#[derive(Default)]
pub struct Removals {
    transactions: Lines,
    facts: Lines,
    alerts: Lines,
}

impl Removals {
    /// Takes note of a transaction's lines.
    pub fn add(&mut self, id: &Id, own: OwnLines) {
        let files = [
            (&mut self.transactions, Some(own.transaction)),
            (&mut self.facts, own.fact),
            (&mut self.alerts, own.alert),
        ];
        for (lines, own) in files {
            if let Some(own) = own {
                lines.entry(id.clone()).or_default().insert(own);
            }
        }
    }

    /// Takes the lines out of the files below `out`.
    pub fn apply(&self, out: &Path) -> Result<()> {
        let files = [
            ("silver/clean_transactions.jsonl", &self.transactions),
            ("gold/fact_transactions.jsonl", &self.facts),
            ("gold/fact_fraud_alerts.jsonl", &self.alerts),
            ("alerts.jsonl", &self.alerts),
        ];
        for (name, removed) in files.into_iter().filter(|(_, removed)| !removed.is_empty()) {
            let path = out.join(name);
            rewrite(&path, removed).with_context(|| format!("cannot rewrite {}", path.display()))?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    transaction_id: Cow<'a, str>,
}

/// Writes the file anew without the lines removed, and puts the new one in its place.
fn rewrite(path: &Path, removed: &Lines) -> Result<()> {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    let new = path.with_extension("jsonl.new");
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut writer = BufWriter::with_capacity(1 << 18, File::create(&new)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let row: Row<'_> = serde_json::from_slice(&line)?;
        let own = removed.get_key_value(row.transaction_id.as_ref());
        let falls = own.is_some_and(|(id, lines)| {
            let number = seen.entry(id).or_default();
            *number += 1;
            lines.contains(&(*number - 1))
        });
        if !falls {
            writer.write_all(&line)?;
        }
        line.clear();
    }
    writer.flush()?;
    Ok(std::fs::rename(&new, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_lines_of_a_transaction_fall_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.jsonl");
        let line = |id: &str, amount: u32| format!("{{\"amount\":{amount},\"transaction_id\":\"{id}\"}}\n");
        let before = [line("a", 1), line("b\\n", 2), line("a", 3), line("c", 4), line("a", 5)];
        std::fs::write(&path, before.concat()).unwrap();
        rewrite(&path, &HashMap::from([("a".into(), [0, 1].into()), ("b\n".into(), [0].into())])).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), [line("c", 4), line("a", 5)].concat());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
