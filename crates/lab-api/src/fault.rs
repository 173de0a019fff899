//! Simulates faults of a cluster.
//!
//! A file holds the faults as an array of objects. The server reads it before each request, so a test writes the file
//! and the next request has the faults. Without the file there are no faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode, Uri};
use serde_json::Value;

use super::path::Target;
use super::status::Status;
use super::store::text;

/// A fault of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The answer is delayed by this time.
    Slow(Duration),
    /// The request is refused with this status code.
    Refused(StatusCode),
    /// The connection is cut after this number of bytes of the answer.
    Cut(usize),
    /// The request is never answered.
    Hang,
}

/// A fault, and the requests that have it.
#[derive(Clone, Debug)]
struct FaultRule {
    /// A part of the path and query.
    path: String,
    /// The method. Empty for any method.
    method: String,
    /// The number of requests that still have the fault. `None` for all requests.
    times: Option<u64>,
    fault: Fault,
}

/// The current faults.
#[derive(Debug, Default)]
pub(super) struct Faults {
    file: Option<PathBuf>,
    state: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    /// The content of the file when it was last read.
    text: String,
    rules: Vec<FaultRule>,
    /// The containers that do not run, as `namespace/pod/container`.
    restarting: BTreeSet<String>,
    /// The programs that the images of the cluster's own pods lack.
    lacks: Vec<String>,
    /// The nodes whose kubelets start no pods.
    kubelets: BTreeMap<String, KubeletFault>,
}

/// The reason why a kubelet starts no pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KubeletFault {
    /// The node has the maximum number of pods, and the kubelet rejects the pod.
    Full,
    /// The kubelet does not react.
    Silent,
}

impl Faults {
    /// Uses the faults in a file.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, state: Mutex::default() }
    }

    /// Reads the file again if it has changed, and returns the containers that do not run. Returns `None` if the file
    /// is unchanged.
    pub(super) fn refresh(&self) -> Result<Option<BTreeSet<String>>, Status> {
        let text = self.file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let mut state = self.state();
        if state.text == text {
            return Ok(None);
        }
        *state = read(text)?;
        Ok(Some(state.restarting.clone()))
    }

    /// Returns the fault of a request, and counts it.
    pub(super) fn of(&self, method: &Method, uri: &Uri) -> Option<Fault> {
        let text = uri.to_string();
        let mut state = self.state();
        let fits = |rule: &&mut FaultRule| {
            text.contains(&rule.path)
                && (rule.method.is_empty() || rule.method == method.as_str())
                && rule.times != Some(0)
        };
        let rule = state.rules.iter_mut().find(fits)?;
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.fault.clone())
    }

    /// Returns the programs that the images of the cluster's own pods lack.
    pub(super) fn lacks(&self) -> Vec<String> {
        self.state().lacks.clone()
    }

    /// Returns the fault of a node's kubelet.
    pub(super) fn kubelet(&self, node: &str) -> Option<KubeletFault> {
        self.state().kubelets.get(node).copied()
    }

    fn state(&self) -> MutexGuard<'_, Rules> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(text: String) -> Result<Rules, Status> {
    let faults: Value = match text.as_str() {
        "" => Value::Array(Vec::new()),
        text => {
            serde_json::from_str(text).map_err(|error| Status::bad_request(format!("faults: {error}")))?
        }
    };
    let mut state = Rules { text, ..Rules::default() };
    for fault in faults.as_array().ok_or_else(|| Status::bad_request("faults must be an array"))? {
        let word = |key: &str| fault.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(container) = word("restarting") {
            state.restarting.insert(container);
        } else if let Some(program) = word("lacks") {
            state.lacks.push(program);
        } else if let (Some(node), Some(how)) = (word("node"), word("kubelet")) {
            state.kubelets.insert(node, kubelet(&how)?);
        } else {
            state.rules.push(rule(fault)?);
        }
    }
    Ok(state)
}

fn kubelet(how: &str) -> Result<KubeletFault, Status> {
    match how {
        "full" => Ok(KubeletFault::Full),
        "silent" => Ok(KubeletFault::Silent),
        _ => Err(Status::bad_request("kubelet must be `full` or `silent`")),
    }
}

