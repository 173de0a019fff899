//! Tests with a server that is busy, broken, silent, missing, or not an API server: the client asks once, and the error
//! says what to do.

use crate::server::{Reply, Server, kubeconfig};
use mcp_core::{Backend, ClusterError, LiveCluster, ObjectKind, ObjectQuery, ReadError};
use serde_json::json;
use std::time::Duration;

fn pods() -> ObjectQuery {
    let pods = ObjectKind {
        version: "v1".into(),
        kind: "Pod".into(),
        plural: "pods".into(),
        namespaced: true,
        ..ObjectKind::default()
    };
    ObjectQuery { namespace: Some("shop".parse().unwrap()), ..ObjectQuery::all(pods) }
}

/// Returns the error of a list of pods, and the number of requests that the server received.
async fn fails(reply: fn() -> Reply) -> (ClusterError, usize) {
    let server = Server::start(move |_, _| reply()).await;
    match server.source().await.objects(&pods(), Duration::from_secs(20)).await {
        Err(ReadError::Cluster(error)) => (error, server.asked().len()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_failing_server_is_asked_once() {
    // kube's default policy retries up to fifteen times, for minutes.
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
            // A proxy answers without a Status object.
            || Reply::Json(502, json!("<html>Bad Gateway</html>")),
            "the API server could not list pods in namespace shop (502): \"<html>Bad Gateway</html>\"",
        ),
        (
            || Reply::Text(b"<html>Please log in</html>"),
            "the answer to `list pods in namespace shop` does not come from a Kubernetes API: expected value at line 1 column 1",
        ),
    ] {
        let (error, asked) = fails(reply).await;
        assert_eq!((error.to_string().as_str(), asked), (shown, 1));
    }
    // The hint names exactly the roles that allow the request.
    let (error, _) = fails(|| Reply::status(403, "Forbidden", "no")).await;
    let hint = mcp_core::ToolError::from(ReadError::Cluster(error)).hint();
    assert_eq!(
        hint,
        "Ask an administrator to bind a role from deploy/rbac that allows this user to list pods in namespace shop: \
         mcp-capture.yaml, mcp-k8s.yaml, mcp-kernel.yaml, mcp-ovn.yaml, mcp-ovs.yaml, ovn-troubleshooter.yaml."
    );
    let (error, asked) = fails(|| Reply::status(401, "Unauthorized", "Unauthorized")).await;
    assert!(matches!(error, ClusterError::Unauthorized { .. }) && asked == 1, "{error}");
}

#[tokio::test]
async fn a_cut_answer_is_an_error_and_not_a_shorter_list() {
    let (error, _) = fails(|| Reply::Cut(br#"{"kind":"PodList","items":["#)).await;
    assert!(matches!(&error, ClusterError::Cut { said, .. } if said.contains("after 27 bytes")), "{error}");
}

#[tokio::test]
async fn a_silent_server_times_out() {
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
async fn a_missing_server_and_a_wrong_server_are_told_apart() {
    // The port was free a moment ago.
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
async fn an_error_about_a_kubeconfig_lists_its_contexts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kubeconfig");
    let open = async |context| LiveCluster::open(&file, context, false).await.map(drop).unwrap_err();
    assert!(open(None).await.contains("cannot be used"), "the kubeconfig does not exist");
    std::fs::write(&file, kubeconfig("http://127.0.0.1:1").to_string()).unwrap();
    let error = open(Some("prod")).await;
    assert!(error.contains("prod") && error.ends_with("hint: Its contexts are: test."), "{error}");
    std::fs::write(&file, "a: [").unwrap();
    assert!(open(None).await.contains("cannot be used"));
}

#[tokio::test]
async fn the_error_of_a_plugin_contains_no_secrets() {
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
