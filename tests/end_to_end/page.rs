//! The status page as Chromium shows it: true, up to date by itself, and without anything from elsewhere.

use crate::browser::Browser;
use crate::command::Running;
use crate::foreign::{self, Batch};
use crate::parts::Parts;
use crate::scrape::{self, get};
use crate::traffic::DISTURBED;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Alert changes that the page shows.
const ALERTS: i64 = 20;

/// A pipeline and its page.
struct World {
    parts: Parts,
    run: Running,
    address: String,
    browser: Browser,
}

impl World {
    fn start(name: &str) -> Self {
        let parts = Parts::start(name, 2, &json!({"workers": 2}));
        let mut run = parts.run();
        let address = scrape::address(&mut run);
        let browser = Browser::open(&format!("http://{address}/"));
        Self { parts, run, address, browser }
    }

    fn wait_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {}", self.browser.text("body"));
            self.run.keep_waiting(begun, PATIENCE, what);
        }
    }

    fn write(&self, batch: &Batch) {
        self.parts.kafka.write(&self.parts.topic("transactions"), None, &batch.bytes).unwrap();
    }

    /// The books by topic: read, accepted, ignored, dead letters.
    fn shown_books(&mut self) -> BTreeMap<String, [i64; 4]> {
        let rows = self.browser.rows("#books tbody tr");
        let book = |row: Vec<String>| {
            assert_eq!(row[5], "✓", "{row:?}");
            let number = |column: usize| row[column].replace(',', "").parse().unwrap();
            (row[0].clone(), [number(1), number(2), number(3), number(4)])
        };
        rows.into_iter().map(book).collect()
    }

    /// As PostgreSQL has them.
    fn books(&self) -> BTreeMap<String, [i64; 4]> {
        let sql = "SELECT topic, account, events FROM streamflow.books";
        let mut books: BTreeMap<String, [i64; 4]> = BTreeMap::new();
        for topic in ["customers", "stores", "products", "blacklist", "transactions", "rules"] {
            books.insert(self.parts.topic(topic), [0; 4]);
        }
        for row in self.parts.connect().query(sql, &[]).unwrap() {
            let column = match row.get("account") {
                "read" => 0,
                "new" | "correcting" | "voiding" | "reference" => 1,
                "duplicate" | "superseded" => 2,
                _ => 3,
            };
            books.get_mut(row.get::<_, &str>("topic")).unwrap()[column] += row.get::<_, i64>("events");
        }
        books
    }

    /// Change, cause, score, amount, alert, transaction and customer of the latest, the last one first.
    fn alerts(&self) -> Vec<[String; 7]> {
        let sql = "SELECT payload::text FROM bronze.raw_fraud_alerts ORDER BY number DESC LIMIT $1";
        let rows = self.parts.connect().query(sql, &[&ALERTS]).unwrap();
        let alert = |payload: Value| {
            let text = |field: &str| payload[field].as_str().unwrap().to_owned();
            let cause = text("cause").replace('_', " ");
            let ids = [text("alert_id"), text("transaction_id"), text("customer_id")];
            let [alert, transaction, customer] = ids;
            let amount = format!("{} {}", text("transaction_amount"), text("currency"));
            [text("change"), cause, text("fraud_score"), amount, alert, transaction, customer]
        };
        rows.iter().map(|row| alert(serde_json::from_str(row.get(0)).unwrap())).collect()
    }

    /// What passes each stage in a second.
    fn rates(&mut self) -> Vec<f64> {
        let rates =
            "[...document.querySelectorAll('.stage .rate')].map(rate => parseFloat(rate.textContent) || 0)";
        serde_json::from_value(self.browser.evaluate(rates)).unwrap()
    }

    fn shown_alerts(&mut self) -> Vec<[String; 7]> {
        let rows = self.browser.rows("#alerts tbody tr");
        let alert = |row: Vec<String>| {
            let change = row[1].split_once(' ').unwrap().1.to_owned();
            [&change, &row[2], &row[3], &row[4], &row[5], &row[6], &row[7]].map(Clone::clone)
        };
        rows.into_iter().map(alert).collect()
    }

    /// Waits until the page shows what PostgreSQL holds, and nothing is outstanding.
    fn wait_until_equal(&mut self) {
        self.wait_until("the page shows what PostgreSQL holds", |world| {
            world.shown_books() == world.books()
                && world.shown_alerts() == world.alerts()
                && world.browser.rows("#partitions tbody tr").iter().all(|row| row[4] == "0")
                && world.browser.text("#verdict") == "✓ ready"
        });
    }

    /// The page has no fault, and came from the process alone.
    fn check_page(&mut self) {
        let stages = "[...document.querySelectorAll('.stage')].map(card => card.dataset.stage)";
        let expected = json!(["source", "admitted", "history", "aggregates", "committed", "published"]);
        assert_eq!(self.browser.evaluate(stages), expected);
        check_fits(&mut self.browser);
        assert_eq!(self.browser.complaints(), Vec::<&Value>::new());
        let own = format!("http://{}/", self.address);
        let requests = self.browser.requests();
        assert!(requests.len() > 2, "{requests:?}");
        let is_own = |url: &&&str| url.starts_with(&own) || **url == "data:,";
        assert_eq!(requests.iter().filter(is_own).count(), requests.len(), "{requests:?}");
    }
}

