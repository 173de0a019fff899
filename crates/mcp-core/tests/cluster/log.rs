//! Tests logs: unchanged bytes, a cut connection, previous runs, and a kubelet that does not serve its journal.

use crate::server::{Reply, Server};
use axum::http::Uri;
use mcp_core::{Backend, HostLog, LogPart, LogQuery, LogSource, ReadError};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn of_container(part: LogPart) -> LogQuery {
    let source = LogSource::Container { pod: "shop/web".parse().unwrap(), container: "web".into(), part };
    LogQuery { source, since: Some("2026-11-22T08:00:00.9Z".parse().unwrap()), tail: Some(5) }
}

fn of_host(log: HostLog) -> LogQuery {
    LogQuery { source: LogSource::Host { node: "n1".parse().unwrap(), log }, since: None, tail: Some(5) }
}

/// Returns all bytes of a log, and the error at its end, if any.
async fn read(server: &Server, query: LogQuery) -> Result<(Vec<u8>, Option<std::io::Error>), ReadError> {
    let mut stream = server.source().await.log(&query, SOON).await?.value;
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend(piece),
            Err(e) => return Ok((bytes, Some(e))),
        }
    }
    Ok((bytes, None))
}

fn container(uri: &Uri) -> Reply {
    assert_eq!(uri.path(), "/api/v1/namespaces/shop/pods/web/log");
    let query = uri.query().unwrap();
    // The time has whole seconds, rounded down, so that no line is lost.
    for part in ["container=web", "sinceTime=2026-11-22T08%3A00%3A00Z", "tailLines=5", "timestamps=true"] {
        assert!(query.contains(part), "{query}");
    }
    if query.contains("previous=true") {
        return Reply::status(
            400,
            "BadRequest",
            "previous terminated container \"web\" in pod \"web\" not found",
        );
    }
    Reply::Text(b"a \xff\xfe b\nlast")
}

#[tokio::test]
async fn the_bytes_of_a_log_are_unchanged() {
    let server = Server::start(|uri, _| container(uri)).await;
    for part in [LogPart::Current, LogPart::All] {
        let (bytes, end) = read(&server, of_container(part)).await.unwrap();
        assert_eq!(bytes, b"a \xff\xfe b\nlast");
        assert!(end.is_none());
    }
}

/// Kubernetes answers each of these with an error (400), as if the request were wrong.
#[tokio::test]
async fn a_log_that_does_not_exist_yet_is_not_a_failure() {
    let server = Server::start(|uri, _| container(uri)).await;
    let error = read(&server, of_container(LogPart::Previous)).await.unwrap_err();
    let none = "web has no previous run, or its log was deleted";
    assert!(matches!(&error, ReadError::NotHeld { why: Some(why), .. } if why == none), "{error}");

    let server = Server::start(|uri, _| {
        if uri.query().unwrap().contains("previous=true") {
            return Reply::Text(b"before\n");
        }
        let said = "container \"web\" in pod \"web\" is waiting to start: ContainerCreating";
        Reply::status(400, "BadRequest", said)
    })
    .await;
    let error = read(&server, of_container(LogPart::Current)).await.unwrap_err();
    let waits = "web has not started yet, so it has no log: ContainerCreating";
    assert!(matches!(&error, ReadError::NotHeld { why: Some(why), .. } if why == waits), "{error}");
    let (bytes, end) = read(&server, of_container(LogPart::All)).await.unwrap();
    assert_eq!((bytes.as_slice(), end.is_none()), (b"before\n".as_slice(), true));

    let server =
        Server::start(|_, _| Reply::status(400, "BadRequest", "a container name must be specified")).await;
    let error = read(&server, of_container(LogPart::Current)).await.unwrap_err();
    assert!(matches!(error, ReadError::Cluster(_)), "{error}");
}

#[tokio::test]
async fn a_cut_log_ends_with_an_error() {
    let server = Server::start(|_, _| Reply::Cut(b"one\ntwo\n")).await;
    let (bytes, end) = read(&server, of_container(LogPart::Current)).await.unwrap();
    assert_eq!(bytes, b"one\ntwo\n");
    assert!(end.unwrap().to_string().contains("before the end of the log"));
}

#[tokio::test]
async fn a_hosts_log_is_a_file_or_the_journal_and_never_a_page_of_links() {
    let server = Server::start(|uri, _| match (uri.path(), uri.query()) {
        ("/api/v1/nodes/n1/proxy/logs/openvswitch/ovs-vswitchd.log", None) => {
            Reply::Text(b"|00001|vlog|INFO|opened\n")
        }
        ("/api/v1/nodes/n1/proxy/logs/", Some("query=kubelet&tailLines=5")) => {
            Reply::Text(b"<!doctype html>\n<pre>\n<a href=\"kubelet.log\">kubelet.log</a>\n</pre>\n")
        }
        _ => Reply::status(404, "NotFound", "the server could not find the requested resource"),
    })
    .await;
    let (bytes, _) = read(&server, of_host(HostLog::OvsVswitchd)).await.unwrap();
    assert_eq!(bytes, b"|00001|vlog|INFO|opened\n");
    let error = read(&server, of_host(HostLog::Kubelet)).await.unwrap_err().to_string();
    assert!(error.contains("journal of kubelet (this kubelet does not serve its journal)"), "{error}");
}

/// The messages are those that the kubelet of Kubernetes 1.36 returns with 200 OK for an unknown unit.
#[tokio::test]
async fn a_unit_that_the_kubelet_does_not_know_is_passed_over() {
    const WITH_OPTIONS: &[u8] =
        b"\noptions present and query resolved to log files for [crio]\ntry without specifying options\n";
    const WITHOUT: &[u8] = b"\nlog not found for crio\n";
    const NOTHING: &[u8] =
        b"-- Logs begin at Sun 2026-11-22 08:00:00 UTC, end at Sun 2026-11-22 09:00:00 UTC. --\n-- No entries --\n";
    const LOG: &[u8] = b"Nov 22 08:00:00.000000 n1 containerd[7]: log not found for crio\n";
    for (crio, containerd, log) in [
        (WITH_OPTIONS, LOG, Some(LOG)),
        (WITHOUT, LOG, Some(LOG)),
        (NOTHING, LOG, Some(LOG)),
        (NOTHING, WITHOUT, Some(b"".as_slice())),
        (WITHOUT, NOTHING, Some(b"".as_slice())),
        (WITH_OPTIONS, WITHOUT, None),
    ] {
        let server = Server::start(move |uri, _| match uri.query() {
            Some(query) if query.starts_with("query=crio&") => Reply::Text(crio),
            Some(query) if query.starts_with("query=containerd&") => Reply::Text(containerd),
            _ => Reply::status(404, "NotFound", "the server could not find the requested resource"),
        })
        .await;
        match (read(&server, of_host(HostLog::Runtime)).await, log) {
            (Ok((bytes, None)), Some(log)) => assert_eq!(bytes, log),
            (Err(e @ ReadError::NotCollected { .. }), None) => {
                let e = e.to_string();
                assert!(e.contains("journal of crio (the kubelet's journal has no such unit)"), "{e}");
                assert!(e.contains("journal of containerd (the kubelet has no such unit"), "{e}");
            }
            (other, log) => panic!("got {other:?}, expected {log:?}"),
        }
    }
}
