//! A real Chromium, driven by its own protocol.

use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket, client};

/// After this it is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser with one page; killed when dropped.
pub struct Browser {
    child: Child,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    calls: u64,
    /// What it told without being asked: requests, lines of the console.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Opens `url` in a window of 1280 x 900.
    pub fn open(url: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "chromium", "--headless=new", "--remote-debugging-port=0"])
            // Tests may run as root and in containers; nothing but the page under test is opened.
            .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--no-first-run", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let socket = connect(&profile.path().join("DevToolsActivePort"));
        let (session, events) = (None, Vec::new());
        let mut browser = Self { child, socket, session, calls: 0, events, _profile: profile };
        browser.attach();
        let window = json!({"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        browser.call("Emulation.setDeviceMetricsOverride", &window);
        browser.call("Page.navigate", &json!({"url": url}));
        browser
    }

    /// Makes the page and listens to all it tells.
    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", &attached);
        self.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    /// The value of an expression on the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer:#}");
        answer["result"]["value"].clone()
    }

    /// The text of each cell of each row that a selector finds.
    pub fn rows(&mut self, selector: &str) -> Vec<Vec<String>> {
        let expression = format!(
            "[...document.querySelectorAll({selector:?})].map(row => [...row.cells].map(cell => cell.textContent))"
        );
        serde_json::from_value(self.evaluate(&expression)).unwrap()
    }

    /// The text of the first element that a selector finds; empty where there is none.
    pub fn text(&mut self, selector: &str) -> String {
        let expression = format!("document.querySelector({selector:?})?.textContent ?? \"\"");
        self.evaluate(&expression).as_str().unwrap().to_owned()
    }

    /// Errors and warnings of the console, exceptions, and what the browser finds wrong with the page.
    pub fn complaints(&self) -> Vec<&Value> {
        let is_complaint = |event: &&Value| {
            let kind = event["params"]["type"].as_str().or(event["params"]["entry"]["level"].as_str());
            match event["method"].as_str().unwrap() {
                "Runtime.exceptionThrown" | "Audits.issueAdded" => true,
                "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                    matches!(kind, Some("error" | "warning" | "assert"))
                }
                _ => false,
            }
        };
        self.events.iter().filter(is_complaint).collect()
    }

    /// Every address that was asked for anything.
    pub fn requests(&self) -> Vec<&str> {
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        requests.map(|event| event["params"]["request"]["url"].as_str().unwrap()).collect()
    }

    /// Has the page take the system to prefer `scheme`, light or dark.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// A picture of the window, PNG in base64.
    pub fn picture(&mut self) -> String {
        let answer = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        answer["data"].as_str().unwrap().to_owned()
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut asked = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            asked["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(asked.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else { continue };
            let mut told: Value = serde_json::from_str(&text).unwrap();
            if told["id"] == self.calls {
                assert!(told.get("error").is_none(), "{method}: {told:#}");
                return told["result"].take();
            }
            if told.get("method").is_some() {
                self.events.push(told);
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects once the browser has written where: a port and a path.
fn connect(file: &Path) -> WebSocket<TcpStream> {
    let begun = Instant::now();
    loop {
        let written = std::fs::read_to_string(file).unwrap_or_default();
        if let Some((port, path)) = written.trim_end().split_once('\n') {
            let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            return client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap().0;
        }
        assert!(begun.elapsed() < PATIENCE, "Chromium does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}
