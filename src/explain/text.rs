//! An explanation as sentences.

use super::context::{ContextValues, EarlierPlace};
use super::explanation::{Explanation, Verdicts};
use super::flips::{Flip, Flips, Respect};
use serde_json::Value;
use std::fmt::{self, Display, Formatter};

/// Displays an explanation as sentences.
pub struct Sentences<'a>(&'a Explanation);

impl Explanation {
    /// As sentences.
    pub fn text(&self) -> Sentences<'_> {
        Sentences(self)
    }
}

impl Display for Sentences<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Explanation { known_at, verdict, context, flips, notes, .. } = self.0;
        if let Some(known_at) = known_at {
            writeln!(f, "As known at {known_at}:")?;
        }
        self.transaction(f)?;
        write_verdict(f, verdict)?;
        self.events(f)?;
        self.changes(f)?;
        write_context(f, context, &text(&self.0.transaction["currency"]))?;
        if let Some(flips) = flips {
            write_flips(f, flips)?;
        }
        notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

impl Sentences<'_> {
    fn transaction(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Explanation { transaction_id, transaction: of, .. } = self.0;
        let (customer, store, amount) =
            (text(&of["customer_id"]), text(&of["store_id"]), text(&of["amount"]));
        let (currency, at) = (text(&of["currency"]), text(&of["transaction_at"]));
        write!(
            f,
            "{} is a payment of {amount} {currency} by {customer} at {store}, {at}",
            plain(transaction_id)
        )?;
        if let Some(method) = of["payment_method"].as_str() {
            write!(f, ", with {}", plain(method))?;
        }
        if let Some(revision) = of["revision"].as_u64().filter(|revision| *revision > 0) {
            write!(f, ", in revision {revision}")?;
        }
        if of["voided"] == true {
            write!(f, ", voided")?;
        }
        writeln!(f, " (event {}).", position(of))
    }

    fn events(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let events = array(&self.0.events);
        if !events.is_empty() {
            writeln!(f, "\nIts versions:")?;
        }
        for event in events {
            let (read, amount) = (text(&event["ingested_at"]), text(&event["amount"]));
            let voided = if event["voided"] == true { ", voided" } else { "" };
            let revision = &event["revision"];
            writeln!(f, "  read {read}: revision {revision}, {amount}{voided} (event {})", position(event))?;
        }
        Ok(())
    }

    fn changes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let changes = array(&self.0.changes);
        if changes.is_empty() {
            return writeln!(f, "\nIt was never alerted.");
        }
        writeln!(f, "\nChanges of its alert:")?;
        for change in changes {
            let (what, at, score) =
                (text(&change["change"]), text(&change["detected_at"]), text(&change["fraud_score"]));
            let cause = text(&change["cause"]);
            let cause = because(&cause);
            writeln!(f, "  {} {what} {at} because {cause}, with score {score}", change["sequence"])?;
            for event in array(&change["events"]) {
                writeln!(f, "      by event {} of {}", position(event), text(&event["transaction_id"]))?;
            }
            for entry in array(&change["list_changes"]) {
                let what = if entry["removed"] == true { "removed" } else { "listed" };
                let (kind, id) = (text(&entry["entity"]), text(&entry["id"]));
                writeln!(f, "      by version {} of the list: {kind} {id} {what}", entry["version"])?;
            }
            writeln!(f, "      under {}", rules_version(&change["rules_version"]))?;
            for (rule, details) in change["rule_details"].as_object().into_iter().flatten() {
                writeln!(f, "      {rule} {}", plain(&details.to_string()))?;
            }
        }
        Ok(())
    }
}

fn because(cause: &str) -> &str {
    match cause {
        "transaction" => "it arrived",
        "late_event" => "an earlier transaction arrived after it",
        "correction" => "it or an earlier transaction was corrected",
        "void" => "it or an earlier transaction was voided",
        "list_change" => "the blacklist changed",
        "rule_change" => "the rules changed",
        other => other,
    }
}

