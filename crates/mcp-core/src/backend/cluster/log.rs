//! Logs: of containers through the API server, of hosts through the kubelet's log endpoint.

use super::{
    api::{Api, Deadline, Reader, path},
    error::{Asked, ClusterError},
};
use crate::{
    HostLog, LogPart, LogQuery, LogSource, LogStream, NodeName, Origin, PodRef, Read, ReadError,
    kubernetes::{host_files, host_units},
};
use bytes::Bytes;
use futures::AsyncReadExt;
use jiff::Timestamp;
use kube::api::{LogParams, Request};
use std::io;

/// A piece of a log.
const PIECE: usize = 64 << 10;

pub(super) async fn log(
    api: &Api,
    query: &LogQuery,
    deadline: Deadline,
) -> Result<Read<LogStream>, ReadError> {
    match &query.source {
        LogSource::Container { pod, container, part } => {
            of_container(api, query, pod, container, *part, deadline).await
        }
        LogSource::Host { node, log } => of_host(api, query, node, *log, deadline).await,
    }
}

async fn of_container(
    api: &Api,
    query: &LogQuery,
    pod: &PodRef,
    container: &str,
    part: LogPart,
    deadline: Deadline,
) -> Result<Read<LogStream>, ReadError> {
    let asked = Asked {
        verb: "get",
        resource: "pods/log".into(),
        namespace: Some(pod.namespace.to_string()),
        name: Some(pod.name.to_string()),
    };
    let open = async |previous: bool| {
        let how = LogParams {
            // None: the only one that the pod has.
            container: Some(container.to_owned()).filter(|name| !name.is_empty()),
            previous,
            since_time: query.since.and_then(whole_second),
            tail_lines: query.tail.and_then(|lines| lines.try_into().ok()),
            // As bundles have them: many programs write no time, or one without a date.
            timestamps: true,
            ..LogParams::default()
        };
        let request = Request::new(format!("/api/v1/namespaces/{}/pods", pod.namespace))
            .logs(pod.name.as_str(), &how)
            .map_err(|e| ReadError::unreadable("a question", e))?;
        deadline.bound(&asked, api.stream(&asked, request)).await
    };
    let mut notes = Vec::new();
    let mut readers = Vec::new();
    if part != LogPart::Current {
        match open(true).await {
            Ok(reader) => readers.push(reader),
            // There was none: an answer, where all is asked for.
            Err(ReadError::Cluster(ClusterError::Refused { code: 400, said, .. }))
                if part == LogPart::All && said.contains("previous terminated container") => {}
            Err(e) => return Err(e),
        }
    }
    if part != LogPart::Previous {
        readers.push(open(false).await?);
    }
    if part == LogPart::All {
        notes.push("a live cluster gives no rotated files: the beginning of a run may be missing".into());
    }
    let previous = if part == LogPart::Previous { " --previous" } else { "" };
    let what = format!("log of {container} of {pod}{previous}");
    Ok(Read { value: forward(readers), origin: Origin { what, when: Some(Timestamp::now()) }, notes })
}

/// The API server knows whole seconds only: no line may be lost.
fn whole_second(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(time.as_second()).ok()
}

/// One stream of several readers, one after the other.
fn forward(readers: Vec<Reader>) -> LogStream {
    let (sender, stream) = LogStream::channel();
    tokio::spawn(async move {
        for mut reader in readers {
            let mut piece = vec![0; PIECE];
            loop {
                let read = tokio::select! {
                    read = reader.read(&mut piece) => read,
                    () = sender.closed() => return,
                };
                let sent = match read {
                    Ok(0) => break,
                    Ok(n) => sender.send(Ok(piece.iter().take(n).copied().collect::<Bytes>())).await,
                    Err(e) => {
                        let cut =
                            io::Error::new(e.kind(), format!("the connection ended in the middle: {e}"));
                        _ = sender.send(Err(cut)).await;
                        return;
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
        }
    });
    stream
}

/// Where a host keeps a log.
enum Kept {
    /// In a file below /var/log.
    File(&'static str),
    /// In the journal, under a unit.
    Unit(&'static str),
}

fn kept(log: HostLog) -> Vec<Kept> {
    // What is not below /var/log is where bundles have it.
    let files = host_files(log).iter().filter_map(|path| path.strip_prefix("var/log/"));
    files.map(Kept::File).chain(host_units(log).iter().copied().map(Kept::Unit)).collect()
}

async fn of_host(
    api: &Api,
    query: &LogQuery,
    node: &NodeName,
    log: HostLog,
    deadline: Deadline,
) -> Result<Read<LogStream>, ReadError> {
    let asked =
        Asked { verb: "get", resource: "nodes/proxy".into(), namespace: None, name: Some(node.to_string()) };
    let mut looked = Vec::new();
    for kept in kept(log) {
        let (what, at) = match kept {
            Kept::File(file) => (format!("/var/log/{file}"), format!("logs/{file}")),
            Kept::Unit(unit) => (format!("journal of {unit}"), unit_query(unit, query)),
        };
        let request = path(format!("/api/v1/nodes/{node}/proxy/{at}"))?;
        match deadline.bound(&asked, open_log(api, &asked, request)).await {
            Ok(Some(stream)) => {
                let what = format!("{what} of {node}");
                let origin = Origin { what, when: Some(Timestamp::now()) };
                return Ok(Read { value: stream, origin, notes: Vec::new() });
            }
            Ok(None) => looked.push(format!("{what} (this kubelet does not serve its journal)")),
            Err(ReadError::Cluster(ClusterError::NotFound { .. })) => looked.push(what),
            Err(e) => return Err(e),
        }
    }
    Err(ReadError::NotCollected {
        what: format!("the log of {log}"),
        node: node.clone(),
        source_name: "what the kubelet serves".into(),
        why: Some(format!("looked for {}", looked.join(", "))),
        instead: Vec::new(),
    })
}

/// Kubernetes 1.27's NodeLogQuery.
fn unit_query(unit: &str, query: &LogQuery) -> String {
    let since = query.since.and_then(whole_second).map(|since| format!("&sinceTime={since}"));
    let tail = query.tail.map(|lines| format!("&tailLines={lines}"));
    format!("logs/?query={unit}{}{}", since.unwrap_or_default(), tail.unwrap_or_default())
}

/// None: what comes is a list of files, as a kubelet gives that does not know the query.
async fn open_log(
    api: &Api,
    asked: &Asked,
    request: http::Request<Vec<u8>>,
) -> Result<Option<LogStream>, ReadError> {
    use futures::AsyncBufReadExt;
    let mut reader = api.stream(asked, request).await?;
    let begin = reader.fill_buf().await;
    let begin = begin.map_err(|e| ClusterError::Cut { what: asked.to_string(), said: e.to_string() })?;
    let is_page = [b"<pre>".as_slice(), b"<!doctype html>", b"<!DOCTYPE html>"]
        .iter()
        .any(|mark| begin.starts_with(mark));
    Ok(if is_page { None } else { Some(forward(vec![reader])) })
}
