//! Where the messages end that timely receives, so that a connection can be brought to an orderly end for it
//! wherever it broke off.

/// Length of timely's header, bytes.
pub const HEADER: usize = 48;

/// Where it holds the length of what follows, a big-endian number.
const LENGTH: std::ops::Range<usize> = 32..40;

/// The place in a sequence of messages. The last one is empty, and nothing follows it.
#[derive(Debug)]
pub struct Framing {
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    known: usize,
    /// Bytes of the message that are still to come after its header.
    rest: u64,
    has_ended: bool,
}

impl Framing {
    pub fn new() -> Self {
        Self { header: [0; HEADER], known: 0, rest: 0, has_ended: false }
    }

    /// Whether the last message was there.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Takes note of what was received.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.next(bytes.len());
            if self.rest > 0 {
                self.rest -= taken as u64;
            } else {
                self.header[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
                self.known += taken;
                self.complete_header();
            }
            bytes = &bytes[taken..];
        }
    }

    /// Writes what completes the message that has begun, then the last one; returns how many bytes these are, 0
    /// where nothing is missing.
    pub fn complete(&mut self, buffer: &mut [u8]) -> usize {
        if self.has_ended {
            return 0;
        }
        let missing = self.next(buffer.len());
        buffer[..missing].fill(0);
        self.follow(&buffer[..missing]);
        missing
    }

    /// How many of `bytes` are of the part of a message that is next.
    fn next(&self, bytes: usize) -> usize {
        match usize::try_from(self.rest) {
            Ok(0) => bytes.min(HEADER - self.known),
            Ok(rest) => bytes.min(rest),
            Err(_) => bytes,
        }
    }

    fn complete_header(&mut self) {
        if self.known == HEADER {
            self.known = 0;
            self.rest = self.header[LENGTH].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
            self.has_ended = self.rest == 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timely::communication::networking::MessageHeader;

    /// Messages of these lengths as timely sends them; 0 is the last one.
    fn messages(lengths: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (seqno, length) in lengths.iter().copied().enumerate() {
            let header =
                MessageHeader { channel: 3, source: 1, target_lower: 2, target_upper: 4, length, seqno };
            header.write_to(&mut bytes).unwrap();
            bytes.extend(std::iter::repeat_n(7, length));
        }
        bytes
    }

    /// What timely makes of it: the lengths of the messages.
    fn lengths(mut bytes: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        while let Some(header) = MessageHeader::try_read(bytes) {
            lengths.push(header.length);
            bytes = &bytes[header.required_bytes()..];
        }
        assert!(bytes.is_empty());
        lengths
    }

    #[test]
    fn what_breaks_off_anywhere_is_brought_to_an_end() {
        let sent = messages(&[5, 300, 1, 70]);
        for received in 0..=sent.len() {
            for size in [1, 7, 1000] {
                let mut framing = Framing::new();
                let mut all = sent[..received].to_vec();
                all.chunks(size).for_each(|chunk| framing.follow(chunk));
                assert!(!framing.has_ended());
                let mut buffer = vec![9; size];
                loop {
                    match framing.complete(&mut buffer) {
                        0 => break,
                        added => all.extend(&buffer[..added]),
                    }
                }
                let lengths = lengths(&all);
                assert_eq!(
                    lengths.iter().position(|length| *length == 0),
                    Some(lengths.len() - 1),
                    "{received}"
                );
            }
        }
    }

    #[test]
    fn the_last_message_is_known() {
        let mut framing = Framing::new();
        framing.follow(&messages(&[5, 0]));
        assert!(framing.has_ended());
        assert_eq!(framing.complete(&mut [0; 10]), 0);
    }
}
