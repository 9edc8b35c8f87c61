//! A real Prometheus, and what it answers.

use super::dashboards::Query;
use super::metrics::files;
use super::promql;
use super::rules::RuleFile;
use super::services::{Service, free_address};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// A Prometheus that evaluates the rules of the repository.
pub struct Prometheus {
    service: Service,
    address: String,
    _directory: TempDir,
}

/// The rules it is given.
pub enum Pace {
    /// As they are.
    Real,
    /// Minutes shortened to seconds, so that a test sees them fire and end; thresholds are as they are.
    Fast,
}

/// What is scraped: a job and its address.
pub struct Target {
    /// Name of the job.
    pub job: &'static str,
    /// `host:port`.
    pub address: String,
}

/// A value with its labels.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// By how much [`Pace::Fast`] divides durations, and the longest window that is left: what has burned budget
/// is forgotten then.
const FASTER: f64 = 30.0;
const LONGEST: f64 = 40.0;
/// Of [`Pace::Fast`]; a window of five minutes then has five of them.
const SCRAPE_EVERY: &str = "2s";

impl Prometheus {
    /// Starts it at `address`.
    pub fn start(pace: &Pace, targets: &[Target], address: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (rules, every) = match pace {
            Pace::Real => (files("monitoring/rules", "yaml"), "5s"),
            Pace::Fast => (write_fast_rules(&directory), SCRAPE_EVERY),
        };
        let scraped = targets.iter().map(
            |Target { job, address }| json!({"job_name": job, "static_configs": [{"targets": [address]}]}),
        );
        // JSON is YAML.
        let configuration = json!({
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": rules,
            "scrape_configs": scraped.collect::<Vec<Value>>(),
        });
        let config = directory.path().join("prometheus.yaml");
        std::fs::write(&config, configuration.to_string()).unwrap();
        let address = address.map_or_else(free_address, str::to_owned);
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", directory.path().join("data").display()),
            format!("--web.listen-address={address}"),
            // What the machine lacks is not told to the world.
            "--log.level=warn".to_owned(),
        ];
        let service =
            Service::start("prometheus", &arguments, None, &directory.path().join("prometheus.log"));
        Self { service, address, _directory: directory }
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// It must not have ended.
    pub fn assert_running(&mut self) {
        self.service.assert_running();
    }

    /// Whether it answers.
    pub fn is_ready(&self) -> bool {
        self.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.0 200"))
    }

    /// The instant vector that an expression gives now.
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        let data = self.ask(&format!("/api/v1/query?query={}", encoded(expression)), expression);
        match data["resultType"].as_str() {
            Some("vector") => data["result"].as_array().unwrap().iter().map(sample).collect(),
            _ => panic!("{expression} is no vector: {data}"),
        }
    }

    /// The values of a label among the series that a selector chooses.
    pub fn label_values(&self, selector: &str, label: &str) -> Vec<String> {
        let path = format!("/api/v1/label/{label}/values?match[]={}", encoded(selector));
        let data = self.ask(&path, selector);
        data.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    /// The rules as it evaluates them; each must be in good health.
    pub fn rules(&self) -> Vec<Query> {
        let data = self.ask("/api/v1/rules", "rules");
        let groups = data["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        rules
            .map(|rule| {
                assert_ne!(rule["health"], "err", "{}: {}", rule["name"], rule["lastError"]);
                Query {
                    place: format!("rule {}", rule["name"]),
                    expression: rule["query"].as_str().unwrap().to_owned(),
                }
            })
            .collect()
    }

    fn ask(&self, path: &str, what: &str) -> Value {
        let answer = self.get(path).unwrap_or_else(|| panic!("{} does not answer: {what}", self.address));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["status"], "success", "{what}: {}", body["error"]);
        body["data"].clone()
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        // 1.0, so that the answer ends with the connection and comes in one piece.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

fn sample(result: &Value) -> Sample {
    let labels = result["metric"].as_object().unwrap().iter();
    Sample {
        labels: labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
        value: result["value"][1].as_str().unwrap().parse().unwrap(),
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// A copy of the rules with durations shortened: `for`, windows and offsets. All groups are evaluated as
/// often as is scraped.
fn write_fast_rules(directory: &TempDir) -> Vec<PathBuf> {
    let fast = |seconds: f64| (seconds / FASTER).clamp(2.0, LONGEST);
    let write = |mut file: RuleFile| {
        for group in file.content["groups"].as_array_mut().unwrap() {
            group.as_object_mut().unwrap().remove("interval");
        }
        for rule in file.rules_mut() {
            for key in ["expr", "for"] {
                if let Some(text) = rule[key].as_str() {
                    rule[key] = promql::with_durations(text, fast).into();
                }
            }
        }
        let path = directory.path().join(&file.name);
        std::fs::write(&path, file.content.to_string()).unwrap();
        path
    };
    RuleFile::all().into_iter().map(write).collect()
}
