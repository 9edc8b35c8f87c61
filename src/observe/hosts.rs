//! By which names the status page may be asked for: a page of another site that has its own name resolved to this
//! address must not read it (DNS rebinding).

use axum::http::HeaderMap;
use axum::http::header::HOST;
use std::net::IpAddr;

/// Addresses and names without a dot, which nobody else can register, and those that are configured.
#[derive(Clone, Debug)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// Also these names.
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether a request with these headers is answered. HTTP/1.0 names no host, and no browser speaks it.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        match headers.get(HOST).map(|host| host.to_str()) {
            None => true,
            Some(Ok(host)) => self.allow_host(host),
            Some(Err(_)) => false,
        }
    }

    fn allow_host(&self, host: &str) -> bool {
        if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            return address.parse::<IpAddr>().is_ok();
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
        name.parse::<IpAddr>().is_ok() || !name.contains('.') || self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_others_can_have_are_refused() {
        let hosts = Hosts::new(&["Fraud.Example.org".to_owned()]);
        for host in
            ["127.0.0.1:9464", "10.1.2.3", "[::1]:9464", "localhost:80", "worker-0", "fraud.example.org:443"]
        {
            assert!(hosts.allow_host(host), "{host}");
        }
        for host in
            ["evil.example.com", "fraud.example.org.evil.com:9464", "[evil.com]", "127.0.0.1.evil.com"]
        {
            assert!(!hosts.allow_host(host), "{host}");
        }
    }
}
