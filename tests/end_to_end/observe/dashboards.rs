//! The dashboards: made by their generator, and fit for a screen.

use super::metrics::{files, repository};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use streamflow_dataflow::rules::Rules;

/// What one screen of 1920x1080 shows, in units of Grafana's grid.
const SCREEN: (u64, u64) = (24, 24);

/// A dashboard.
pub struct Dashboard {
    /// The name of its file.
    pub file: String,
    /// What is in it.
    pub content: Value,
}

/// A query of a dashboard or a rule, and where it stands.
pub struct Query {
    /// Dashboard, panel, query.
    pub place: String,
    /// PromQL, in dashboards with Grafana's variables.
    pub expression: String,
}

impl Dashboard {
    /// All of dashboards/.
    pub fn all() -> Vec<Self> {
        files("dashboards", "json")
            .iter()
            .map(|path| {
                let text = std::fs::read_to_string(path).unwrap();
                let file = path.file_name().unwrap().to_str().unwrap().to_owned();
                Self { file, content: serde_json::from_str(&text).unwrap() }
            })
            .collect()
    }

    fn panels(&self) -> &[Value] {
        self.content["panels"].as_array().unwrap()
    }

    /// The queries of its panels.
    pub fn queries(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        for panel in self.panels() {
            for target in panel["targets"].as_array().unwrap() {
                let place = format!("{}: {} {}", self.file, panel["title"], target["refId"]);
                queries.push(Query { place, expression: target["expr"].as_str().unwrap().to_owned() });
            }
        }
        queries
    }

    /// Its queries, in words.
    pub fn expressions(&self) -> Vec<String> {
        self.queries().into_iter().map(|query| query.expression).collect()
    }

    /// The queries of its variables, `label_values(<selector>, <label>)`.
    pub fn variables(&self) -> Vec<Query> {
        let variables = self.content["templating"]["list"].as_array().unwrap().iter();
        variables
            .filter(|variable| variable["type"] == "query")
            .map(|variable| Query {
                place: format!("{}: variable {}", self.file, variable["name"]),
                expression: variable["query"]["query"].as_str().unwrap().to_owned(),
            })
            .collect()
    }
}

#[test]
fn the_files_are_what_the_generator_writes() {
    let kept: BTreeSet<String> = Dashboard::all().into_iter().map(|dashboard| dashboard.file).collect();
    assert_eq!(written_as_kept("dashboards"), kept);
}

/// Has the generator of a folder write anew what is kept there, and returns the names of these files.
pub fn written_as_kept(folder: &str) -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let generator = repository(folder).join("generate.py");
    let status = Command::new("python3").arg(generator).arg(directory.path()).status();
    assert!(status.expect("python3 is missing: run `make setup`").success());
    let files = std::fs::read_dir(directory.path()).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files
        .inspect(|file| {
            let [written, kept] = [directory.path().join(file), repository(folder).join(file)]
                .map(|path| std::fs::read_to_string(path).unwrap());
            assert!(written == kept, "{file} differs: run {folder}/generate.py");
        })
        .collect()
}

/// Rules come with the data, so that a new detector needs no change here.
#[test]
fn no_dashboard_names_a_rule() {
    for dashboard in Dashboard::all() {
        let text = dashboard.content.to_string();
        let named: Vec<String> =
            Rules::IDS.iter().map(|id| id.to_string()).filter(|id| text.contains(id.as_str())).collect();
        assert!(named.is_empty(), "{} names {named:?}", dashboard.file);
    }
}

#[test]
fn every_panel_has_its_place_on_one_screen() {
    for dashboard in Dashboard::all() {
        let mut taken: BTreeMap<(u64, u64), &Value> = BTreeMap::new();
        for panel in dashboard.panels() {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(
                w >= 3 && h >= 4 && x + w <= SCREEN.0 && y + h <= SCREEN.1,
                "{}: {panel:#}",
                dashboard.file
            );
            for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
                let other = taken.insert(cell, &panel["title"]);
                assert!(other.is_none(), "{}: {} lies on {other:?}", dashboard.file, panel["title"]);
            }
        }
        let last = taken.keys().map(|(_, row)| row + 1).max().unwrap();
        assert_eq!(taken.len() as u64, SCREEN.0 * last, "{} has gaps", dashboard.file);
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit() {
    for dashboard in Dashboard::all() {
        let mut ids = BTreeSet::new();
        let mut titles = BTreeSet::new();
        for panel in dashboard.panels() {
            let place = format!("{}: {}", dashboard.file, panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{place}: id used twice");
            assert!(titles.insert(panel["title"].as_str().unwrap()), "{place}: title used twice");
            assert!(panel["description"].as_str().unwrap().ends_with('.'), "{place}: no description");
            assert_eq!(panel["datasource"]["uid"], "${source}", "{place}");
            let has_values = ["state-timeline", "table"].iter().all(|kind| panel["type"] != *kind);
            let units = [&panel["fieldConfig"]["defaults"]["unit"], &panel["options"]["yAxis"]["unit"]];
            assert!(!has_values || units.iter().any(|unit| unit.is_string()), "{place}: no unit");
            let letters: BTreeSet<&str> =
                panel["targets"].as_array().unwrap().iter().map(|t| t["refId"].as_str().unwrap()).collect();
            assert_eq!(letters.len(), panel["targets"].as_array().unwrap().len(), "{place}");
        }
    }
}

#[test]
fn dashboards_look_and_link_alike() {
    let dashboards = Dashboard::all();
    let of = |key: &str| dashboards.iter().map(|d| d.content[key].clone()).collect::<Vec<Value>>();
    let names: BTreeSet<String> = of("uid").iter().map(|uid| uid.as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), dashboards.len(), "a uid is used twice");
    for key in ["time", "refresh", "schemaVersion", "graphTooltip", "timezone", "templating"] {
        assert!(of(key).iter().all(|value| *value == of(key)[0]), "{key} differs");
    }
    for dashboard in &dashboards {
        let links = dashboard.content["links"].as_array().unwrap().iter();
        let mut linked: BTreeSet<String> =
            links.map(|link| link["url"].as_str().unwrap().trim_start_matches("/d/").to_owned()).collect();
        linked.insert(dashboard.content["uid"].as_str().unwrap().to_owned());
        assert_eq!(linked, names, "{}", dashboard.file);
    }
}