/// Nothing is wider than its place, and all is on one screen.
fn check_fits(browser: &mut Browser) {
    let size = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]";
    let size: [u32; 2] = serde_json::from_value(browser.evaluate(size)).unwrap();
    assert!(size[0] <= 1280 && size[1] <= 900, "{size:?}");
    let cut = "[...document.querySelectorAll('.stage, .scroll, dl')].filter(part => part.scrollWidth > part.clientWidth)
        .map(part => part.textContent)";
    assert_eq!(browser.evaluate(cut), json!([]), "what is wider than its place");
}

/// Every field of `/status.json` is in the documentation. What is evidence is documented elsewhere.
fn check_documented(told: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/METRICS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let section = text.split("## Status page").nth(1).unwrap();
    let mut fields = Vec::new();
    collect_fields(told, &mut fields);
    assert!(fields.len() > 60, "{fields:?}");
    for field in fields {
        let forms =
            [format!("`{field}`"), format!("`{field}[]`"), format!("`{field}."), format!(".{field}`")];
        assert!(forms.iter().any(|form| section.contains(form)), "{field} is not documented");
    }
}

fn collect_fields(value: &Value, fields: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(field, value)| {
            fields.push(field.clone());
            if field != "evidence" {
                collect_fields(value, fields);
            }
        }),
        // One is like the other.
        Value::Array(values) => values.iter().take(1).for_each(|value| collect_fields(value, fields)),
        _ => {}
    }
}

/// Nine payments within nine minutes by a customer who calls himself what a page must not take for a part of
/// it.
fn hostile() -> (String, Batch) {
    let customer = "<img src=x onerror=alert(1)>\"'&amp;".to_owned();
    let mut batch = Batch::default();
    for number in 1..=9 {
        let at = chrono::Utc::now() - chrono::Duration::minutes(12 - number);
        let event = json!({
            "transaction_id": format!("<b>{number}</b>"), "customer_id": customer, "store_id": "<script>",
            "amount": "10.00", "timestamp": at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        });
        batch.keyed("hostile", event.to_string());
    }
    (customer, batch)
}

