//! What processes send each other before the dataflow begins: a length and JSON.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};

/// Bytes. More than any of these messages needs, and little enough to allocate for a stranger's length.
const LARGEST: u32 = 1 << 20;

/// # Errors
/// The connection is gone, or the message is too long.
pub fn send(to: &mut impl Write, message: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(message)?;
    let length = u32::try_from(text.len()).ok().filter(|length| *length <= LARGEST);
    let length = length.context("the message is too long")?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(&text)?;
    Ok(to.flush()?)
}

/// # Errors
/// The connection is gone, or what came is no such message.
pub fn receive<M: DeserializeOwned>(from: &mut impl Read) -> Result<M> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > LARGEST {
        bail!("a message of {length} bytes: that is no process of StreamFlow");
    }
    let mut text = vec![0; length as usize];
    from.read_exact(&mut text)?;
    serde_json::from_slice(&text).context("a message that is not understood")
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
