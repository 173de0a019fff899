//! Sends GET requests to the API server. Everything except commands and debug pods goes through here.

use super::{
    error::{ApiRequest, ClusterError},
    leftovers::Leftovers,
};
use crate::ReadError;
use futures::{AsyncReadExt, io::AsyncBufRead};
use http::{Method, Request, header::ACCEPT};
use kube::Client;
use serde::de::DeserializeOwned;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The limit of an answer in bytes, which is more than a page of the largest objects.
const MAX_BODY: u64 = 256 << 20;

/// The time limit of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestDeadline {
    at: Instant,
    seconds: u64,
}

impl RequestDeadline {
    /// A time limit that starts now.
    pub(super) fn after(within: Duration) -> Self {
        Self { at: Instant::now() + within, seconds: within.as_secs() }
    }

    /// The time left.
    pub(super) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Runs work, but no longer than the time left.
    pub(super) async fn bound<T>(
        &self,
        what: &impl ToString,
        work: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        tokio::time::timeout_at(self.at, work).await.map_err(|_| self.late(what))?
    }

    /// The error for a time limit that is over.
    pub(super) fn late(&self, what: &impl ToString) -> ReadError {
        ReadError::TooLate { what: what.to_string(), seconds: self.seconds }
    }
}

/// The body of an answer, which may be a log.
pub(super) type Reader = Pin<Box<dyn AsyncBufRead + Send>>;

/// A connection to the API server.
#[derive(Clone)]
pub(super) struct Api {
    client: Arc<Mutex<Client>>,
    /// True if the server rejected the credentials.
    is_refused: Arc<AtomicBool>,
    server: String,
    /// Work that must continue after a call.
    pub(super) leftovers: Leftovers,
}

impl Api {
    pub(super) fn new(client: Client, server: String, leftovers: Leftovers) -> Self {
        Self { client: Arc::new(Mutex::new(client)), is_refused: Arc::default(), server, leftovers }
    }

    /// Returns true if the credentials were rejected since the last call of this function.
    pub(super) fn was_refused(&self) -> bool {
        self.is_refused.swap(false, Ordering::Relaxed)
    }

    /// Replaces the client with another client of the same server.
    pub(super) fn renew(&self, client: Client) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    /// The client, for commands and debug pods. Each of the two has one file that uses it.
    pub(super) fn client(&self) -> Client {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Explains why a request was not answered, and notes whether the credentials were rejected.
    pub(super) fn error(&self, asked: &ApiRequest, error: kube::Error) -> ReadError {
        let error = ClusterError::of_request(&self.server, asked, error);
        if matches!(error, ClusterError::Unauthorized { .. } | ClusterError::Credentials(_)) {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        ReadError::Cluster(error)
    }

    /// Sends a request, and returns the body of the answer as a stream.
    pub(super) async fn stream(
        &self,
        asked: &ApiRequest,
        request: Request<Vec<u8>>,
    ) -> Result<Reader, ReadError> {
        if request.method() != Method::GET {
            let said = format!("the method is {}, not GET", request.method());
            return Err(ReadError::Cluster(ClusterError::Nonsense { what: asked.to_string(), said }));
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that sends GET requests")]
        let reader = self.client().request_stream(request).await.map_err(|e| self.error(asked, e))?;
        Ok(Box::pin(reader))
    }

    /// Sends a request, and parses the whole answer.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        asked: &ApiRequest,
        request: Request<Vec<u8>>,
        deadline: RequestDeadline,
    ) -> Result<T, ReadError> {
        let body = deadline.bound(asked, async {
            let mut body = Vec::new();
            let reader = self.stream(asked, request).await?;
            let read = reader.take(MAX_BODY + 1).read_to_end(&mut body).await;
            read.map_err(|e| {
                let said = format!("{} after {} bytes", e, body.len());
                ReadError::Cluster(ClusterError::Cut { what: asked.to_string(), said })
            })?;
            Ok(body)
        });
        let body = body.await?;
        if body.len() as u64 > MAX_BODY {
            return Err(ReadError::TooLarge { what: format!("the answer to `{asked}`"), limit: MAX_BODY });
        }
        serde_json::from_slice(&body).map_err(|e| {
            ReadError::Cluster(ClusterError::Nonsense { what: asked.to_string(), said: e.to_string() })
        })
    }
}

/// Asks for a different form of the answer.
pub(super) fn accept(mut request: Request<Vec<u8>>, form: &'static str) -> Request<Vec<u8>> {
    request.headers_mut().insert(ACCEPT, http::HeaderValue::from_static(form));
    request
}

/// Builds a GET request for a path that consists of names.
pub(super) fn path(path: String) -> Result<Request<Vec<u8>>, ReadError> {
    Request::get(path).body(Vec::new()).map_err(|e| ReadError::unreadable("a request", e))
}
