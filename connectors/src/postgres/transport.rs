//! What a session runs over: a socket with or without TLS, on which nothing may take longer than the limit until
//! the session stands.
//!
//! The driver gives a socket away only where it is to become one with TLS, and bounds only how long the address
//! takes to accept it. So every connection over TCP comes through here, those without TLS as well.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use postgres::Socket;
use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Sleep;
use tokio_postgres_rustls::MakeRustlsConnect;

type RustlsConnect = <MakeRustlsConnect as MakeTlsConnect<Bounded>>::TlsConnect;
type RustlsStream = <MakeRustlsConnect as MakeTlsConnect<Bounded>>::Stream;

/// `SSLRequest`: its length, then a version that no protocol has.
const ASK_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// The one byte with which a server agrees to it.
const AGREED: u8 = b'S';

/// Until when a session must stand.
#[derive(Clone)]
pub(super) struct Deadline {
    at: Instant,
    met: Arc<AtomicBool>,
    missed: Arc<AtomicBool>,
}

impl Deadline {
    pub(super) fn at(at: Instant) -> Self {
        Self { at, met: Arc::default(), missed: Arc::default() }
    }

    /// The session stands: from now on its statements may take as long as they take.
    pub(super) fn meet(&self) {
        self.met.store(true, Ordering::Relaxed);
    }

    /// Whether it was for this deadline that connecting ended.
    pub(super) fn is_missed(&self) -> bool {
        self.missed.load(Ordering::Relaxed)
    }
}

/// Makes the transport of one session.
pub(super) struct Transport {
    pub(super) tls: Option<MakeRustlsConnect>,
    pub(super) deadline: Deadline,
}

impl MakeTlsConnect<Socket> for Transport {
    type Stream = Stream;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Connect> {
        let tls = self.tls.as_mut().map(|tls| MakeTlsConnect::<Bounded>::make_tls_connect(tls, host));
        let tls = tls.transpose().map_err(io::Error::other)?;
        Ok(Connect { tls, deadline: self.deadline.clone() })
    }
}

/// Makes the transport of one session from its socket.
pub(super) struct Connect {
    tls: Option<RustlsConnect>,
    deadline: Deadline,
}

impl TlsConnect<Socket> for Connect {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let mut socket = Bounded::new(socket, self.deadline);
            let Some(tls) = self.tls else { return Ok(Stream::Plain(socket)) };
            socket.write_all(&ASK_FOR_TLS).await?;
            // This byte and none behind it: what an impostor appends goes to TLS, which refuses it.
            if socket.read_u8().await? != AGREED {
                let text = "the server does not support TLS";
                return Err(io::Error::new(io::ErrorKind::Unsupported, text));
            }
            Ok(Stream::Tls(Box::new(tls.connect(socket).await?)))
        })
    }
}

/// A session's transport.
pub(super) enum Stream {
    Plain(Bounded),
    Tls(Box<RustlsStream>),
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        match self {
            Self::Plain(_) => ChannelBinding::none(),
            Self::Tls(stream) => stream.channel_binding(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A socket from which reading fails once the deadline is missed. Writing need not: what is written before the
/// session stands fits into any socket's buffer.
pub(super) struct Bounded {
    socket: Socket,
    deadline: Deadline,
    /// Gone once the session stands.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    fn new(socket: Socket, deadline: Deadline) -> Self {
        let timer = Some(Box::pin(tokio::time::sleep_until(deadline.at.into())));
        Self { socket, deadline, timer }
    }

    /// Whether the deadline is missed; if not, the task is woken when it will be.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        if self.deadline.met.load(Ordering::Relaxed) {
            self.timer = None;
        }
        let late = self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready());
        if late {
            self.deadline.missed.store(true, Ordering::Relaxed);
        }
        late
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.socket).poll_read(context, into) {
            Poll::Pending if this.timer.is_some() && this.is_late(context) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            outcome => outcome,
        }
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
