//! What an expression reads.

use super::environment::Kind;
use std::fmt;
use std::time::Duration;

/// A variable, or a function with its window, that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The name of the variable or function.
    pub name: &'static str,
    /// The kind of its values.
    pub kind: Kind,
    /// The window of a function; none for a variable.
    pub window: Option<Duration>,
}

/// As it is written in an expression: `customer.count`, `count_within("10m")`.
impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(window) = self.window else {
            return f.write_str(self.name);
        };
        let seconds = window.as_secs();
        let whole = UNITS.iter().rev().find(|(_, unit)| seconds.is_multiple_of(*unit));
        let (letter, unit) = whole.unwrap_or(&UNITS[0]);
        write!(f, "{}(\"{}{letter}\")", self.name, seconds / unit)
    }
}

/// The letters of a window's unit, in seconds, ascending.
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];

/// A window, as 90s, 10m, 24h or 7d; none where it is not written so, or is nothing.
pub(crate) fn parse_window(text: &str) -> Option<Duration> {
    let unit = UNITS.iter().find(|(letter, _)| text.ends_with(*letter))?;
    let digits = &text[..text.len() - 1];
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = if plain { digits.parse::<u64>().ok()?.checked_mul(unit.1)? } else { 0 };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// A window, as it is written in an expression.
pub(crate) fn show_window(window: Duration) -> String {
    Read { name: "", kind: Kind::Number, window: Some(window) }.to_string().replace(['(', ')'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_and_shown() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("24h", 86_400), ("007d", 604_800)] {
            assert_eq!(parse_window(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "0m", "-1m", "+1m", "1.5h", "10", "10 m", "10w", "1é", "99999999999999999999d"]
        {
            assert_eq!(parse_window(text), None, "{text}");
        }
        let read = |seconds| Read {
            name: "count_within",
            kind: Kind::Number,
            window: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(read(600).to_string(), "count_within(\"10m\")");
        assert_eq!(read(86_400).to_string(), "count_within(\"1d\")");
        assert_eq!(read(61).to_string(), "count_within(\"61s\")");
    }
}
