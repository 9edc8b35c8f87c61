//! A report as one page of HTML that needs nothing else: for who decides.

use super::report::{Counts, Example, Report, Said, amount};
use super::text::accuracy;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};
use streamflow_model::timestamp::Rfc3339;

const STYLE: &str = "body { font: 15px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 } \
     table { border-collapse: collapse; margin: .5rem 0 } \
     th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right } \
     th:first-child, td:first-child { text-align: left } \
     code { overflow-wrap: anywhere } \
     .gained { color: #2e7d32; fill: #2e7d32 } .lost { color: #c62828; fill: #c62828 } .moved { color: #ef6c00; fill: #ef6c00 } \
     svg text { font: 12px sans-serif; fill: #222 }";

/// The page. Whatever users wrote is escaped.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string never fails.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let Report { subject, period, total, transactions, .. } = report;
    let since = match period.since {
        i64::MIN => "of all times".to_owned(),
        since => format!("since {}", Rfc3339(since)),
    };
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>What other rules would change</title>\
         <style>{STYLE}</style></head><body><h1>What other rules would change</h1>\
         <p>Live: {}<br>Candidate: {}</p><p>Of {transactions} transactions {since}, the live rules alert {}, the \
         candidate {}: <b class=\"gained\">{} gained</b>, <b class=\"lost\">{} lost</b>, <b class=\"moved\">{} \
         with another score or other rules</b>.</p>",
        Escaped(&subject.live),
        Escaped(&subject.candidate),
        total.live,
        total.candidate,
        total.gained,
        total.lost,
        total.moved
    )?;
    if let (Some(counts), Some(from)) = (&report.on_activation, period.applies_from) {
        write!(
            out,
            "<p>Activation would now raise {}, withdraw {} and revise {} alerts, those since {}. What is older is final.</p>",
            counts.gained,
            counts.lost,
            counts.moved,
            Rfc3339(from)
        )?;
    }
    write_money(out, report)?;
    if let Some(labels) = &report.labels {
        write!(
            out,
            "<h2>Against {} known cases of fraud</h2><p>Live: {}<br>Candidate: {}</p>",
            labels.fraud,
            accuracy(&labels.live),
            accuracy(&labels.candidate)
        )?;
    }
    for (title, groups) in [
        ("By day", &report.by_day),
        ("By rule", &report.by_rule),
        ("By category of the store", &report.by_category),
    ] {
        write!(out, "<h2>{title}</h2>")?;
        bars(out, groups)?;
        table(out, groups)?;
    }
    for (title, class, examples) in [
        ("Gained", "gained", &report.examples.gained),
        ("Lost", "lost", &report.examples.lost),
        ("With another score or other rules", "moved", &report.examples.moved),
    ] {
        if !examples.is_empty() {
            write!(out, "<h2 class=\"{class}\">{title}, for example</h2><ol>")?;
            examples.iter().try_for_each(|example| write_example(out, example))?;
            write!(out, "</ol>")?;
        }
    }
    write!(out, "</body></html>")
}

fn write_money(out: &mut String, report: &Report) -> fmt::Result {
    write!(out, "<table><tr><th>Amounts</th><th>gained</th><th>lost</th><th>moved</th></tr>")?;
    for (currency, money) in &report.money {
        let [gained, lost, moved] = [money.gained, money.lost, money.moved].map(amount);
        write!(out, "<tr><td>{currency}</td><td>{gained}</td><td>{lost}</td><td>{moved}</td></tr>")?;
    }
    write!(out, "</table>")
}

fn table(out: &mut String, groups: &BTreeMap<String, Counts>) -> fmt::Result {
    write!(
        out,
        "<table><tr><th></th><th>live</th><th>candidate</th><th>gained</th><th>lost</th><th>moved</th></tr>"
    )?;
    for (name, Counts { live, candidate, gained, lost, moved }) in groups {
        write!(
            out,
            "<tr><td>{}</td><td>{live}</td><td>{candidate}</td><td>{gained}</td><td>{lost}</td><td>{moved}</td></tr>",
            Escaped(name)
        )?;
    }
    write!(out, "</table>")
}

/// Pixels.
const LABELS: usize = 160;
const WIDTH: usize = 560;
const ROW: usize = 22;

/// A row for each group: what is gained, lost and moved, side by side, to one scale.
fn bars(out: &mut String, groups: &BTreeMap<String, Counts>) -> fmt::Result {
    let changed = |counts: &Counts| counts.gained + counts.lost + counts.moved;
    let most = groups.values().map(changed).max().unwrap_or(0).max(1);
    let (width, height) = (LABELS + WIDTH, groups.len() * ROW + 4);
    write!(out, "<svg role=\"img\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">")?;
    for (number, (name, counts)) in groups.iter().enumerate() {
        let (top, mut left) = (number * ROW + 2, LABELS as f64);
        write!(out, "<text x=\"0\" y=\"{}\">{}</text>", top + 14, Escaped(name))?;
        for (class, count) in [("gained", counts.gained), ("lost", counts.lost), ("moved", counts.moved)] {
            let length = count as f64 / most as f64 * WIDTH as f64;
            write!(
                out,
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top}\" width=\"{length:.1}\" height=\"18\">\
                 <title>{count} {class}</title></rect>"
            )?;
            left += length;
        }
    }
    write!(out, "</svg>")
}

fn write_example(out: &mut String, example: &Example) -> fmt::Result {
    write!(
        out,
        "<li>{}: {} {} by {} at {}, {}{}<ul>",
        Escaped(&example.transaction_id),
        example.amount,
        example.currency,
        Escaped(&example.customer_id),
        Escaped(&example.store_id),
        example.timestamp,
        if example.is_fraud { ", <b>known to be fraud</b>" } else { "" }
    )?;
    for (set, said) in [("live", &example.live), ("candidate", &example.candidate)] {
        if let Some(Said { fraud_score, rules, evidence }) = said {
            let (rules, evidence) = (rules.join(", "), evidence.to_string());
            write!(
                out,
                "<li>{set}: {fraud_score} by {}: <code>{}</code></li>",
                Escaped(&rules),
                Escaped(&evidence)
            )?;
        }
    }
    write!(out, "</ul></li>")
}

/// Text within HTML.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_wrote_is_no_markup() {
        let name = "<script>alert('x')</script> & \"so\"";
        let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;so&quot;";
        assert_eq!(Escaped(name).to_string(), escaped);
        let mut out = String::new();
        let counts = Counts { gained: 3, lost: 1, ..Counts::default() };
        bars(&mut out, &BTreeMap::from([(name.to_owned(), counts)])).unwrap();
        assert!(out.contains(escaped) && !out.contains("<script>"), "{out}");
        assert!(out.contains("width=\"420.0\" height=\"18\"><title>3 gained"), "{out}");
    }
}
