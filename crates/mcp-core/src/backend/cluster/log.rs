//! Reads container logs through the API server, and host logs through the kubelet's log endpoint.

use super::{
    api::{Api, Reader, RequestDeadline, path},
    error::{ApiRequest, ClusterError},
};
use crate::{
    HostLog, LogPart, LogQuery, LogSource, LogStream, NodeName, Origin, PodRef, ReadError, ReadValue,
    kubernetes::{host_files, host_units},
};
use bytes::Bytes;
use futures::{AsyncReadExt, io::Cursor};
use jiff::Timestamp;
use kube::api::{LogParams, Request};
use std::{
    io,
    time::{Duration, Instant},
};

/// The size of one read, in bytes.
const PIECE: usize = 64 << 10;

/// A kubelet silently ends the answer to a journal query after 30 seconds. It starts to count a little later than this
/// server.
const JOURNAL: Duration = Duration::from_secs(29);

pub(super) async fn log(
    api: &Api,
    query: &LogQuery,
    deadline: RequestDeadline,
) -> Result<ReadValue<LogStream>, ReadError> {
    match &query.source {
        LogSource::Container { pod, container, part } => {
            of_container(api, query, pod, container, *part, deadline).await
        }
        LogSource::Host { node, log } => of_host(api, query, node, *log, deadline).await,
        LogSource::File { .. } => Err(ReadError::not_held(query.to_string(), "a live cluster")),
    }
}

async fn of_container(
    api: &Api,
    query: &LogQuery,
    pod: &PodRef,
    container: &str,
    part: LogPart,
    deadline: RequestDeadline,
) -> Result<ReadValue<LogStream>, ReadError> {
    let asked = ApiRequest {
        verb: "get",
        resource: "pods/log".into(),
        namespace: Some(pod.namespace.to_string()),
        name: Some(pod.name.to_string()),
    };
    let open = async |previous: bool| {
        let how = LogParams {
            // An empty name means the only container of the pod.
            container: Some(container.to_owned()).filter(|name| !name.is_empty()),
            previous,
            since_time: query.since.and_then(whole_second),
            tail_lines: query.tail.and_then(|lines| lines.try_into().ok()),
            // Bundles have timestamps too, and many programs write no time, or a time without a date.
            timestamps: true,
            ..LogParams::default()
        };
        let request = Request::new(format!("/api/v1/namespaces/{}/pods", pod.namespace))
            .logs(pod.name.as_str(), &how)
            .map_err(|e| ReadError::unreadable("a request", e))?;
        deadline.bound(&asked, api.stream(&asked, request)).await
    };
    let previous = if part == LogPart::Previous { " --previous" } else { "" };
    let what = format!("log of {container} of {pod}{previous}");
    let (mut readers, mut notes) = (Vec::new(), Vec::new());
    for (previous, but) in [(true, LogPart::Current), (false, LogPart::Previous)] {
        if part == but {
            continue;
        }
        match open(previous).await {
            Ok(reader) => readers.push(reader),
            // With several runs, the logs of the other runs are still an answer.
            Err(e) => notes.push(not_there(e, container)?),
        }
    }
    if readers.is_empty() {
        let (source_name, why) = ("the logs of the kubelet".into(), Some(notes.join("; ")));
        return Err(ReadError::NotHeld { what, source_name, why, instead: Vec::new() });
    }
    if part == LogPart::All {
        notes.push(
            "a live cluster does not return rotated files, so the beginning of a run may be missing".into(),
        );
    }
    Ok(ReadValue { value: forward(readers, None), origin: Origin::new(what, Some(Timestamp::now())), notes })
}

