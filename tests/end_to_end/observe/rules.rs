//! The rules in monitoring/rules: valid, tested, documented, and each test of an alert able to fail.

use super::dashboards::{Dashboard, written_as_kept};
use super::metrics::{FOREIGN, documented, family, files, repository};
use super::promql::{self, Selector, selectors};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A file of rules.
pub struct RuleFile {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub content: Value,
}

impl RuleFile {
    /// All of monitoring/rules.
    pub fn all() -> Vec<Self> {
        files("monitoring/rules", "yaml").iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        Self { name, content: yaml(path) }
    }

    /// Its rules.
    pub fn rules(&self) -> impl Iterator<Item = &Value> {
        let groups = self.content["groups"].as_array().unwrap().iter();
        groups.flat_map(|group| group["rules"].as_array().unwrap())
    }

    /// Its rules, to be changed.
    pub fn rules_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let groups = self.content["groups"].as_array_mut().unwrap().iter_mut();
        groups.flat_map(|group| group["rules"].as_array_mut().unwrap())
    }
}

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value:#}"))
}

/// The alerts by name.
fn alerts() -> BTreeMap<String, Value> {
    let files = RuleFile::all();
    let alerts = files.iter().flat_map(RuleFile::rules).filter(|rule| rule["alert"].is_string());
    let alerts: Vec<(String, Value)> =
        alerts.map(|rule| (text(rule, "alert").to_owned(), rule.clone())).collect();
    let by_name: BTreeMap<String, Value> = alerts.iter().cloned().collect();
    assert_eq!(by_name.len(), alerts.len(), "two alerts of one name");
    by_name
}

/// The expressions of the recording rules, by what they record.
fn recordings() -> BTreeMap<String, Vec<String>> {
    let mut recordings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in RuleFile::all() {
        for rule in file.rules().filter(|rule| rule["record"].is_string()) {
            recordings
                .entry(text(rule, "record").to_owned())
                .or_default()
                .push(text(rule, "expr").to_owned());
        }
    }
    recordings
}

fn promtool(arguments: &[&str], paths: &[PathBuf]) -> Output {
    let output = Command::new("promtool").args(arguments).args(paths).output();
    output.expect("promtool is missing: run `make setup`")
}

fn assert_promtool(arguments: &[&str], paths: &[PathBuf]) {
    let output = promtool(arguments, paths);
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", told.concat());
}

#[test]
fn the_operator_is_given_these_rules() {
    assert_eq!(written_as_kept("monitoring"), BTreeSet::from(["prometheus-rules.yaml".to_owned()]));
}

#[test]
fn promtool_accepts_rules_and_configuration() {
    assert_promtool(&["check", "rules"], &files("monitoring/rules", "yaml"));
    assert_promtool(&["check", "config"], &[repository("monitoring/prometheus.yaml")]);
}

#[test]
fn alerts_fire_when_they_should_and_not_when_they_should_not() {
    assert_promtool(&["test", "rules"], &files("monitoring/tests", "yaml"));
}

/// The tests of an alert in which it fires, and in which it does not though what it looks at is there.
#[derive(Default)]
struct Tested {
    fires: usize,
    is_quiet: usize,
}

fn tested() -> BTreeMap<String, Tested> {
    let mut tested: BTreeMap<String, Tested> = BTreeMap::new();
    for path in files("monitoring/tests", "yaml") {
        for test in yaml(&path)["tests"].as_array().unwrap() {
            let series: BTreeSet<String> =
                test["input_series"].as_array().unwrap().iter().map(metric_of).collect();
            for case in test["alert_rule_test"].as_array().into_iter().flatten() {
                let name = text(case, "alertname");
                let seen = tested.entry(name.to_owned()).or_default();
                if case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()) {
                    seen.fires += 1;
                } else if read_by(name).iter().any(|metric| series.contains(metric)) {
                    seen.is_quiet += 1;
                }
            }
        }
    }
    tested
}

fn metric_of(series: &Value) -> String {
    selectors(text(series, "series"))[0].metric.clone()
}

/// The metrics that an alert reads, by way of recording rules too.
fn read_by(alert: &str) -> BTreeSet<String> {
    let (alerts, recordings) = (alerts(), recordings());
    let alert = alerts.get(alert).unwrap_or_else(|| panic!("no alert {alert}"));
    let mut open = vec![text(alert, "expr").to_owned()];
    let mut metrics = BTreeSet::new();
    while let Some(expression) = open.pop() {
        for Selector { metric, .. } in selectors(&expression) {
            if metrics.insert(metric.clone()) {
                open.extend(recordings.get(&metric).into_iter().flatten().cloned());
            }
        }
    }
    metrics
}

#[test]
fn every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let tested = tested();
    for name in alerts().keys() {
        let seen = tested.get(name);
        assert!(seen.is_some_and(|seen| seen.fires > 0), "{name} fires in no test");
        assert!(
            seen.is_some_and(|seen| seen.is_quiet > 0),
            "{name} is quiet in no test that has what it reads"
        );
    }
}

/// Of each alert a copy that always fires, and one that never does: the tests of that alert must fail with
/// either.
#[test]
fn every_test_of_an_alert_can_fail() {
    for name in alerts().keys() {
        let passes = |expression| {
            let directory = tempfile::tempdir().unwrap();
            let tests = alone(name, expression, directory.path());
            promtool(&["test", "rules"], &tests).status.success()
        };
        assert!(passes(None), "{name} does not pass its tests alone");
        assert!(!passes(Some("vector(1)")), "{name} may always fire: no test fails");
        assert!(!passes(Some("vector(1) > 1")), "{name} may never fire: no test fails");
    }
}

