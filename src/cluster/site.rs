//! Where this process meets the others, as long as it lives: it listens there, whether the dataflow runs or not.

use super::credentials::Credentials;
use super::encryption::Encryption;
use super::greeting::{Identity, Party};
use super::members::Members;
use super::reception::Reception;
use super::settings::ClusterSettings;
use crate::stop::Stop;
use anyhow::{Context, Result};
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long the process's own name may take to be known.
const KNOWN_WITHIN: Duration = Duration::from_secs(300);

/// How often it tries to listen.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// This process's place among the others.
pub struct Site {
    pub settings: ClusterSettings,
    pub members: Members,
    /// This process.
    pub party: Party,
    pub credentials: Arc<Credentials>,
    /// `None` where they send each other what they send as it is.
    pub encryption: Option<Arc<Encryption>>,
    pub reception: Mutex<Reception>,
}

impl Site {
    /// Listens for the others.
    ///
    /// # Errors
    /// It cannot listen at its own address, or read its password or its certificate: whoever configured that can fix it.
    pub fn open(
        settings: &ClusterSettings,
        members: Members,
        identity: Identity,
        stop: &Stop,
    ) -> Result<Self> {
        let own = members.address(members.process());
        let credentials = Arc::new(Credentials::read(settings)?);
        let encryption = Encryption::new(settings)?.map(Arc::new);
        let reception = Reception::new(listen(&own, stop)?, &credentials, encryption.as_ref())?;
        let party = Party::new(identity, members.process());
        let (settings, reception) = (settings.clone(), Mutex::new(reception));
        Ok(Self { settings, members, party, credentials, encryption, reception })
    }

    /// The number of this process.
    pub fn process(&self) -> usize {
        self.party.process
    }
}

/// Its own name may take a moment to be known.
fn listen(own: &str, stop: &Stop) -> Result<TcpListener> {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(own) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let is_known = own.to_socket_addrs().is_ok();
                if is_known || stop.is_asked() || begun.elapsed() > KNOWN_WITHIN {
                    return Err(error)
                        .with_context(|| format!("cannot listen for the other processes at {own}"));
                }
            }
        }
        std::thread::sleep(TRY_EVERY);
    }
}
