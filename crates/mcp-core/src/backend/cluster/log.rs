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
use futures::{AsyncReadExt, io::Cursor};
use jiff::Timestamp;
use kube::api::{LogParams, Request};
use std::{
    io,
    time::{Duration, Instant},
};

/// A piece of a log.
const PIECE: usize = 64 << 10;

/// A kubelet ends the answer to a query of its journal after 30 seconds, and does not say so. It begins to count a little
/// later than we do.
const JOURNAL: Duration = Duration::from_secs(29);

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
        LogSource::File { .. } => Err(ReadError::not_held(query.to_string(), "a live cluster")),
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
    let previous = if part == LogPart::Previous { " --previous" } else { "" };
    let what = format!("log of {container} of {pod}{previous}");
    let (mut readers, mut notes) = (Vec::new(), Vec::new());
    for (previous, but) in [(true, LogPart::Current), (false, LogPart::Previous)] {
        if part == but {
            continue;
        }
        match open(previous).await {
            Ok(reader) => readers.push(reader),
            // Of several runs the others are an answer.
            Err(e) => notes.push(not_there(e, container)?),
        }
    }
    if readers.is_empty() {
        let (source_name, why) = ("what the kubelet keeps".into(), Some(notes.join("; ")));
        return Err(ReadError::NotHeld { what, source_name, why, instead: Vec::new() });
    }
    if part == LogPart::All {
        notes.push("a live cluster gives no rotated files: the beginning of a run may be missing".into());
    }
    Ok(Read { value: forward(readers, None), origin: Origin::new(what, Some(Timestamp::now())), notes })
}

/// Why a container has no such log, where that is what the kubelet says, which takes it for an error (400).
fn not_there(error: ReadError, container: &str) -> Result<String, ReadError> {
    let said = match &error {
        ReadError::Cluster(ClusterError::Refused { code: 400, said, .. }) => said.as_str(),
        _ => return Err(error),
    };
    let container = if container.is_empty() { "the container" } else { container };
    if said.contains("previous terminated container") {
        return Ok(format!("there was no run of {container} before this one, or it is not kept"));
    }
    match said.split_once("is waiting to start") {
        // `: ContainerCreating`, or ` - no logs yet`.
        Some((_, why)) => {
            let why = why.trim_start_matches([':', ' ', '-']);
            Ok(format!("{container} has written nothing yet, it is waiting to start: {why}"))
        }
        None => Err(error),
    }
}

/// The API server knows whole seconds only: no line may be lost.
fn whole_second(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(time.as_second()).ok()
}

/// One stream of several readers, one after the other. `cut` is when the other side ends without a word: then the stream
/// does not end as if all had come.
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
        if cut.is_some_and(|cut| cut <= Instant::now()) {
            let said = "a kubelet ends a query of its journal after 30 s, and this one took as long, so the newest lines \
                        may be missing: ask for less with `since`, or with a shorter `tail`";
            _ = sender.send(Err(io::Error::other(said))).await;
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
    let mut empty = None;
    for kept in kept(log) {
        let (what, at, is_unit) = match kept {
            Kept::File(file) => (format!("/var/log/{file}"), format!("logs/{file}"), false),
            Kept::Unit(unit) => (format!("journal of {unit}"), unit_query(unit, query), true),
        };
        let request = path(format!("/api/v1/nodes/{node}/proxy/{at}"))?;
        let cut = is_unit.then(|| Instant::now() + JOURNAL);
        let read = |value| {
            let origin = Origin::new(format!("{what} of {node}"), Some(Timestamp::now()));
            Read { value, origin, notes: Vec::new() }
        };
        match deadline.bound(&asked, open_log(api, &asked, request, is_unit)).await {
            Ok(Opened::Log(reader)) => return Ok(read(forward(vec![reader], cut))),
            Ok(Opened::NoEntries) => empty = empty.or_else(|| Some(read(forward(Vec::new(), None)))),
            Ok(Opened::Nothing(why)) => looked.push(format!("{what} ({why})")),
            Err(ReadError::Cluster(ClusterError::NotFound { .. })) => looked.push(what),
            Err(e) => return Err(e),
        }
    }
    // Its unit is known, and has said nothing: not the same as a unit that is not known.
    empty.ok_or_else(|| ReadError::NotCollected {
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

/// What a kubelet answers with: a log, or words about it. All of it is 200 OK.
enum Opened {
    Log(Reader),
    /// The journal knows the unit, and has no line of that time.
    NoEntries,
    /// There is no such log, and why.
    Nothing(&'static str),
}

async fn open_log(
    api: &Api,
    asked: &Asked,
    request: http::Request<Vec<u8>>,
    is_unit: bool,
) -> Result<Opened, ReadError> {
    /// Longer than what a kubelet says of a unit in place of its log: all of that is here.
    const WORDS: u64 = 1_024;
    let mut reader = api.stream(asked, request).await?;
    let mut begin = Vec::new();
    let read = (&mut reader).take(WORDS).read_to_end(&mut begin).await;
    read.map_err(|e| ClusterError::Cut { what: asked.to_string(), said: e.to_string() })?;
    let is_page = [b"<pre>".as_slice(), b"<!doctype html>", b"<!DOCTYPE html>"]
        .iter()
        .any(|mark| begin.starts_with(mark));
    if is_page {
        // A list of files, as a kubelet gives that does not know the query.
        return Ok(Opened::Nothing("this kubelet does not serve its journal"));
    }
    let whole = (begin.len() as u64) < WORDS;
    if is_unit
        && whole
        && let Some(words) = instead_of_a_log(&String::from_utf8_lossy(&begin))
    {
        return Ok(words);
    }
    Ok(Opened::Log(Box::pin(Cursor::new(begin).chain(reader))))
}

/// What kubelet_server_journal.go of Kubernetes, or journalctl(1), says of a unit in place of its log.
fn instead_of_a_log(said: &str) -> Option<Opened> {
    let mut lines = said.lines().filter(|line| !line.is_empty());
    let mut first = lines.next()?;
    // An older journalctl begins with how far its journal goes.
    if first.starts_with("-- Logs begin at ") || first.starts_with("-- Journal begins at ") {
        first = lines.next()?;
    }
    if first == "-- No entries --" {
        return Some(Opened::NoEntries);
    }
    let known = [
        ("log not found for ", "the kubelet knows no such unit and no such file"),
        ("options present and query resolved to log files for ", "the kubelet's journal has no such unit"),
        ("error getting log for ", "the kubelet could not read its file"),
        ("error: journal output not available", "the kubelet has no journalctl"),
        ("failed to get logging cmd: ", "the kubelet has no journalctl"),
    ];
    known.iter().find(|(words, _)| first.starts_with(words)).map(|(_, why)| Opened::Nothing(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &'static str) -> Reader {
        Box::pin(Cursor::new(text.as_bytes()))
    }

    #[tokio::test]
    async fn a_query_that_took_too_long_does_not_end_as_if_all_had_come() {
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