/// Writes an alert, with its expression replaced, with the recording rules that it reads and its tests;
/// returns the latter.
fn alone(name: &str, expression: Option<&str>, directory: &Path) -> Vec<PathBuf> {
    let read = read_by(name);
    for place in ["rules", "tests"] {
        std::fs::create_dir(directory.join(place)).unwrap();
    }
    for mut file in RuleFile::all() {
        for group in file.content["groups"].as_array_mut().unwrap() {
            let is_of_it = |rule: &Value| {
                rule["alert"] == name || rule["record"].as_str().is_some_and(|r| read.contains(r))
            };
            group["rules"].as_array_mut().unwrap().retain(is_of_it);
        }
        for rule in file.rules_mut().filter(|rule| rule["alert"] == name) {
            rule["expr"] = expression.map_or_else(|| rule["expr"].clone(), Value::from);
        }
        // JSON is YAML.
        std::fs::write(directory.join("rules").join(&file.name), file.content.to_string()).unwrap();
    }
    files("monitoring/tests", "yaml").iter().filter_map(|path| tests_alone(name, path, directory)).collect()
}

/// Writes the tests of an alert in a file, if there are any.
fn tests_alone(name: &str, path: &Path, directory: &Path) -> Option<PathBuf> {
    let mut content = yaml(path);
    let tests = content["tests"].as_array_mut().unwrap();
    for test in tests.iter_mut().filter_map(Value::as_object_mut) {
        test.remove("promql_expr_test");
        if let Some(cases) = test.get_mut("alert_rule_test").and_then(Value::as_array_mut) {
            cases.retain(|case| case["alertname"] == name);
        }
    }
    tests.retain(|test| test["alert_rule_test"].as_array().is_some_and(|cases| !cases.is_empty()));
    if tests.is_empty() {
        return None;
    }
    let copy = directory.join("tests").join(path.file_name().unwrap());
    std::fs::write(&copy, content.to_string()).unwrap();
    Some(copy)
}

#[test]
fn every_alert_says_what_it_means_and_what_to_do() {
    let anchors = anchors(&std::fs::read_to_string(repository("docs/RUNBOOK.md")).unwrap());
    for (name, alert) in alerts() {
        assert!(name.starts_with("Streamflow"), "{name}");
        assert!(promql::seconds(text(&alert, "for")).is_some_and(|seconds| seconds >= 60.0), "{name}: for");
        assert!(["critical", "warning"].contains(&text(&alert["labels"], "severity")), "{name}: severity");
        let annotations = &alert["annotations"];
        assert!(
            !text(annotations, "summary").is_empty() && text(annotations, "description").contains('$'),
            "{name}"
        );
        let anchor = text(annotations, "runbook_url").strip_prefix("docs/RUNBOOK.md#");
        assert!(
            anchor.is_some_and(|anchor| anchors.contains(anchor)),
            "{name}: {}",
            annotations["runbook_url"]
        );
    }
}

/// The anchors of a document's headings, as they are made of them where Markdown is shown.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().chars();
        let kept = kept.filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn anchors_are_those_of_headings() {
    let found = anchors("# Runbook\n\n## Error lines of `run`\ntext\n### Do the books balance?\n");
    let expected = ["runbook", "error-lines-of-run", "do-the-books-balance"].map(str::to_owned);
    assert_eq!(found, expected.into());
}

/// All that rules and dashboards read.
fn read() -> BTreeSet<String> {
    let files = RuleFile::all();
    let rules = files.iter().flat_map(RuleFile::rules).map(|rule| text(rule, "expr").to_owned());
    let dashboards: Vec<Dashboard> = Dashboard::all();
    let queries = dashboards.iter().flat_map(Dashboard::expressions);
    rules
        .chain(queries)
        .flat_map(|expression| selectors(&expression))
        .map(|selector| selector.metric)
        .collect()
}

#[test]
fn whatever_is_read_is_told_by_somebody() {
    let (documented, recordings) = (documented(), recordings());
    for metric in read() {
        let known = documented.contains(family(&metric))
            || recordings.contains_key(&metric)
            || FOREIGN.iter().any(|foreign| foreign.metric == metric);
        assert!(known, "{metric} is told by nobody");
    }
}

#[test]
fn whatever_is_told_is_looked_at() {
    let read = read();
    let families: BTreeSet<&str> = read.iter().map(|metric| family(metric)).collect();
    let unseen: Vec<String> =
        documented().into_iter().filter(|metric| !families.contains(metric.as_str())).collect();
    assert_eq!(unseen, Vec::<String>::new(), "neither a rule nor a dashboard shows them");
    let unread: Vec<String> = recordings().into_keys().filter(|recorded| !read.contains(recorded)).collect();
    assert_eq!(unread, Vec::<String>::new(), "recorded for nobody");
}

/// Names in the documents that begin as a metric does: the roles of the database, say, are others.
#[test]
fn documents_name_metrics_that_there_are() {
    let documented = documented();
    let subject = |name: &str| name.split('_').nth(1).map(str::to_owned);
    let subjects: BTreeSet<String> = documented.iter().filter_map(|metric| subject(metric)).collect();
    for path in files("docs", "md").into_iter().chain([repository("README.md")]) {
        let document = std::fs::read_to_string(&path).unwrap();
        let words = document.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for word in words.filter(|word| word.starts_with("streamflow_") && word.matches('_').count() > 1) {
            let is_other = !subject(word).is_some_and(|subject| subjects.contains(&subject));
            assert!(is_other || documented.contains(family(word)), "{}: {word} is no metric", path.display());
        }
    }
}
