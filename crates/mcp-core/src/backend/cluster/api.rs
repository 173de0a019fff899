//! Questions to the API server. This is the one way to it for everything that is not a command: GET alone.

use super::{
    error::{Asked, ClusterError},
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

/// More than a page of the largest objects has.
const MAX_BODY: u64 = 256 << 20;

/// The end of a call's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Instant,
    seconds: u64,
}

impl Deadline {
    /// From now on.
    pub(super) fn after(within: Duration) -> Self {
        Self { at: Instant::now() + within, seconds: within.as_secs() }
    }

    /// What is left.
    pub(super) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// No longer than what is left.
    pub(super) async fn bound<T>(
        &self,
        what: &impl ToString,
        work: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        tokio::time::timeout_at(self.at, work).await.map_err(|_| self.late(what))?
    }

    /// That it is over.
    pub(super) fn late(&self, what: &impl ToString) -> ReadError {
        ReadError::TooLate { what: what.to_string(), seconds: self.seconds }
    }
}

/// What a log is read from.
pub(super) type Reader = Pin<Box<dyn AsyncBufRead + Send>>;

/// The API server.
#[derive(Clone)]
pub(super) struct Api {
    client: Arc<Mutex<Client>>,
    /// Did the server not take our credentials?
    is_refused: Arc<AtomicBool>,
    server: String,
    /// What is to be done after a call.
    pub(super) leftovers: Leftovers,
}

impl Api {
    pub(super) fn new(client: Client, server: String, leftovers: Leftovers) -> Self {
        Self { client: Arc::new(Mutex::new(client)), is_refused: Arc::default(), server, leftovers }
    }

    /// Were our credentials refused since this was asked last?
    pub(super) fn was_refused(&self) -> bool {
        self.is_refused.swap(false, Ordering::Relaxed)
    }

    /// Goes on with another client of the same server.
    pub(super) fn renew(&self, client: Client) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    /// For commands and debug pods, each of which has one file.
    pub(super) fn client(&self) -> Client {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why a question was not answered.
    pub(super) fn error(&self, asked: &Asked, error: kube::Error) -> ReadError {
        let error = ClusterError::of_request(&self.server, asked, error);
        if matches!(error, ClusterError::Unauthorized { .. } | ClusterError::Credentials(_)) {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        ReadError::Cluster(error)
    }

    /// What answers to a question, as it comes.
    pub(super) async fn stream(&self, asked: &Asked, request: Request<Vec<u8>>) -> Result<Reader, ReadError> {
        if request.method() != Method::GET {
            let said = format!("{} is no question", request.method());
            return Err(ReadError::Cluster(ClusterError::Nonsense { what: asked.to_string(), said }));
        }
        #[expect(clippy::disallowed_methods, reason = "the one place where a question is asked")]
        let reader = self.client().request_stream(request).await.map_err(|e| self.error(asked, e))?;
        Ok(Box::pin(reader))
    }

    /// The answer to a question, whole.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        asked: &Asked,
        request: Request<Vec<u8>>,
        deadline: Deadline,
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

/// A request with another form of the answer.
pub(super) fn accept(mut request: Request<Vec<u8>>, form: &'static str) -> Request<Vec<u8>> {
    request.headers_mut().insert(ACCEPT, http::HeaderValue::from_static(form));
    request
}

/// A path that is made of names.
pub(super) fn path(path: String) -> Result<Request<Vec<u8>>, ReadError> {
    Request::get(path).body(Vec::new()).map_err(|e| ReadError::unreadable("a question", e))
}
