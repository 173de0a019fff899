//! Faults on request: what a cluster does on its bad days.
//!
//! They stand in a file, an array of objects. It is looked at before each request, so a test writes it and the next request
//! meets them; without the file all is well.

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

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is answered, but so much later.
    Slow(Duration),
    /// It is refused with this code.
    Refused(StatusCode),
    /// The connection is cut after so many bytes of the answer.
    Cut(usize),
    /// It is never answered.
    Hang,
}

/// To which requests it happens, how often, and what.
#[derive(Clone, Debug)]
struct Rule {
    /// Part of the path and query.
    path: String,
    /// Empty: any.
    method: String,
    /// None: always.
    times: Option<u64>,
    fault: Fault,
}

/// The faults of now.
#[derive(Debug, Default)]
pub(super) struct Faults {
    file: Option<PathBuf>,
    state: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    /// What the file said when it was last read.
    text: String,
    rules: Vec<Rule>,
    /// Containers that do not run: `namespace/pod/container`.
    restarting: BTreeSet<String>,
    /// Programs that the images of the cluster's own pods lack.
    lacks: Vec<String>,
    /// Nodes whose kubelet starts no pod.
    kubelets: BTreeMap<String, Kubelet>,
}

/// How a kubelet starts no pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kubelet {
    /// It has as many as it may have, and says so.
    Full,
    /// It says nothing.
    Silent,
}

impl Faults {
    /// Those of a file.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, state: Mutex::default() }
    }

    /// Reads the file again if it has changed. Then: the containers that do not run.
    pub(super) fn refresh(&self) -> Result<Option<BTreeSet<String>>, Status> {
        let text = self.file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let mut state = self.state();
        if state.text == text {
            return Ok(None);
        }
        *state = read(text)?;
        Ok(Some(state.restarting.clone()))
    }

    /// What happens to this request.
    pub(super) fn of(&self, method: &Method, uri: &Uri) -> Option<Fault> {
        let text = uri.to_string();
        let mut state = self.state();
        let fits = |rule: &&mut Rule| {
            text.contains(&rule.path)
                && (rule.method.is_empty() || rule.method == method.as_str())
                && rule.times != Some(0)
        };
        let rule = state.rules.iter_mut().find(fits)?;
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.fault.clone())
    }

    /// The programs that the images of the cluster's own pods lack.
    pub(super) fn lacks(&self) -> Vec<String> {
        self.state().lacks.clone()
    }

    /// What keeps a node's kubelet from starting a pod.
    pub(super) fn kubelet(&self, node: &str) -> Option<Kubelet> {
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
    for fault in faults.as_array().ok_or_else(|| Status::bad_request("faults are an array"))? {
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

fn kubelet(how: &str) -> Result<Kubelet, Status> {
    match how {
        "full" => Ok(Kubelet::Full),
        "silent" => Ok(Kubelet::Silent),
        _ => Err(Status::bad_request("a kubelet is full or silent")),
    }
}

fn rule(object: &Value) -> Result<Rule, Status> {
    let number = |key: &str| object.get(key).and_then(Value::as_u64);
    let fault = if let Some(milliseconds) = number("slow_ms") {
        Fault::Slow(Duration::from_millis(milliseconds))
    } else if let Some(code) = number("status") {
        let code = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        Fault::Refused(code.ok_or_else(|| Status::bad_request("`status` is no status code of HTTP"))?)
    } else if let Some(bytes) = number("cut_after") {
        Fault::Cut(usize::try_from(bytes).unwrap_or(usize::MAX))
    } else if object.get("hang").is_some_and(|hang| *hang == true) {
        Fault::Hang
    } else {
        return Err(Status::bad_request(
            "a fault is one of slow_ms, status, cut_after, hang: true, restarting, lacks, node and kubelet",
        ));
    };
    Ok(Rule {
        path: object.get("path").map_or("", text).into(),
        method: object.get("method").map_or("", text).into(),
        times: number("times"),
        fault,
    })
}

/// A refusal as the real server words it.
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
    fn a_fault_happens_where_and_as_often_as_asked() {
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
        assert_eq!((faults.lacks(), faults.kubelet("n")), (vec!["ip".to_owned()], Some(Kubelet::Full)));
        assert_eq!(faults.kubelet("m"), None);
        for _ in 0..2 {
            assert_eq!(of("/api/v1/pods?limit=1"), Some(Fault::Refused(StatusCode::SERVICE_UNAVAILABLE)));
            // Read again, not begun again.
            assert_eq!(faults.refresh().unwrap(), None);
        }
        assert_eq!(of("/api/v1/pods?limit=1"), None);
        assert_eq!(of("/api/v1/namespaces/a/pods/b/exec"), Some(Fault::Cut(9)));
        file.close().unwrap();
        assert_eq!(faults.refresh().unwrap(), Some(BTreeSet::new()));
        assert_eq!(of("/api/v1/namespaces/a/pods/b/exec"), None);
    }

    #[test]
    fn what_is_no_fault_is_refused() {
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