/// Why a container has no such log, if the kubelet says so. The kubelet reports that case as an error (400).
fn not_there(error: ReadError, container: &str) -> Result<String, ReadError> {
    let said = match &error {
        ReadError::Cluster(ClusterError::Refused { code: 400, said, .. }) => said.as_str(),
        _ => return Err(error),
    };
    let container = if container.is_empty() { "the container" } else { container };
    if said.contains("previous terminated container") {
        return Ok(format!("{container} has no previous run, or its log was deleted"));
    }
    match said.split_once("is waiting to start") {
        // The message continues with `: ContainerCreating` or with ` - no logs yet`.
        Some((_, why)) => {
            let why = why.trim_start_matches([':', ' ', '-']);
            Ok(format!("{container} has not started yet, so it has no log: {why}"))
        }
        None => Err(error),
    }
}

/// Rounds down to a whole second, because the API server knows only whole seconds and no line may be lost.
fn whole_second(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(time.as_second()).ok()
}

/// Streams several readers one after the other. `cut` is the time at which the kubelet silently ends an answer: a
/// stream that ends later ends with an error, because lines may be missing.
fn forward(readers: Vec<Reader>, cut: Option<Instant>) -> LogStream {
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
                        let cut = io::Error::new(
                            e.kind(),
                            format!("the connection ended before the end of the log: {e}"),
                        );
                        _ = sender.send(Err(cut)).await;
                        return;
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
        }
        if cut.is_some_and(|cut| cut <= Instant::now()) {
            let said = "the kubelet ends a journal query after 30 s, and this query took that long, so the newest lines \
                        may be missing: ask for less with a later `since` or a smaller `tail`";
            _ = sender.send(Err(io::Error::other(said))).await;
        }
    });
    stream
}