fn rule(object: &Value) -> Result<FaultRule, Status> {
    let number = |key: &str| object.get(key).and_then(Value::as_u64);
    let fault = if let Some(milliseconds) = number("slow_ms") {
        Fault::Slow(Duration::from_millis(milliseconds))
    } else if let Some(code) = number("status") {
        let code = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        Fault::Refused(code.ok_or_else(|| Status::bad_request("`status` must be an HTTP status code"))?)
    } else if let Some(bytes) = number("cut_after") {
        Fault::Cut(usize::try_from(bytes).unwrap_or(usize::MAX))
    } else if object.get("hang").is_some_and(|hang| *hang == true) {
        Fault::Hang
    } else {
        return Err(Status::bad_request(
            "a fault must have slow_ms, status, cut_after, hang: true, restarting, lacks, or node and kubelet",
        ));
    };
    Ok(FaultRule {
        path: object.get("path").map_or("", text).into(),
        method: object.get("method").map_or("", text).into(),
        times: number("times"),
        fault,
    })
}

/// Returns a refusal with the text of the real server.
pub(super) fn refusal(code: StatusCode, user: &str, verb: &str, target: Option<&Target>) -> Status {
    let (reason, message) = match (code.as_u16(), target) {
        (403, Some(target)) => return Status::forbidden(user, verb, target),
        (404, Some(target)) => match &target.name {
            Some(name) => return Status::not_found(target, name),
            None => return Status::no_resource(),
        },
        (401, _) => return Status::unauthorized(),
        (410, _) => {
            ("Expired", "The provided continue parameter is too old to display a consistent list result.")
        }
        (429, _) => ("TooManyRequests", "Too many requests, please try again later."),
        (500, _) => ("InternalError", "Internal error occurred: etcdserver: request timed out"),
        (503, _) => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        (504, _) => ("Timeout", "Timeout: request did not complete within the allotted timeout"),
        _ => ("Unknown", "unknown"),
    };
    Status::new(code, reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn faults_apply_to_matching_requests_as_often_as_configured() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let set = |faults: &Value| fs::write(&file, faults.to_string()).unwrap();
        let faults = Faults::new(Some(file.path().into()));
        let of = |uri: &str| faults.of(&Method::GET, &uri.parse().unwrap());
        assert_eq!(faults.refresh().unwrap(), None);
        set(&json!([
            { "path": "/pods", "times": 2, "status": 503 },
            { "path": "/exec", "cut_after": 9 },
            { "restarting": "a/b/c" },
            { "lacks": "ip" },
            { "node": "n", "kubelet": "full" },
        ]));
        assert_eq!(faults.refresh().unwrap(), Some(BTreeSet::from(["a/b/c".to_owned()])));
        assert_eq!(of("/api/v1/nodes"), None);
        assert_eq!((faults.lacks(), faults.kubelet("n")), (vec!["ip".to_owned()], Some(KubeletFault::Full)));
        assert_eq!(faults.kubelet("m"), None);
        for _ in 0..2 {
            assert_eq!(of("/api/v1/pods?limit=1"), Some(Fault::Refused(StatusCode::SERVICE_UNAVAILABLE)));
            // Refreshing an unchanged file does not reset the counts.
            assert_eq!(faults.refresh().unwrap(), None);
        }
        assert_eq!(of("/api/v1/pods?limit=1"), None);
        assert_eq!(of("/api/v1/namespaces/a/pods/b/exec"), Some(Fault::Cut(9)));
        file.close().unwrap();
        assert_eq!(faults.refresh().unwrap(), Some(BTreeSet::new()));
        assert_eq!(of("/api/v1/namespaces/a/pods/b/exec"), None);
    }

    #[test]
    fn invalid_faults_are_rejected() {
        for bad in [
            json!({}),
            json!([{}]),
            json!([{ "status": 7 }]),
            json!([{ "path": "/" }]),
            json!([{ "node": "n", "kubelet": "x" }]),
        ] {
            assert!(read(bad.to_string()).is_err(), "{bad}");
        }
    }
}
