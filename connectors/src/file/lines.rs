//! Cuts a byte stream into lines without copying them: they are slices of the chunks that were read. Of a
//! line longer than [`KEPT_BYTES`] only that much is kept, so that memory does not depend on what the file
//! holds.

use std::io::{self, ErrorKind, Read};

use bytes::{Bytes, BytesMut};

use crate::source::KEPT_BYTES;

/// Bytes asked for at a time at most.
const READ_BYTES: usize = 128 * 1024;

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The line, or its first [`KEPT_BYTES`].
    pub(super) kept: Bytes,
    /// The whole line's length in bytes.
    pub(super) length: u64,
}

/// The lines of `input`, one after the other.
pub(super) struct Lines<R> {
    input: R,
    chunk_bytes: usize,
    /// Read but not yet given out; up to `searched` it has no line end.
    buffer: BytesMut,
    searched: usize,
    /// The beginning of a line that is too long to be kept whole and whose end has not been read yet.
    oversized: Option<Oversized>,
    at_end: bool,
}

struct Oversized {
    kept: Bytes,
    length: u64,
    ends_with_return: bool,
}

impl<R: Read> Lines<R> {
    /// Lines are cut from chunks of `chunk_bytes`.
    pub(super) fn new(input: R, chunk_bytes: usize) -> Self {
        Self { input, chunk_bytes, buffer: BytesMut::new(), searched: 0, oversized: None, at_end: false }
    }

    /// The next line; `None` at the end.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                let mut text = self.buffer.split_to(self.searched + found + 1).freeze();
                self.searched = 0;
                text.truncate(text.len() - 1);
                return Ok(Some(self.finish(text)));
            }
            self.searched = self.buffer.len();
            if self.at_end {
                let rest = self.buffer.split().freeze();
                self.searched = 0;
                let is_line = !rest.is_empty() || self.oversized.is_some();
                return Ok(is_line.then(|| self.finish(rest)));
            }
            if self.oversized.is_some() || self.buffer.len() > KEPT_BYTES {
                self.set_aside();
            }
            self.fill()?;
        }
    }

    /// Makes a line of what precedes the line end and of what was set aside of it before.
    fn finish(&mut self, mut text: Bytes) -> Line {
        if let Some(begun) = self.oversized.take() {
            let ends_with_return = text.last().map_or(begun.ends_with_return, |last| *last == b'\r');
            let length = begun.length + text.len() as u64 - u64::from(ends_with_return);
            return Line { kept: begun.kept, length };
        }
        if text.last() == Some(&b'\r') {
            text.truncate(text.len() - 1);
        }
        let length = text.len() as u64;
        text.truncate(KEPT_BYTES);
        Line { kept: text, length }
    }

    /// Drops what is buffered of an oversized line, all but its beginning and its length.
    fn set_aside(&mut self) {
        let ends_with_return = self.buffer.last() == Some(&b'\r');
        let length = self.buffer.len() as u64;
        match &mut self.oversized {
            Some(begun) => {
                begun.length += length;
                begun.ends_with_return = ends_with_return;
            }
            None => {
                let kept = Bytes::copy_from_slice(&self.buffer[..KEPT_BYTES]);
                self.oversized = Some(Oversized { kept, length, ends_with_return });
            }
        }
        self.buffer.clear();
        self.searched = 0;
    }

    /// Reads more behind what is left, into the same chunk while it has room: a pipe gives little at a time.
    fn fill(&mut self) -> io::Result<()> {
        let begun = self.buffer.len();
        if self.buffer.capacity() - begun < READ_BYTES.min(self.chunk_bytes) {
            // Not grown in place: the lines given out are still slices of the old chunk.
            let mut chunk = BytesMut::with_capacity(begun + self.chunk_bytes);
            chunk.extend_from_slice(&self.buffer);
            self.buffer = chunk;
        }
        let room = self.buffer.capacity() - begun;
        self.buffer.resize(begun + room.min(READ_BYTES), 0);
        let read = loop {
            match self.input.read(&mut self.buffer[begun..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.buffer.truncate(begun + read);
        self.at_end = read == 0;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(text: &[u8], chunk_bytes: usize) -> Vec<Line> {
        let mut lines = Lines::new(text, chunk_bytes);
        std::iter::from_fn(|| lines.next_line().unwrap()).collect()
    }

    fn texts(text: &[u8], chunk_bytes: usize) -> Vec<String> {
        let text_of = |line: Line| String::from_utf8(line.kept.to_vec()).unwrap();
        lines(text, chunk_bytes).into_iter().map(text_of).collect()
    }

    #[test]
    fn lines_do_not_depend_on_chunks() {
        let text = b"one\ntwo\r\n\nfour\r\r\n\r\nlast";
        for chunk_bytes in 1..=text.len() + 1 {
            assert_eq!(texts(text, chunk_bytes), ["one", "two", "", "four\r", "", "last"], "{chunk_bytes}");
        }
    }

    #[test]
    fn a_last_line_end_begins_no_line() {
        assert_eq!(texts(b"one\n", 2), ["one"]);
        assert_eq!(texts(b"\n", 2), [""]);
        assert_eq!(texts(b"", 2), [""; 0]);
    }

    #[test]
    fn an_oversized_line_keeps_its_beginning_and_its_length() {
        for end in [&b"\n"[..], b"\r\n"] {
            for extra in [0, 1, 2, 1000] {
                let long = vec![b'x'; KEPT_BYTES - 1 + extra];
                let text = [b"before\n", &long[..], end, b"after\n"].concat();
                for chunk_bytes in [512, KEPT_BYTES - 1, KEPT_BYTES, KEPT_BYTES + 7, 1 << 20] {
                    let lines = lines(&text, chunk_bytes);
                    assert_eq!(lines.len(), 3);
                    assert_eq!(lines[1].length, long.len() as u64, "{extra} {chunk_bytes}");
                    assert_eq!(lines[1].kept, long[..long.len().min(KEPT_BYTES)]);
                    assert_eq!(&lines[2].kept[..], b"after");
                }
            }
        }
    }

    #[test]
    fn an_endless_line_needs_little_memory() {
        let mut lines = Lines::new(io::repeat(b'x').take(50_000_000), 1 << 16);
        let line = lines.next_line().unwrap().unwrap();
        assert_eq!((line.kept.len(), line.length), (KEPT_BYTES, 50_000_000));
        assert!(lines.buffer.capacity() < 1 << 18);
        assert_eq!(lines.next_line().unwrap(), None);
    }
}
