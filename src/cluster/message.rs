//! What processes send each other before the dataflow begins: a length and JSON.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};

/// Bytes; more than any of these messages needs.
const LARGEST: u32 = 1 << 20;

/// # Errors
/// The connection is gone, or the message is too long.
pub fn send(to: &mut impl Write, message: &impl Serialize) -> Result<()> {
    send_bytes(to, &serde_json::to_vec(message)?)
}

/// # Errors
/// The connection is gone, or what came is no such message.
pub fn receive<M: DeserializeOwned>(from: &mut impl Read) -> Result<M> {
    read(&receive_bytes(from, LARGEST)?)
}

/// The message in `bytes` that have been received.
///
/// # Errors
/// They are no such message.
pub fn read<M: DeserializeOwned>(bytes: &[u8]) -> Result<M> {
    serde_json::from_slice(bytes).context("a message that is not understood")
}

/// Sends their number before them.
///
/// # Errors
/// The connection is gone, or they are too many.
pub fn send_bytes(to: &mut impl Write, bytes: &[u8]) -> Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LARGEST);
    let length = length.context("the message is too long")?;
    // At once: what is small is one packet.
    to.write_all(&[&length.to_be_bytes(), bytes].concat())?;
    Ok(to.flush()?)
}

/// At most `most` bytes, whose number comes before them.
///
/// # Errors
/// The connection is gone, or they are more.
pub fn receive_bytes(from: &mut impl Read, most: u32) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > most {
        bail!("a message of {length} bytes: that is no process of StreamFlow");
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let mut bytes = Vec::new();
        send(&mut bytes, &("worker", 3)).unwrap();
        assert_eq!(receive::<(String, u32)>(&mut bytes.as_slice()).unwrap(), ("worker".to_owned(), 3));
    }

    #[test]
    fn strangers_are_not_believed() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\x02{]", b"\0\0\0\x09{}", b""] {
            assert!(receive::<String>(&mut &bytes[..]).is_err());
        }
    }
}
