//! The connections of the HTTP server: so many at once, none for ever, and no error ends the server.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// Further ones wait to be accepted.
const AT_ONCE: usize = 64;

/// A client that has not sent a request within this time, since it connected or since its last one, is disconnected.
const SILENT_AT_MOST: Duration = Duration::from_secs(10);

/// Also one that sends and does not read.
const OPEN_AT_MOST: Duration = Duration::from_secs(300);

/// Out of descriptors or memory: others may give some back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves until `stopped` is closed. Requests under way are cut short then: whoever asks sees that the process ends.
pub async fn serve(listener: TcpListener, router: Router, mut stopped: oneshot::Receiver<()>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        tokio::select! {
            connection = accept(&listener, &room) => {
                if let Some((stream, permit)) = connection {
                    tokio::spawn(attend(stream, router.clone(), permit));
                }
            }
            _ = &mut stopped => return,
        }
    }
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) if is_of_the_client(&error) => None,
        Err(error) => {
            tracing::warn!(%error, "a connection to metrics and health cannot be accepted; trying again");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn attend(stream: TcpStream, router: Router, _room: OwnedSemaphorePermit) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENT_AT_MOST)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // What breaks is the client's connection, which is nothing to be told.
    let _ = timeout(OPEN_AT_MOST, connection).await;
}

/// It had gone before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
