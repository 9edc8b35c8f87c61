//! Two reports against each other.

pub mod series;
pub mod spread;
pub mod summary;

use crate::report::{Better, Report};
use crate::table;
use series::{Series, Subject, series, void_runs};
use spread::{Spread, short};
use std::fmt;

/// What two reports, A and B, have in common, and what they have not.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What both have measured, in the order of A.
    pub rows: Vec<Row>,
    /// What cannot be compared, and why.
    pub left_out: Vec<String>,
}

/// A measure of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was measured.
    pub subject: Subject,
    /// Its values in A.
    pub a: Spread,
    /// Its values in B.
    pub b: Spread,
}

/// Which report is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// The first.
    A,
    /// The second.
    B,
    /// Their runs overlap.
    Neither,
}

impl Row {
    /// The median of B divided by that of A; `None` where that is zero.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.a.median != 0.0).then(|| self.b.median / self.a.median)
    }

    /// The report whose worst run is better than the best of the other.
    #[must_use]
    pub fn winner(&self) -> Winner {
        let lower = match (self.a.is_below(&self.b), self.b.is_below(&self.a)) {
            (true, _) => Winner::A,
            (_, true) => Winner::B,
            _ => Winner::Neither,
        };
        match (lower, self.subject.better) {
            (Winner::A, Better::Higher) => Winner::B,
            (Winner::B, Better::Higher) => Winner::A,
            _ => lower,
        }
    }
}

impl Comparison {
    /// Of report `a` with report `b`.
    #[must_use]
    pub fn new(a: &Report, b: &Report) -> Self {
        let (of_a, mut of_b) = (series(a), series(b));
        let void =
            |name: char, report| void_runs(report).into_iter().map(move |run| format!("{name}, void: {run}"));
        let mut left_out: Vec<String> = void('A', a).chain(void('B', b)).collect();
        let only = |name, series: &Series| {
            format!("only in {name}: {}, {}", series.subject.scenario(), series.subject.measure())
        };
        let mut rows = Vec::new();
        for series in of_a {
            let Some(place) = of_b.iter().position(|other| other.subject == series.subject) else {
                left_out.push(only('A', &series));
                continue;
            };
            let other = of_b.remove(place);
            if let (Some(a), Some(b)) = (Spread::of(&series.values), Spread::of(&other.values)) {
                rows.push(Row { subject: series.subject, a, b });
            }
        }
        left_out.extend(of_b.iter().map(|series| only('B', series)));
        Self { rows, left_out }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["scenario", "", "A: min - median - max", "B: min - median - max", "B / A", "better"];
        let mut rows = Vec::new();
        for row in &self.rows {
            let winner = match row.winner() {
                Winner::A => "A",
                Winner::B => "B",
                Winner::Neither => "-",
            };
            rows.push([
                row.subject.scenario(),
                row.subject.measure(),
                row.a.to_string(),
                row.b.to_string(),
                row.ratio().map_or_else(|| "-".to_owned(), short),
                winner.to_owned(),
            ]);
        }
        f.write_str(&table::format(2, &titles, &rows))?;
        if self.rows.iter().any(|row| row.a.runs == 1 || row.b.runs == 1) {
            writeln!(f, "Single runs show no spread: repeat them before you trust what is better.")?;
        }
        self.left_out.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{FORMAT, Figure, Latency, Machine, Run};
    use std::collections::BTreeMap;

    fn run(scenario: &str, offered: Option<f64>, throughput: f64, p99: u64) -> Run {
        let figure = Figure { value: throughput, unit: "events/s".to_owned(), better: Better::Higher };
        let latency = Latency { count: 1, p99, ..Latency::default() };
        Run {
            scenario: scenario.to_owned(),
            offered,
            figures: [("throughput".to_owned(), figure)].into(),
            latencies: [("commit".to_owned(), latency)].into(),
            ..Run::default()
        }
    }

    fn report(runs: Vec<Run>) -> Report {
        Report {
            format: FORMAT,
            made_at: String::new(),
            machine: Machine { processor: String::new(), processors: 1, memory: 1 },
            versions: BTreeMap::new(),
            settings: BTreeMap::new(),
            seed: 0,
            runs,
        }
    }

    fn row<'a>(comparison: &'a Comparison, measure: &str) -> &'a Row {
        comparison.rows.iter().find(|row| row.subject.measure.name() == measure).unwrap()
    }

    #[test]
    fn one_is_better_where_the_runs_do_not_overlap() {
        let a = report(vec![run("m", None, 100.0, 10_000), run("m", None, 110.0, 12_000)]);
        let b = report(vec![run("m", None, 120.0, 11_000), run("m", None, 200.0, 13_000)]);
        let comparison = Comparison::new(&a, &b);
        let throughput = row(&comparison, "throughput");
        assert_eq!((throughput.winner(), throughput.ratio()), (Winner::B, Some(160.0 / 105.0)));
        assert_eq!(row(&comparison, "commit p99").winner(), Winner::Neither);
        assert_eq!(row(&Comparison::new(&b, &a), "throughput").winner(), Winner::A);
    }

    #[test]
    fn of_latencies_the_lower_is_better() {
        let (a, b) = (report(vec![run("m", None, 1.0, 900)]), report(vec![run("m", None, 1.0, 1000)]));
        assert_eq!(row(&Comparison::new(&a, &b), "commit p99").winner(), Winner::A);
        assert_eq!(row(&Comparison::new(&b, &a), "commit p99").winner(), Winner::B);
    }

    #[test]
    fn void_runs_are_named_and_left_out() {
        let void = Run { void: Some("a table was wrong".to_owned()), ..run("m", Some(500.0), 1e9, 1) };
        let a = report(vec![run("m", Some(500.0), 100.0, 10), void]);
        let comparison = Comparison::new(&a, &a);
        assert_eq!(row(&comparison, "throughput").a.max, 100.0);
        let said = "void: m at 500/s: a table was wrong";
        assert_eq!(comparison.left_out, [format!("A, {said}"), format!("B, {said}")]);
    }

    #[test]
    fn rates_are_compared_each_with_itself_and_what_has_no_match_is_named() {
        let a = report(vec![run("m", Some(500.0), 1.0, 1), run("m", Some(1000.0), 2.0, 2)]);
        let b = report(vec![run("m", Some(1000.0), 4.0, 2), run("n", None, 4.0, 2)]);
        let comparison = Comparison::new(&a, &b);
        assert!(comparison.rows.iter().all(|row| row.subject.offered == Some(1000.0)));
        assert_eq!(row(&comparison, "throughput").ratio(), Some(2.0));
        let text = comparison.to_string();
        for line in ["only in A: m at 500/s, throughput (events/s)", "only in B: n, commit p99 (ms)"] {
            assert!(text.lines().any(|each| each == line), "{text}");
        }
    }

    #[test]
    fn without_runs_nothing_is_compared() {
        let nothing = Comparison::new(&report(Vec::new()), &report(Vec::new()));
        assert_eq!(nothing, Comparison { rows: Vec::new(), left_out: Vec::new() });
    }
}
