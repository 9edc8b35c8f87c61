//! What a process tells over HTTP, and the text format of Prometheus, read strictly.

use crate::command::Running;
use crate::parts::Parts;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// After this it does not listen, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub code: u16,
    /// All lines of the head.
    pub head: String,
    /// The body.
    pub body: String,
}

/// A running pipeline, and where it is asked.
pub struct Served {
    /// What it runs on.
    pub parts: Parts,
    /// Its process.
    pub run: Running,
    /// Its address.
    pub address: String,
}

impl Served {
    /// Starts it.
    pub fn start(parts: Parts) -> Self {
        let mut run = parts.run();
        let address = address(&mut run);
        Self { parts, run, address }
    }
}

/// Where a process that was just started serves, once it says so.
pub fn address(run: &mut Running) -> String {
    let begun = Instant::now();
    loop {
        let printed = run.printed();
        let line = printed.lines().find(|line| line.contains("metrics and health are served"));
        if let Some(address) = line.and_then(|line| line.split("address=").nth(1)) {
            return address.trim().to_owned();
        }
        run.keep_waiting(begun, PATIENCE, "it listens");
    }
}

/// GET of a path.
pub fn get(address: &str, path: &str) -> Answer {
    get_as(address, address, path)
}

/// GET of a path from an address that is asked for as `host`.
pub fn get_as(address: &str, host: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Answer { code, head: head.to_owned(), body: body.to_owned() }
}

/// The metrics of one moment.
#[derive(Debug, Default)]
pub struct Scrape {
    /// Type by name.
    pub types: BTreeMap<String, String>,
    /// Values by name and labels, the latter as they are written.
    samples: BTreeMap<(String, String), f64>,
}

impl Scrape {
    /// Asks for them.
    pub fn of(address: &str) -> Self {
        let answer = get(address, "/metrics");
        assert_eq!(answer.code, 200, "{}", answer.body);
        assert!(answer.head.contains("text/plain; version=0.0.4"), "{}", answer.head);
        Self::parse(&answer.body)
    }

    /// The value of a sample; `labels` as they are written.
    pub fn value(&self, name: &str, labels: &str) -> f64 {
        let value = self.samples.get(&(name.to_owned(), labels.to_owned()));
        *value.unwrap_or_else(|| panic!("{name}{{{labels}}} is not in {:#?}", self.of_name(name)))
    }

    /// All samples of a name by their labels.
    pub fn of_name(&self, name: &str) -> BTreeMap<&str, f64> {
        let samples = self.samples.iter().filter(|((sample, _), _)| sample == name);
        samples.map(|((_, labels), value)| (labels.as_str(), *value)).collect()
    }

    /// Each family has its help, then its type, then its samples, none of them twice.
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let mut scrape = Self::default();
        let mut helped = BTreeSet::new();
        let mut family = String::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(is_name(name) && !help.is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "twice: {line}");
                name.clone_into(&mut family);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, family, "{line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(scrape.types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
            } else {
                scrape.add(&family, line);
            }
        }
        scrape.check_histograms();
        scrape
    }

    fn add(&mut self, family: &str, line: &str) {
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let (name, labels) = match sample.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
            None => (sample, ""),
        };
        let kind = self.types.get(family).unwrap_or_else(|| panic!("without a type: {line}"));
        let parts: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(parts.iter().any(|part| name == format!("{family}{part}")), "{line} is not of {family}");
        assert!(kind != "counter" || value >= 0.0, "{line}");
        let mut names = BTreeSet::new();
        for (label, value) in label_pairs(labels) {
            assert!(is_name(label) && !value.is_empty() && names.insert(label), "{line}");
        }
        let key = (name.to_owned(), labels.to_owned());
        assert!(self.samples.insert(key, value).is_none(), "twice: {line}");
    }

    /// Buckets are cumulative, and the last one has all.
    fn check_histograms(&self) {
        for name in self.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let mut buckets: Vec<(f64, f64)> = self
                .of_name(&format!("{name}_bucket"))
                .into_iter()
                .map(|(labels, count)| {
                    let bound = label_pairs(labels).into_iter().find(|(label, _)| *label == "le").unwrap().1;
                    (bound.replace("+Inf", "inf").parse().unwrap(), count)
                })
                .collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name}: {buckets:?}");
            let all = self.value(&format!("{name}_count"), "");
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, all)), "{name}");
        }
    }
}

/// Names and values; no value here holds a quotation mark or a backslash.
fn label_pairs(labels: &str) -> Vec<(&str, &str)> {
    assert!(!labels.contains('\\'), "{labels}");
    let pairs = labels.split_terminator("\",").map(|pair| pair.split_once("=\"").unwrap());
    pairs.map(|(name, value)| (name, value.strip_suffix('"').unwrap_or(value))).collect()
}

fn is_name(name: &str) -> bool {
    let inner = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    inner && !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())
}
