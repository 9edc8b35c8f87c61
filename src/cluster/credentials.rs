//! What this process proves itself with to the others, and knows them by.

use super::settings::ClusterSettings;
use anyhow::{Result, anyhow, bail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use streamflow_connectors::password::read_password;

/// Whoever has recorded a greeting can try passwords on it, as many as they like: a shorter one would be found.
const SHORTEST_PASSWORD: usize = 16;

/// Length of a proof, bytes.
pub const PROOF: usize = 32;

/// The password that all processes have; an empty one where none is configured, which anybody knows.
pub struct Credentials {
    password: Vec<u8>,
}

impl Credentials {
    /// As they are now.
    ///
    /// # Errors
    /// One line that names the key: the password cannot be read, or is too short.
    pub fn read(settings: &ClusterSettings) -> Result<Self> {
        let read = read_password(settings.password_env.as_deref(), settings.password_file.as_deref())
            .map_err(|(key, what)| anyhow!("configuration: cluster.{key}: {what}"))?;
        let Some(password) = read else { return Ok(Self { password: Vec::new() }) };
        if password.len() < SHORTEST_PASSWORD {
            let key = if settings.password_env.is_some() { "password_env" } else { "password_file" };
            bail!("configuration: cluster.{key}: the password must have at least {SHORTEST_PASSWORD} bytes");
        }
        Ok(Self { password: password.into_bytes() })
    }

    /// What only those with the password can say of these parts, of which all but the last have a fixed length.
    ///
    /// # Errors
    /// None: a key may have any length.
    pub fn prove(&self, parts: &[&[u8]]) -> Result<[u8; PROOF]> {
        Ok(self.code(parts)?.finalize().into_bytes().into())
    }

    /// Whether this is their proof.
    ///
    /// # Errors
    /// As for [`Credentials::prove`].
    pub fn is_proof(&self, proof: &[u8], parts: &[&[u8]]) -> Result<bool> {
        Ok(self.code(parts)?.verify_slice(proof).is_ok())
    }

    fn code(&self, parts: &[&[u8]]) -> Result<Hmac<Sha256>> {
        let mut code = Hmac::<Sha256>::new_from_slice(&self.password)?;
        parts.iter().for_each(|part| code.update(part));
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_password(password: &str) -> Result<Credentials> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, password).unwrap();
        let password_file = Some(file.path().to_owned());
        Credentials::read(&ClusterSettings { password_file, ..ClusterSettings::default() })
    }

    #[test]
    fn only_the_same_password_proves_the_same() {
        let [ours, theirs] =
            ["sixteen letters!\n", "sixteen letters?\n"].map(|text| with_password(text).unwrap());
        let proof = ours.prove(&[b"a", b"b"]).unwrap();
        assert!(ours.is_proof(&proof, &[b"a", b"b"]).unwrap());
        assert!(!ours.is_proof(&proof, &[b"a", b"c"]).unwrap());
        assert!(!theirs.is_proof(&proof, &[b"a", b"b"]).unwrap());
    }

    #[test]
    fn a_password_that_could_be_guessed_is_refused() {
        let told = with_password("s3cret").err().unwrap().to_string();
        assert!(told.contains("cluster.password_file") && told.contains("16 bytes"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}
