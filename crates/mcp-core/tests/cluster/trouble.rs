//! A server that is busy, broken, silent, not there, or somebody else: one question, one answer that says what to do.

use crate::server::{Reply, Server, kubeconfig};
use mcp_core::{Backend, ClusterError, Kind, LiveCluster, ObjectQuery, ReadError};
use serde_json::json;
use std::time::Duration;

fn pods() -> ObjectQuery {
    let pods = Kind {
        version: "v1".into(),
        kind: "Pod".into(),
        plural: "pods".into(),
        namespaced: true,
        ..Kind::default()
    };
    ObjectQuery { namespace: Some("shop".parse().unwrap()), ..ObjectQuery::all(pods) }
}

/// What a list of pods fails with, and how often the server was asked.
async fn fails(reply: fn() -> Reply) -> (ClusterError, usize) {
    let server = Server::start(move |_, _| reply()).await;
    match server.source().await.objects(&pods(), Duration::from_secs(20)).await {
        Err(ReadError::Cluster(error)) => (error, server.asked().len()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_once() {
    // kube's own policy asks again up to fifteen times, for minutes.
    for (reply, shown) in [
        (
            (|| Reply::status(429, "TooManyRequests", "too many requests")) as fn() -> Reply,
            "the API server is too busy to list pods in namespace shop (429): too many requests",
        ),
        (
            || Reply::status(503, "ServiceUnavailable", "apiserver is shutting down"),
            "the API server could not list pods in namespace shop (503): apiserver is shutting down",
        ),
        (
            || Reply::status(504, "Timeout", "timed out"),
            "the API server could not list pods in namespace shop (504): timed out",
        ),
        (
            || Reply::status(500, "InternalError", "etcdserver: request timed out"),
            "the API server could not list pods in namespace shop (500): etcdserver: request timed out",
        ),
        (
            || {
                Reply::status(
                    403,
                    "Forbidden",
                    "pods is forbidden: User \"jane\" cannot list resource \"pods\"",
                )
            },
            "not allowed to list pods in namespace shop (403): pods is forbidden: User \"jane\" cannot list resource \
             \"pods\"",
        ),
        (
            || Reply::status(404, "NotFound", "the server could not find the requested resource"),
            "cannot list pods in namespace shop: not found (404): the server could not find the requested resource",
        ),
        (
            // A proxy, that knows nothing of Status.
            || Reply::Json(502, json!("<html>Bad Gateway</html>")),
            "the API server could not list pods in namespace shop (502): \"<html>Bad Gateway</html>\"",
        ),
        (
            || Reply::Text(b"<html>Please log in</html>"),
            "the answer to `list pods in namespace shop` makes no sense: expected value at line 1 column 1",
        ),
    ] {
        let (error, asked) = fails(reply).await;
        assert_eq!((error.to_string().as_str(), asked), (shown, 1));
    }
    let (error, asked) = fails(|| Reply::status(401, "Unauthorized", "Unauthorized")).await;
    assert!(matches!(error, ClusterError::Unauthorized { .. }) && asked == 1, "{error}");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_no_shorter_list() {
    let (error, _) = fails(|| Reply::Cut(br#"{"kind":"PodList","items":["#)).await;
    assert!(matches!(&error, ClusterError::Cut { said, .. } if said.contains("after 27 bytes")), "{error}");
}

#[tokio::test]
async fn a_server_that_is_silent_is_left() {
    let server = Server::start(|_, _| Reply::Hang).await;
    let source = server.source().await;
    let error = source.objects(&pods(), Duration::from_millis(300)).await.unwrap_err();
    assert!(
        matches!(&error, ReadError::TooLate { what, .. } if what == "list pods in namespace shop"),
        "{error}"
    );
    assert!(source.kinds(Duration::from_millis(300)).await.is_err());
}

async fn of_server(server: &str) -> ClusterError {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kubeconfig");
    std::fs::write(&file, kubeconfig(server).to_string()).unwrap();
    let source = LiveCluster::open(&file, None, false).await.unwrap();
    match source.objects(&pods(), Duration::from_secs(20)).await {
        Err(ReadError::Cluster(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_is_somebody_else() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = of_server(&format!("http://127.0.0.1:{port}")).await;
    assert!(
        matches!(&error, ClusterError::NotListening { server, .. } if *server == format!("127.0.0.1:{port}")),
        "{error}"
    );

    let error = of_server("https://no-such-host.invalid:6443").await;
    assert!(matches!(&error, ClusterError::Unreachable { .. }), "{error}");

    let plain = Server::start(|_, _| Reply::Hang).await;
    let error = of_server(&format!("https://127.0.0.1:{}", plain.port)).await;
    assert!(matches!(&error, ClusterError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_says_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kubeconfig");
    let open = async |context| LiveCluster::open(&file, context, false).await.map(drop).unwrap_err();
    assert!(open(None).await.contains("cannot be used"), "it is not there");
    std::fs::write(&file, kubeconfig("http://127.0.0.1:1").to_string()).unwrap();
    let error = open(Some("prod")).await;
    assert!(error.contains("prod") && error.ends_with("hint: Its contexts are: test."), "{error}");
    std::fs::write(&file, "a: [").unwrap();
    assert!(open(None).await.contains("cannot be used"));
}

#[tokio::test]
async fn a_plugin_that_fails_tells_why_and_nothing_secret() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kubeconfig");
    let mut config = kubeconfig("http://127.0.0.1:1");
    for (args, shown) in [
        (
            json!(["-c", "echo token-of-mine; echo 'the session has expired' >&2; exit 3"]),
            "the session has expired",
        ),
        (json!(["-c", "echo not json"]), "printed no ExecCredential"),
    ] {
        config["users"][0]["user"] = json!({ "exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": args,
            "env": [{ "name": "PASSWORD", "value": "hunter2" }],
        } });
        std::fs::write(&file, config.to_string()).unwrap();
        let source = LiveCluster::open(&file, None, false).await.unwrap();
        let error = source.nodes().await.unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, ReadError::Cluster(ClusterError::Credentials(_))) && text.contains(shown),
            "{text}"
        );
        assert!(!text.contains("token-of-mine") && !text.contains("hunter2"), "{text}");
    }
}
