//! The HTTP server, in a thread of its own so that it answers whatever the pipeline does.

use super::hosts::Hosts;
use super::{Observed, connections, health, metrics, page};
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A running server; dropping it stops it.
pub struct Server {
    /// Never used to send: the server ends when this is dropped.
    owner: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    address: SocketAddr,
}

/// The sources of the answers.
#[derive(Clone)]
struct Answers {
    observed: Arc<Observed>,
    registry: Registry,
}

impl Server {
    /// Listens on `address`, `host:port`; port 0 takes a free one.
    ///
    /// # Errors
    /// The address is in use, malformed, or not one of this machine: the configuration has to be corrected.
    pub fn start(address: &str, observed: Observed) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .with_context(|| format!("configuration: metrics.listen = {address}: cannot listen there"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let observed = Arc::new(observed);
        let registry = metrics::registry(&observed).context("cannot register the metrics")?;
        let (owner, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            if let Err(error) = runtime.block_on(serve(listener, Answers { observed, registry }, stopped)) {
                tracing::error!(%error, "metrics and health are served no more");
            }
        };
        let thread = std::thread::Builder::new().name("observe".to_owned()).spawn(serve);
        let thread = thread.context("cannot start the thread that serves metrics")?;
        tracing::info!(%address, "metrics and health are served");
        Ok(Self { owner: Some(owner), thread: Some(thread), address })
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.owner = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been told on standard error.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, answers: Answers, stopped: oneshot::Receiver<()>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let hosts = answers.observed.limits.hosts.clone();
    let from_allowed = from_fn(move |request, next| refuse_others(hosts.clone(), request, next));
    let page = Router::new()
        .route("/", get(async || page::document()))
        .route("/status.json", get(status))
        .route_layer(from_allowed);
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .merge(page)
        .with_state(answers);
    connections::serve(listener, router, stopped).await;
    Ok(())
}

async fn refuse_others(hosts: Hosts, request: Request, next: Next) -> Response {
    if hosts.allow(request.headers()) {
        return next.run(request).await;
    }
    let line = "the status page is not served under this name; see metrics.hosts\n";
    (StatusCode::MISDIRECTED_REQUEST, line).into_response()
}

async fn metrics(State(answers): State<Answers>) -> Response {
    match TextEncoder::new().encode_to_string(&answers.registry.gather()) {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn status(State(answers): State<Answers>) -> Response {
    page::status(&answers.observed)
}

async fn healthz(State(answers): State<Answers>) -> Response {
    verdict(health::alive(&answers.observed))
}

async fn readyz(State(answers): State<Answers>) -> Response {
    verdict(health::ready(&answers.observed))
}

/// 200, or 503 with one line with the reason.
fn verdict(verdict: Result<(), String>) -> Response {
    match verdict {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        Err(reason) => {
            let line = reason.replace(['\n', '\r'], " ");
            (StatusCode::SERVICE_UNAVAILABLE, format!("{line}\n")).into_response()
        }
    }
}