#[test]
fn it_shows_what_postgres_holds_and_keeps_up_by_itself() {
    let mut world = World::start("page");
    let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
    let options: Vec<&str> =
        ["--rate", "300", "--customers", "500", "--seed", "7"].into_iter().chain(rates).collect();
    let mut generate = world.parts.command("generate", &options);
    world.wait_until("alerts are shown", |world| {
        world.shown_alerts().len() as i64 == ALERTS && world.rates().iter().all(|rate| *rate > 0.0)
    });
    generate.terminate();
    world.browser.evaluate("window.opened = true");
    world.wait_until_equal();
    let before = world.shown_books();
    world.check_page();

    let (ordinary, refused, (customer, hostile)) = (foreign::ordinary(), foreign::refused(), hostile());
    let topic = world.parts.topic("transactions");
    let mut read = before[&topic][0];
    for batch in [&ordinary, &refused, &hostile] {
        world.write(batch);
        read += batch.events;
        world.wait_until("they are shown", |world| world.shown_books()[&topic][0] == read);
    }
    world.wait_until_equal();
    let latest = &world.shown_alerts()[0];
    assert_eq!((&latest[6], latest[5].as_str()), (&customer, "<b>9</b>"));
    let elements = "document.querySelectorAll('td *, main img, main b').length";
    assert_eq!(world.browser.evaluate(elements), 0);
    assert_eq!(world.browser.evaluate("window.opened"), true, "it was loaded again");
    check_documented(&serde_json::from_str(&get(&world.address, "/status.json").body).unwrap());
    world.check_page();

    assert!(world.run.terminate().success(), "{}", world.run.printed());
    let begun = Instant::now();
    while !world.browser.text("#stale").contains("stale since") {
        assert!(begun.elapsed() < PATIENCE, "{}", world.browser.text("body"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_that_somebody_wrote_is_told_but_ids() {
    let parts = Parts::start("page-names", 1, &json!({}));
    let mut run = parts.run();
    let address = scrape::address(&mut run);
    let (name, reason) = ("Joana Prado", "her ex-husband says so");
    let customer = json!({"customer_id": "c1", "name": name, "email": "joana@example.com", "city": "Recife"});
    let entry = json!({"reason": reason});
    parts.kafka.write(&parts.topic("customers"), None, format!("c1\t{customer}\n").as_bytes()).unwrap();
    parts.kafka.write(&parts.topic("blacklist"), None, format!("customer:c1\t{entry}\n").as_bytes()).unwrap();
    let begun = Instant::now();
    let mut client = parts.connect();
    let listed = "SELECT count(*) FROM streamflow.books WHERE account = 'reference' AND events > 0";
    while client.query_one(listed, &[]).unwrap().get::<_, i64>(0) < 2 {
        run.keep_waiting(begun, PATIENCE, "the customer is listed");
    }
    let mut batch = Batch::default();
    let event = json!({
        "transaction_id": "t1", "customer_id": "c1", "store_id": "s1", "amount": "10.00",
        "timestamp": chrono::Utc::now().to_rfc3339(),
    });
    batch.keyed("c1", event.to_string());
    parts.kafka.write(&parts.topic("transactions"), None, &batch.bytes).unwrap();
    let status = loop {
        let answer = get(&address, "/status.json");
        assert!(
            answer.head.contains("application/json") && answer.head.contains("no-store"),
            "{}",
            answer.head
        );
        if answer.body.contains("alert-t1") {
            break answer.body;
        }
        run.keep_waiting(begun, PATIENCE, "the alert is told");
    };
    let told: Value = serde_json::from_str(&status).unwrap();
    let rule = &told["alerts"][0]["rules"][0];
    assert_eq!((&rule["rule"], &rule["evidence"]["id"]), (&json!("FR-005"), &json!("c1")));
    // It is known, and kept where it is needed.
    let sql = "SELECT rule_details::text FROM gold.fact_fraud_alerts";
    assert!(client.query_one(sql, &[]).unwrap().get::<_, String>(0).contains(reason));
    for text in [name, reason, "joana", "Recife"] {
        assert!(!status.contains(text), "{text}: {status}");
    }
}

/// `STREAMFLOW_PICTURES=docs` has it run until there is something to see, and writes the pictures there.
#[test]
fn the_demonstration_has_the_page_too() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["demo", "--rate", "400", "--duration", "10m", "--workers", "2"];
    let mut demo = Running::start(&arguments, &directory.path().join("demo.log"));
    let begun = Instant::now();
    let url = loop {
        let printed = demo.printed();
        if let Some((_, rest)) = printed.split_once("status page: ") {
            break rest.lines().next().unwrap().to_owned();
        }
        demo.keep_waiting(begun, PATIENCE, "it has a page");
    };
    let mut browser = Browser::open(&url);
    let pictures = std::env::var("STREAMFLOW_PICTURES").ok();
    let points = if pictures.is_some() { 25 } else { 3 };
    let curve = "document.querySelector('.stage polyline')?.getAttribute('points').split(' ').length ?? 0";
    while browser.evaluate(curve).as_u64().unwrap() < points || browser.rows("#alerts tbody tr").is_empty() {
        demo.keep_waiting(begun, PATIENCE, "it shows something");
    }
    assert_eq!(browser.text("#verdict"), "✓ ready");
    assert_eq!(browser.complaints(), Vec::<&Value>::new());
    check_fits(&mut browser);
    if let Some(pictures) = pictures {
        for (scheme, name) in [("light", "status-page.png"), ("dark", "status-page-dark.png")] {
            browser.prefer(scheme);
            let picture = STANDARD.decode(browser.picture()).unwrap();
            std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(&pictures).join(name), picture)
                .unwrap();
        }
    }
}
