//! What the bytes of a file stand for: compressed files are read as what they hold, and a byte-order mark at the
//! beginning is no part of the first line.

use std::io::{self, Cursor, ErrorKind, Read};

use flate2::read::MultiGzDecoder;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// Bytes of the longest of these.
const LONGEST: usize = 4;

/// The text of an input, by the bytes with which it begins.
pub(super) fn text_of(input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let (begin, input) = peek(input)?;
    let text: Box<dyn Read + Send> = if begin.starts_with(GZIP) {
        Box::new(MultiGzDecoder::new(input))
    } else if begin.starts_with(ZSTD) {
        Box::new(zstd::stream::read::Decoder::new(input)?)
    } else {
        input
    };
    let (begin, mut text) = peek(text)?;
    if begin.starts_with(BYTE_ORDER_MARK) {
        text.read_exact(&mut [0; BYTE_ORDER_MARK.len()])?;
    }
    Ok(text)
}

/// The first bytes of an input, and the input with them. A pipe may give them one by one.
fn peek(mut input: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut begin = vec![0; LONGEST];
    let mut read = 0;
    while read < LONGEST {
        match input.read(&mut begin[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    begin.truncate(read);
    let whole = Cursor::new(begin.clone()).chain(input);
    Ok((begin, Box::new(whole)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const TEXT: &[u8] = b"{\"a\": 1}\n{\"a\": 2}\n";

    /// Gives one byte at a time, as a slow pipe does.
    struct Slow(Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let end = buffer.len().min(1);
            self.0.read(&mut buffer[..end])
        }
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        text_of(Box::new(Slow(Cursor::new(bytes.to_vec()))))?.read_to_end(&mut text)?;
        Ok(text)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 0).unwrap()
    }

    #[test]
    fn compressed_files_are_read_as_what_they_hold() {
        for compress in [gzip, zstd] {
            assert_eq!(read(&compress(TEXT)).unwrap(), TEXT);
            // As by `cat`.
            let twice = [compress(TEXT), compress(TEXT)].concat();
            assert_eq!(read(&twice).unwrap(), [TEXT, TEXT].concat());
            let marked = [BYTE_ORDER_MARK, TEXT].concat();
            assert_eq!(read(&compress(&marked)).unwrap(), TEXT);
            let whole = compress(TEXT);
            assert!(read(&whole[..whole.len() - 3]).is_err());
        }
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_beginning_alone() {
        assert_eq!(read(&[BYTE_ORDER_MARK, TEXT].concat()).unwrap(), TEXT);
        let later = [TEXT, BYTE_ORDER_MARK].concat();
        assert_eq!(read(&later).unwrap(), later);
        for short in [&b""[..], b"\n", b"{}", BYTE_ORDER_MARK] {
            let expected = short.strip_prefix(BYTE_ORDER_MARK).unwrap_or(short);
            assert_eq!(read(short).unwrap(), expected);
        }
    }
}