/// Where a host keeps a log.
enum HostLogPlace {
    /// The log is in a file below /var/log.
    File(&'static str),
    /// The log is in the journal, under a unit.
    Unit(&'static str),
}

fn places_of(log: HostLog) -> Vec<HostLogPlace> {
    // Paths other than /var/log occur only in bundles.
    let files = host_files(log).iter().filter_map(|path| path.strip_prefix("var/log/"));
    files.map(HostLogPlace::File).chain(host_units(log).iter().copied().map(HostLogPlace::Unit)).collect()
}

async fn of_host(
    api: &Api,
    query: &LogQuery,
    node: &NodeName,
    log: HostLog,
    deadline: RequestDeadline,
) -> Result<ReadValue<LogStream>, ReadError> {
    let asked = ApiRequest {
        verb: "get",
        resource: "nodes/proxy".into(),
        namespace: None,
        name: Some(node.to_string()),
    };
    let mut looked = Vec::new();
    let mut empty = None;
    for place in places_of(log) {
        let (what, at, is_unit) = match place {
            HostLogPlace::File(file) => (format!("/var/log/{file}"), format!("logs/{file}"), false),
            HostLogPlace::Unit(unit) => (format!("journal of {unit}"), unit_query(unit, query), true),
        };
        let request = path(format!("/api/v1/nodes/{node}/proxy/{at}"))?;
        let cut = is_unit.then(|| Instant::now() + JOURNAL);
        let read = |value| {
            let origin = Origin::new(format!("{what} of {node}"), Some(Timestamp::now()));
            ReadValue { value, origin, notes: Vec::new() }
        };
        match deadline.bound(&asked, open_log(api, &asked, request, is_unit)).await {
            Ok(KubeletAnswer::Log(reader)) => return Ok(read(forward(vec![reader], cut))),
            Ok(KubeletAnswer::NoEntries) => empty = empty.or_else(|| Some(read(forward(Vec::new(), None)))),
            Ok(KubeletAnswer::Nothing(why)) => looked.push(format!("{what} ({why})")),
            Err(ReadError::Cluster(ClusterError::NotFound { .. })) => looked.push(what),
            Err(e) => return Err(e),
        }
    }
    // The kubelet knows the unit, and the unit has no lines. That differs from an unknown unit.
    empty.ok_or_else(|| ReadError::NotCollected {
        what: format!("the {log} log"),
        node: node.clone(),
        source_name: "the logs of the kubelet".into(),
        why: Some(format!("searched: {}", looked.join(", "))),
        instead: Vec::new(),
    })
}

/// The path of a NodeLogQuery request, which Kubernetes 1.27 introduced.
fn unit_query(unit: &str, query: &LogQuery) -> String {
    let since = query.since.and_then(whole_second).map(|since| format!("&sinceTime={since}"));
    let tail = query.tail.map(|lines| format!("&tailLines={lines}"));
    format!("logs/?query={unit}{}{}", since.unwrap_or_default(), tail.unwrap_or_default())
}

/// A kubelet's answer: a log, or a message instead of a log. Both have the status 200 OK.
enum KubeletAnswer {
    Log(Reader),
    /// The journal knows the unit, and has no line of that period.
    NoEntries,
    /// There is no such log, for this reason.
    Nothing(&'static str),
}

async fn open_log(
    api: &Api,
    asked: &ApiRequest,
    request: http::Request<Vec<u8>>,
    is_unit: bool,
) -> Result<KubeletAnswer, ReadError> {
    /// More bytes than a message that a kubelet sends instead of a log, so a message arrives whole.
    const WORDS: u64 = 1_024;
    let mut reader = api.stream(asked, request).await?;
    let mut begin = Vec::new();
    let read = (&mut reader).take(WORDS).read_to_end(&mut begin).await;
    read.map_err(|e| ClusterError::Cut { what: asked.to_string(), said: e.to_string() })?;
    let is_page = [b"<pre>".as_slice(), b"<!doctype html>", b"<!DOCTYPE html>"]
        .iter()
        .any(|mark| begin.starts_with(mark));
    if is_page {
        // A kubelet that does not support the query returns a list of files.
        return Ok(KubeletAnswer::Nothing("this kubelet does not serve its journal"));
    }
    let whole = (begin.len() as u64) < WORDS;
    if is_unit
        && whole
        && let Some(words) = instead_of_a_log(&String::from_utf8_lossy(&begin))
    {
        return Ok(words);
    }
    Ok(KubeletAnswer::Log(Box::pin(Cursor::new(begin).chain(reader))))
}

/// Recognizes a message that kubelet_server_journal.go of Kubernetes or journalctl(1) prints instead of the log of a
/// unit.
fn instead_of_a_log(said: &str) -> Option<KubeletAnswer> {
    let mut lines = said.lines().filter(|line| !line.is_empty());
    let mut first = lines.next()?;
    // Older versions of journalctl first print the period of the journal.
    if first.starts_with("-- Logs begin at ") || first.starts_with("-- Journal begins at ") {
        first = lines.next()?;
    }
    if first == "-- No entries --" {
        return Some(KubeletAnswer::NoEntries);
    }
    let known = [
        ("log not found for ", "the kubelet has no such unit and no such file"),
        ("options present and query resolved to log files for ", "the kubelet's journal has no such unit"),
        ("error getting log for ", "the kubelet could not read the file"),
        ("error: journal output not available", "the kubelet has no journalctl"),
        ("failed to get logging cmd: ", "the kubelet has no journalctl"),
    ];
    known.iter().find(|(words, _)| first.starts_with(words)).map(|(_, why)| KubeletAnswer::Nothing(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &'static str) -> Reader {
        Box::pin(Cursor::new(text.as_bytes()))
    }

    #[tokio::test]
    async fn a_query_that_took_too_long_ends_with_an_error() {
        let now = Instant::now();
        for (cut, ends_well) in [(None, true), (Some(now + JOURNAL), true), (Some(now), false)] {
            let mut stream = forward(vec![reader("a line\n")], cut);
            assert_eq!(stream.next().await.unwrap().unwrap().as_ref(), b"a line\n");
            match stream.next().await {
                None => assert!(ends_well),
                Some(end) => {
                    assert!(!ends_well);
                    assert!(end.unwrap_err().to_string().contains("after 30 s"));
                }
            }
        }
    }
}
