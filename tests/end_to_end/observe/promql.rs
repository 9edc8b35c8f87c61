//! PromQL, as far as it takes to see what an expression reads.

/// Words that are no names of metrics.
const KEYWORDS: [&str; 12] = [
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
    "bool",
    "inf",
];

/// Those among them that labels in parentheses may follow.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

const COMPARISONS: [&str; 6] = ["==", "!=", ">=", "<=", ">", "<"];

/// A selector in an expression.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// The name of the metric.
    pub metric: String,
    /// The name with its conditions.
    pub text: String,
}

/// The pieces of an expression; one after the other they are the expression again.
fn tokens(expression: &str) -> Vec<&str> {
    let mut rest = expression;
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let (token, after) = rest.split_at(length(rest));
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// Of the first token.
fn length(text: &str) -> usize {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || "_:.".contains(letter);
    let run = |of: fn(char) -> bool| text.find(|letter| !of(letter)).unwrap_or(text.len());
    let Some(first) = text.chars().next() else { return 0 };
    match first {
        _ if first.is_whitespace() => run(char::is_whitespace),
        _ if is_word(first) => text.find(|letter| !is_word(letter)).unwrap_or(text.len()),
        // A variable of Grafana.
        '$' => 1 + text[1..].find(|letter| !is_word(letter)).unwrap_or(text.len() - 1),
        '"' => text[1..].find('"').map_or(text.len(), |end| end + 2),
        _ if COMPARISONS
            .iter()
            .chain(&["=~", "!~"])
            .any(|sign| sign.len() == 2 && text.starts_with(sign)) =>
        {
            2
        }
        _ => first.len_utf8(),
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_' || first == ':')
}

/// The index of the token that closes what `tokens[open]` opens.
fn closing(tokens: &[&str], open: usize) -> usize {
    let end = if tokens[open] == "{" { "}" } else { ")" };
    (open..tokens.len()).find(|at| tokens[*at] == end).unwrap_or_else(|| panic!("not closed: {tokens:?}"))
}

/// All selectors in an expression.
pub fn selectors(expression: &str) -> Vec<Selector> {
    let tokens: Vec<&str> = tokens(expression).into_iter().filter(|token| !token.trim().is_empty()).collect();
    let follows = |at: usize, token: &str| tokens.get(at + 1) == Some(&token);
    let is_called = |at: usize| ["(", "by", "without"].iter().any(|token| follows(at, token));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at];
        if BEFORE_LABELS.contains(&token) && follows(at, "(") {
            at = closing(&tokens, at + 1);
        } else if is_name(token) && !KEYWORDS.contains(&token) && !is_called(at) {
            let end = if follows(at, "{") { closing(&tokens, at + 1) } else { at };
            found.push(Selector { metric: token.to_owned(), text: tokens[at..=end].concat() });
            at = end;
        } else if token == "{" {
            panic!("conditions without a name: {expression}");
        }
        at += 1;
    }
    found
}

/// The expression with every comparison telling 0 or 1 instead of leaving out, and nothing taken away from
/// it: where its inputs have data, so has it.
pub fn unfiltered(expression: &str) -> String {
    let mut inside = false;
    let tokens = tokens(expression);
    let is_told = |at: usize| tokens[at + 1..].iter().find(|next| !next.trim().is_empty()) == Some(&"bool");
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        inside = (inside || *token == "{") && *token != "}";
        match *token {
            "unless" => text.push_str("and"),
            token => text.push_str(token),
        }
        if !inside && COMPARISONS.contains(token) && !is_told(at) {
            text.push_str(" bool ");
        }
    }
    text
}

/// The expression with every duration changed by `change`, seconds to seconds.
pub fn with_durations(expression: &str, change: impl Fn(f64) -> f64) -> String {
    tokens(expression)
        .into_iter()
        .map(|token| match seconds(token) {
            Some(seconds) => format!("{}s", change(seconds).round()),
            None => token.to_owned(),
        })
        .collect()
}

/// A duration as `5m`, in seconds.
pub fn seconds(token: &str) -> Option<f64> {
    let (number, unit) = token.split_at(token.len().checked_sub(1)?);
    let unit = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit)
}

#[test]
fn selectors_are_found_wherever_they_stand() {
    let expression = r#"max by (job) (a:b{x="{1}", y=~"z|w"}) > on (slo) group_left 2 * c unless on (d) e_total
        or histogram_quantile(0.9, sum by (le) (rate(f_bucket[$__x] offset 1h))) / vector(0)"#;
    let found: Vec<String> = selectors(expression).into_iter().map(|selector| selector.text).collect();
    assert_eq!(found, [r#"a:b{x="{1}",y=~"z|w"}"#, "c", "e_total", "f_bucket"]);
}

#[test]
fn comparisons_no_longer_leave_out() {
    let expression = r#"a{x!="1"} > on (y) 3 unless b == bool 0 and c>=1"#;
    let unfiltered = r#"a{x!="1"} > bool  on (y) 3 and b == bool 0 and c>= bool 1"#;
    assert_eq!(super::promql::unfiltered(expression), unfiltered);
}

#[test]
fn durations_are_changed_and_nothing_else() {
    let changed = with_durations("rate(a:rate5m[5m] offset 1h) > 60", |seconds| seconds / 60.0);
    assert_eq!(changed, "rate(a:rate5m[5s] offset 60s) > 60");
}