fn write_verdict(f: &mut Formatter<'_>, verdict: &Verdicts) -> fmt::Result {
    let Verdicts { recorded, evaluated, .. } = verdict;
    let alerted = if recorded.is_fraud { "alerted" } else { "not alerted" };
    let (score, threshold) = (&evaluated.fraud_score, &evaluated.alert_threshold);
    let score = recorded.fraud_score.as_ref().unwrap_or(score);
    let version = rules_version(&evaluated.rules_version);
    writeln!(f, "It is {alerted}: its score is {score}, alerts begin at {threshold}, under {version}.")?;
    if evaluated.rules.is_empty() {
        writeln!(f, "  No rule triggers.")?;
    }
    for hit in &evaluated.rules {
        writeln!(f, "  {} scores {}, weight {}: {}", hit.rule, hit.score, hit.weight, plain(&hit.reason))?;
    }
    Ok(())
}

fn rules_version(version: &Value) -> String {
    if version.is_null() {
        return "rules of which no version is on record".to_owned();
    }
    let (author, note) = (text(&version["author"]), text(&version["note"]));
    let by = format!("version {} of the rules by {author}", version["version"]);
    if note.is_empty() { by } else { format!("{by} ({note})") }
}

fn write_context(f: &mut Formatter<'_>, context: &ContextValues, currency: &str) -> fmt::Result {
    writeln!(f, "\nBefore it:")?;
    let mean = context.mean_amount.as_deref().unwrap_or("none");
    let (count, total) = (context.count, &context.total_amount);
    writeln!(f, "  {count} transactions in {currency}: {total} in all, mean {mean}")?;
    if let Some(mean) = context.mean_minute {
        let deviation = context.minute_deviation.map_or("none".to_owned(), |deviation| deviation.to_string());
        let count = context.minute_count;
        writeln!(
            f,
            "  {count} in any currency: mean minute of the day {mean}, standard deviation {deviation}"
        )?;
    }
    writeln!(f, "  {} in the {} seconds before", context.in_window, context.window_seconds)?;
    for earlier in &context.recent {
        let (id, amount, at) = (plain(&earlier.transaction_id), &earlier.amount, &earlier.transaction_at);
        writeln!(f, "      {at} {amount} {} {id} (event {})", earlier.currency, earlier.position)?;
    }
    if let Some(EarlierPlace { earlier, seconds_before, km, .. }) = &context.last_place {
        let away = km.map(|km| format!(", {km} km away")).unwrap_or_default();
        let (id, position) = (plain(&earlier.transaction_id), &earlier.position);
        writeln!(
            f,
            "  the last one with a place: {id} {seconds_before} seconds before{away} (event {position})"
        )?;
    }
    if let Some(listed) = &context.listing {
        let reason =
            listed.reason.as_deref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        writeln!(f, "  the {} {} is on the blacklist{reason}", listed.entity, plain(&listed.id))?;
    }
    Ok(())
}

fn write_flips(f: &mut Formatter<'_>, flips: &Flips) -> fmt::Result {
    writeln!(f, "\nThe smallest change of one thing that gives the other verdict:")?;
    write_respect(f, "amount", "less", "more", &flips.amount)?;
    write_respect(f, "time", "earlier", "later", &flips.time)?;
    write_respect(f, "threshold", "lower", "higher", &flips.threshold)
}

fn write_respect(f: &mut Formatter<'_>, name: &str, down: &str, up: &str, respect: &Respect) -> fmt::Result {
    let Respect { lowest, highest, thorough_within, .. } = respect;
    if respect.down.is_none() && respect.up.is_none() {
        return writeln!(
            f,
            "  {name}: none found from {lowest} to {highest}; each step was tried within {thorough_within}"
        );
    }
    for (flip, direction) in [(&respect.down, down), (&respect.up, up)] {
        let Some(Flip { value, by, is_fraud, fraud_score, is_proven }) = flip else { continue };
        let verdict = if *is_fraud { "alerted" } else { "not alerted" };
        let proven = if *is_proven { "" } else { "; a nearer one may exist, as not every step was tried" };
        writeln!(
            f,
            "  {name}: {value}, which is {by} {direction}, is {verdict} with score {fraud_score}{proven}"
        )?;
    }
    Ok(())
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text of the database; numbers as they are, nothing for null.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Null => String::new(),
        other => plain(&other.to_string()),
    }
}

/// Without characters that would move the cursor or hide text.
fn plain(text: &str) -> String {
    let hides = |character: char| matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|character| if character.is_control() || hides(character) { '\u{fffd}' } else { character })
        .collect()
}

fn position(event: &Value) -> String {
    format!("{}/{}@{}", text(&event["topic"]), event["partition"], event["offset"])
}
