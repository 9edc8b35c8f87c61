//! How long commits took, from the pipeline's own metrics.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const BUCKET: &str = "streamflow_commit_duration_seconds_bucket{";

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Upper bounds, seconds, and how many commits took at most so long.
#[derive(Clone, Debug, PartialEq)]
pub struct Durations(Vec<(f64, f64)>);

impl Durations {
    /// Those since the start of the process that serves metrics on this port; `None` where nobody answers.
    pub fn read(port: u16) -> Option<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(ANSWER_WITHIN)).ok()?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(Self::parse(&answer)).filter(|durations| !durations.0.is_empty())
    }

    fn parse(metrics: &str) -> Self {
        let bucket = |line: &str| {
            let (labels, count) = line.strip_prefix(BUCKET)?.split_once("} ")?;
            let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.trim().parse().ok()?))
        };
        Self(metrics.lines().filter_map(bucket).collect())
    }

    /// Those since an earlier reading; `None` where that was of another process.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        let counts = self.0.iter().zip(&earlier.0).map(|((bound, now), (_, before))| (*bound, now - before));
        let counts: Vec<(f64, f64)> = counts.collect();
        counts.iter().all(|(_, count)| *count >= 0.0).then_some(Self(counts))
    }

    /// The duration, seconds, that such a share of commits does not exceed, between bounds as Prometheus has it;
    /// `None` without commits.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let all = self.0.last().map(|(_, count)| *count).filter(|all| *all > 0.0)?;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= share * all && *count > below {
                let within = (share * all - below) / (count - below);
                return Some(if bound.is_finite() { lower + within * (bound - lower) } else { lower });
            }
            (lower, below) = (*bound, *count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(counts: [u32; 3]) -> Durations {
        let [a, b, all] = counts;
        Durations::parse(&format!(
            "# TYPE\nstreamflow_commit_duration_seconds_bucket{{le=\"1\"}} {a}\n\
             streamflow_commit_duration_seconds_bucket{{le=\"2\"}} {b}\n\
             streamflow_commit_duration_seconds_bucket{{le=\"+Inf\"}} {all}\nother 1\n"
        ))
    }

    #[test]
    fn a_percentile_lies_between_the_bounds() {
        let since = durations([110, 210, 210]).since(&durations([10, 10, 10])).unwrap();
        assert_eq!([0.25, 0.5, 0.75].map(|share| since.percentile(share).unwrap()), [0.5, 1.0, 1.5]);
    }

    #[test]
    fn another_process_and_no_commits_have_none() {
        assert_eq!(durations([1, 1, 1]).since(&durations([2, 2, 2])), None);
        assert_eq!(durations([0, 0, 0]).percentile(0.99), None);
    }
}
