//! What is checked before a source is parsed.
//!
//! The parser recurses, takes more of CEL than we do, and explains little. So what would make it recurse
//! deeply, and every character that our part of CEL does not use, is refused before.

use super::problem::{Fault, shown};

/// The longest source, in bytes.
pub(crate) const LONGEST: usize = 4096;
/// How deep brackets and conditions may be nested.
const DEEPEST: usize = 32;
/// How many names, literals and operators a source may have.
const MOST_TOKENS: usize = 1024;

const NO_BRACES: &str = "maps and messages, written with { }, are not part of this language";

/// Refuses what the parser should not see.
pub(crate) fn scan(source: &str) -> Result<(), Fault> {
    if source.len() > LONGEST {
        return Err(Fault::new(0, format!("longer than {LONGEST} bytes")));
    }
    let end = Scanner::of(source).tokens()?;
    if end < source.len() { Err(Fault::new(end, NO_BRACES)) } else { Ok(()) }
}

/// Where the `}` is that follows an expression, if any; refuses what the parser should not see before it.
pub(crate) fn scan_until_brace(source: &str) -> Result<Option<usize>, Fault> {
    let end = Scanner::of(source).tokens()?;
    Ok((end < source.len()).then_some(end))
}

struct Bracket {
    offset: usize,
    closing: u8,
    /// How deep what is around it lies.
    outside: usize,
}

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
    brackets: Vec<Bracket>,
}

impl<'a> Scanner<'a> {
    fn of(source: &'a str) -> Self {
        Self { source, at: 0, depth: 0, brackets: Vec::new() }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.as_bytes().get(self.at + ahead).copied()
    }

    fn fault<T>(&self, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::new(self.at, message))
    }

    /// Goes to the end, or to a `}`, and says where it is.
    fn tokens(&mut self) -> Result<usize, Fault> {
        let mut tokens = 0;
        while let Some(byte) = self.peek(0) {
            if byte == b'}' {
                break;
            }
            tokens += usize::from(!byte.is_ascii_whitespace());
            if tokens > MOST_TOKENS {
                return self.fault(format!("more than {MOST_TOKENS} names, literals and operators"));
            }
            self.token(byte)?;
        }
        match self.brackets.pop() {
            Some(open) => Err(Fault::new(open.offset, "this bracket is not closed")),
            None => Ok(self.at),
        }
    }

    fn token(&mut self, byte: u8) -> Result<(), Fault> {
        match byte {
            b'"' | b'\'' => return self.text(byte),
            b'/' if self.peek(1) == Some(b'/') => self.skip_while(|byte| byte != b'\n'),
            b'(' => self.open(b')')?,
            b'[' => self.open(b']')?,
            b')' | b']' => self.close(byte)?,
            b'?' => self.deepen()?,
            b',' => self.depth = self.brackets.last().map_or(0, |open| open.outside + 1),
            b' ' | b'\t' | b'\r' | b'\n' | b'.' | b':' | b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'='
            | b'<' | b'>' | b'&' | b'|' => {}
            b'{' => return self.fault(NO_BRACES),
            _ if is_word(byte) => return self.word(),
            _ => {
                let letter = self.source.get(self.at..).and_then(|rest| rest.chars().next());
                let letter = letter.unwrap_or_default().escape_debug();
                return self.fault(format!("the character {letter} is not part of this language"));
            }
        }
        self.at += 1;
        Ok(())
    }

    fn deepen(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.fault(format!("brackets and conditions nested deeper than {DEEPEST}"));
        }
        Ok(())
    }

    fn open(&mut self, closing: u8) -> Result<(), Fault> {
        self.brackets.push(Bracket { offset: self.at, closing, outside: self.depth });
        self.deepen()
    }

    fn close(&mut self, byte: u8) -> Result<(), Fault> {
        match self.brackets.pop() {
            Some(open) if open.closing == byte => self.depth = open.outside,
            _ => return self.fault("this bracket closes none"),
        }
        Ok(())
    }

    /// Skips a name or a number.
    fn word(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.skip_while(is_word);
        match self.peek(0) {
            // CEL would read r"..." as a raw text and b"..." as bytes.
            Some(b'"' | b'\'') => {
                let word = shown(&self.source[start..self.at]);
                Err(Fault::new(start, format!("{word} directly before a text is not part of this language")))
            }
            _ => Ok(()),
        }
    }

    fn skip_while(&mut self, keep: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&keep) {
            self.at += 1;
        }
    }

    /// Skips a text. The parser would go on within one that it does not accept, so escapes that it may not
    /// know are refused.
    fn text(&mut self, quote: u8) -> Result<(), Fault> {
        let start = self.at;
        if self.peek(1) == Some(quote) && self.peek(2) == Some(quote) {
            return self.fault("texts in three quotes are not part of this language");
        }
        self.at += 1;
        loop {
            match self.peek(0) {
                None | Some(b'\n' | b'\r') => {
                    return Err(Fault::new(start, "this text is not closed in its line"));
                }
                Some(b'\\') => {
                    if !matches!(self.peek(1), Some(b'\\' | b'"' | b'\'' | b'n' | b't')) {
                        return self.fault(r#"a \ in a text is followed by \, ", ', n or t"#);
                    }
                    self.at += 2;
                }
                Some(byte) => {
                    self.at += 1;
                    if byte == quote {
                        return Ok(());
                    }
                }
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> String {
        scan(source).unwrap_err().placed_in(source).to_string()
    }

    #[test]
    fn depth_is_of_brackets_and_conditions() {
        let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(scan(&nested(32)).is_ok());
        assert_eq!(refused(&nested(33)), "column 33: brackets and conditions nested deeper than 32");
        assert_eq!(
            refused(&"a ? b : ".repeat(33)),
            "column 259: brackets and conditions nested deeper than 32"
        );
        let beside = format!("f({})", vec!["a ? (b) : c"; 40].join(", "));
        assert!(scan(&beside).is_ok(), "what is beside is not deeper");
    }

    #[test]
    fn brackets_and_texts_must_be_closed() {
        assert_eq!(refused("a + (b"), "column 5: this bracket is not closed");
        assert_eq!(refused("[a)"), "column 3: this bracket closes none");
        assert_eq!(refused("a ==\n 'b"), "line 2, column 2: this text is not closed in its line");
        assert!(scan("'(' == \"[[\" // ((").is_ok(), "brackets in texts and comments do not count");
        assert_eq!(refused(r"'\q((('"), r#"column 2: a \ in a text is followed by \, ", ', n or t"#);
        assert_eq!(refused("'''a'''"), "column 1: texts in three quotes are not part of this language");
        assert_eq!(refused("rb'a'"), "column 1: rb directly before a text is not part of this language");
    }

    #[test]
    fn sources_are_short() {
        assert_eq!(refused(&"a".repeat(10_000_000)), "column 1: longer than 4096 bytes");
        assert_eq!(refused(&"+".repeat(2000)), "column 1025: more than 1024 names, literals and operators");
    }
}
