//! Tests commands over a WebSocket: how they end, and which part of their output arrives.

use crate::server::{Reply, Server};
use axum::http::Uri;
use mcp_core::{
    AreaState, Backend, ClusterError, CommandPlace, CommandTarget, DataArea, LiveCluster, Output, ReadError,
    ReadValue, ToolError, argv,
    argv::{AllowedPrograms, Program, Verb},
};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

const ALLOW: AllowedPrograms = AllowedPrograms(&[Program {
    name: "ovn-appctl",
    globals: &[],
    verbs: &[Verb { words: &["version"], options: &[], operands: &[], reads_only: "a test" }],
}]);

const FILES: AllowedPrograms = AllowedPrograms(&[Program {
    name: "cat",
    globals: &[],
    verbs: &[Verb { words: &["/etc/ipsec.conf"], options: &[], operands: &[], reads_only: "a test" }],
}]);

const V4: &str = "v4.channel.k8s.io";
const V5: &str = "v5.channel.k8s.io";

/// A pod as the backend needs it: containers with their mounts and states.
fn pod(containers: &[(&str, bool)]) -> Value {
    let spec = |(name, _): &(&str, bool)| json!({ "name": name, "image": "ovn", "volumeMounts": [{ "name": "v", "mountPath": "/run/ovn/" }] });
    let status = |(name, runs): &(&str, bool)| {
        let state = if *runs {
            json!({ "running": {} })
        } else {
            json!({ "waiting": { "reason": "CrashLoopBackOff" } })
        };
        json!({ "name": name, "ready": *runs, "restartCount": 0, "image": "", "imageID": "", "state": state })
    };
    json!({
        "metadata": { "name": "ovnkube-node-x", "namespace": "ovn-kubernetes", "uid": "1", "labels": { "app": "ovnkube-node" } },
        "spec": { "nodeName": "n1", "hostNetwork": true, "containers": containers.iter().map(spec).collect::<Vec<_>>() },
        "status": { "phase": "Running", "containerStatuses": containers.iter().map(status).collect::<Vec<_>>() },
    })
}

fn ended(code: Option<i32>) -> Vec<u8> {
    let status = match code {
        Some(0) => json!({ "metadata": {}, "status": "Success" }),
        Some(code) => json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with non-zero exit code",
            "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
        }),
        None => json!({
            "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": "OCI runtime exec failed: exec failed: unable to start container process: exec: \"timeout\": executable file not found in $PATH: unknown",
        }),
    };
    status.to_string().into_bytes()
}

/// Parses the command line and the container of a request.
fn asked(uri: &Uri) -> (Vec<String>, String) {
    let mut words = Vec::new();
    let mut container = String::new();
    for pair in uri.query().unwrap().split('&') {
        match pair.split_once('=') {
            Some(("command", word)) => words.push(word.replace('+', " ").replace("%2F", "/")),
            Some(("container", name)) => container = name.into(),
            _ => {}
        }
    }
    (words, container)
}

/// Runs `ovn-appctl version` on a node with these containers.
async fn run(
    containers: &'static [(&'static str, bool)],
    exec: impl Fn(&str, &[String]) -> Reply + Send + Sync + 'static,
) -> Result<ReadValue<Output>, ReadError> {
    let source = source(containers, exec).await;
    let read =
        source.command(&at(CommandPlace::OvnController, 20), &argv!(ALLOW: "ovn-appctl", "version")).await;
    source.close().await;
    read
}

fn at(place: CommandPlace, seconds: u64) -> CommandTarget {
    CommandTarget::new("n1".parse().unwrap(), place, Duration::from_secs(seconds))
}

/// A cluster with one pod on one node.
async fn source(
    containers: &'static [(&'static str, bool)],
    exec: impl Fn(&str, &[String]) -> Reply + Send + Sync + 'static,
) -> LiveCluster {
    let server = Server::start(move |uri, _| {
        if uri.path() == "/api/v1/pods" {
            return Reply::ok(
                json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod(containers)] }),
            );
        }
        assert_eq!(uri.path(), "/api/v1/namespaces/ovn-kubernetes/pods/ovnkube-node-x/exec");
        let (words, container) = asked(uri);
        // The time limit applies inside the container, even if the client goes away.
        let Some(([timeout, k, _, _], words)) = words.split_first_chunk() else { panic!("{words:?}") };
        assert_eq!([timeout, k], ["timeout", "-k"]);
        exec(&container, words)
    })
    .await;
    server.source().await
}

const ONE: &[(&str, bool)] = &[("ovn-controller", true)];

#[tokio::test]
async fn both_protocols_return_both_streams_and_the_exit_status() {
    for protocol in [V5, V4] {
        let read = run(ONE, move |_, words| {
            assert_eq!(words, ["ovn-appctl", "version"]);
            // The first messages of the real server are empty.
            let messages = [
                (1, "".into()),
                (2, "".into()),
                (2, b"a warning".to_vec()),
                (1, b"26.03".to_vec()),
                (3, ended(Some(0))),
            ];
            Reply::Streams(protocol, messages.into())
        });
        let read = read.await.unwrap();
        assert_eq!(read.value.stdout, b"26.03");
        assert_eq!(read.notes, ["stderr of ovn-appctl: a warning"]);
        assert_eq!(read.origin.what, "ovn-appctl version in ovn-controller of ovn-kubernetes/ovnkube-node-x");
        let error = run(ONE, move |_, _| {
            Reply::Streams(protocol, vec![(2, b"no such daemon".to_vec()), (3, ended(Some(7)))])
        });
        let error = error.await.unwrap_err();
        assert!(
            matches!(&error, ReadError::Failed { status: 7, stderr, .. } if stderr == "no such daemon"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn neither_stream_waits_for_the_other() {
    // The stream that is read second carries more data than any buffer on the path.
    let read = run(ONE, |_, _| {
        let mut messages = vec![(2, vec![b'e'; 32 << 10]); 20];
        messages.extend(vec![(1, vec![b'o'; 32 << 10]); 80]);
        messages.push((3, ended(Some(0))));
        Reply::Streams(V5, messages)
    });
    let read = read.await.unwrap();
    assert_eq!((read.value.stdout.len(), read.value.stderr.len()), (80 * (32 << 10), 20 * (32 << 10)));
}

#[tokio::test]
async fn a_cut_connection_is_not_the_end_of_a_command() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    let error = run(ONE, |_, words| match words {
        // The command may still run, so the client kills it.
        [program, ..] if program == "pkill" => {
            ENDED.fetch_add(1, Ordering::SeqCst);
            Reply::Streams(V5, vec![(3, ended(Some(0)))])
        }
        _ => Reply::Streams(V5, vec![(1, b"half an ans".to_vec())]),
    })
    .await
    .unwrap_err();
    assert_eq!(ENDED.load(Ordering::SeqCst), 1);
    assert!(
        matches!(&error, ReadError::Cluster(ClusterError::Cut { said, .. }) if said == "11 bytes had arrived"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_websocket_is_reported() {
    let error = run(ONE, |_, _| Reply::ok(json!({}))).await.unwrap_err();
    assert!(matches!(&error, ReadError::Cluster(ClusterError::NoUpgrade { .. })), "{error}");
    let refused = "pods \"ovnkube-node-x\" is forbidden: User \"jane\" cannot create resource \"pods/exec\" in API group \
                   \"\" in the namespace \"ovn-kubernetes\"";
    let error = run(ONE, move |_, _| Reply::status(403, "Forbidden", refused)).await.unwrap_err();
    let what = "create pods/exec ovnkube-node-x in namespace ovn-kubernetes";
    assert!(
        matches!(&error, ReadError::Cluster(ClusterError::Forbidden { what: it, .. }) if it == what),
        "{error}"
    );
}

/// Coverage is known from the containers that run, without any command.
#[tokio::test]
async fn coverage_says_which_containers_run() {
    let source = async |pods: fn() -> Reply| {
        Server::start(move |uri, _| match uri.path() {
            "/api/v1/nodes" => Reply::ok(json!({
                "kind": "NodeList", "apiVersion": "v1", "metadata": {},
                "items": [{ "metadata": { "name": "n1" } }, { "metadata": { "name": "n2" } }],
            })),
            "/api/v1/pods" => pods(),
            other => panic!("{other}"),
        })
        .await
        .source()
        .await
    };
    let list = || {
        let pod = pod(&[("nbdb", false), ("ovn-controller", true)]);
        Reply::ok(json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod] }))
    };
    let cluster = source(list).await;
    let coverage = cluster.coverage().await.unwrap();
    let of = |node: &str, area| coverage.of(&node.parse().unwrap(), area).cloned().unwrap();
    assert_eq!(of("n1", DataArea::Southbound).state, AreaState::Live);
    // Only the container of the database server itself and containers that mount its socket reach a database.
    assert_eq!(of("n1", DataArea::OpenVSwitch).state, AreaState::Absent);
    assert_eq!(of("n1", DataArea::Kernel).state, AreaState::Live);
    for area in [DataArea::Northbound, DataArea::Southbound, DataArea::OpenVSwitch, DataArea::Dataplane] {
        let held = of("n2", area);
        assert_eq!(held.state, AreaState::Absent, "{area}");
        assert_eq!(held.details, ["no container of OVN-Kubernetes on the node reaches it"], "{area}");
    }
    let broken = source(|| {
        let pod = pod(&[("nbdb", false)]);
        Reply::ok(json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod] }))
    })
    .await;
    let coverage = broken.coverage().await.unwrap();
    let northbound = coverage.of(&"n1".parse().unwrap(), DataArea::Northbound).unwrap();
    assert_eq!(northbound.state, AreaState::Absent);
    assert!(northbound.details.concat().contains("CrashLoopBackOff"), "{northbound:?}");
    let refused = source(|| Reply::status(403, "Forbidden", "no")).await;
    let coverage = refused.coverage().await.unwrap();
    assert!(
        coverage.notes.iter().any(|note| note.starts_with("it is not known which containers run")),
        "{coverage}"
    );
    for cluster in [cluster, broken, refused] {
        cluster.close().await;
    }
}

#[tokio::test]
async fn a_file_of_ipsec_is_read_first_in_the_container_of_ipsec() {
    const TWO: &[(&str, bool)] = &[("ovn-controller", true), ("ovn-ipsec", true)];
    let source = source(TWO, |container, words| {
        assert_eq!(words, ["cat", "/etc/ipsec.conf"]);
        Reply::Streams(V5, vec![(1, container.as_bytes().to_vec()), (3, ended(Some(0)))])
    })
    .await;
    let read = source.command(&at(CommandPlace::Host, 20), &argv!(FILES: "cat", "/etc/ipsec.conf")).await;
    source.close().await;
    assert_eq!(read.unwrap().value.stdout, b"ovn-ipsec");
}

#[tokio::test]
async fn the_next_container_is_tried_if_one_does_not_run_or_lacks_the_program() {
    const THREE: &[(&str, bool)] = &[("ovn-controller", false), ("ovnkube-controller", true), ("zz", true)];
    let read = run(THREE, |container, _| match container {
        "ovnkube-controller" => {
            let said = b"timeout: failed to run command 'ovn-appctl': No such file or directory".to_vec();
            Reply::Streams(V5, vec![(2, said), (3, ended(Some(127)))])
        }
        "zz" => Reply::Streams(V5, vec![(1, b"26.03".to_vec()), (3, ended(Some(0)))]),
        other => panic!("{other} does not run"),
    });
    let read = read.await.unwrap();
    assert!(read.origin.what.ends_with(" in zz of ovn-kubernetes/ovnkube-node-x"), "{}", read.origin.what);
    assert_eq!(
        read.notes,
        ["ovn-controller of ovn-kubernetes/ovnkube-node-x is not running (CrashLoopBackOff)"]
    );
    // The container ended after it was listed.
    let read = run(&[("ovn-controller", true), ("zz", true)], |container, _| match container {
        "ovn-controller" => Reply::status(500, "InternalError", "container not found (\"ovn-controller\")"),
        _ => Reply::Streams(V4, vec![(1, b"26.03".to_vec()), (3, ended(Some(0)))]),
    });
    assert_eq!(read.await.unwrap().value.stdout, b"26.03");
}

#[tokio::test]
async fn no_command_runs_without_a_time_limit() {
    let error = run(ONE, |_, _| Reply::Streams(V5, vec![(3, ended(None))])).await.unwrap_err();
    assert!(
        matches!(&error, ReadError::Cluster(ClusterError::NoTimeout { command, .. }) if command == "ovn-appctl version"),
        "{error}"
    );
}

#[tokio::test]
async fn a_container_that_ended_is_not_reported_as_lacking_the_program() {
    let said = "container not found (\"ovn-controller\")";
    let error = run(ONE, move |_, _| Reply::status(500, "InternalError", said)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("no running container has ovn-appctl for ovn-controller on n1: ovn-controller of ")
            && text.contains(said),
        "{text}"
    );
    // The error is the kubelet's and not the API server's.
    let said = "error dialing backend: dial tcp 172.18.0.2:10250: connect: no route to host";
    let error = run(ONE, move |_, _| Reply::status(500, "InternalError", said)).await.unwrap_err();
    let text = ToolError::from(error).report();
    assert!(text.contains("hint: The API server cannot reach the kubelet"), "{text}");
}

#[tokio::test]
async fn a_command_that_was_not_seen_running_is_an_error_and_not_empty() {
    let version = argv!(ALLOW: "ovn-appctl", "version");
    let follow = async |exec: fn(&[String]) -> Reply| {
        let source = source(ONE, move |_, words| match words {
            [program, ..] if program == "pkill" => Reply::Streams(V5, vec![(3, ended(Some(0)))]),
            words => exec(words),
        });
        let source = source.await;
        source.follow(&at(CommandPlace::OvnController, 20), &version, Duration::from_secs(1)).await
    };
    // The end of the time limit is the normal end of this command.
    let read = follow(|_| {
        std::thread::sleep(Duration::from_secs(1));
        Reply::Streams(V5, vec![(3, ended(Some(124)))])
    });
    assert!(read.await.unwrap().value.stdout.is_empty());
    let error = follow(|_| Reply::Hang).await.unwrap_err();
    assert!(matches!(&error, ReadError::Cluster(ClusterError::Silent { .. })), "{error}");
    let error = follow(|_| Reply::Streams(V5, Vec::new())).await.unwrap_err();
    assert!(matches!(&error, ReadError::Cluster(ClusterError::Cut { .. })), "{error}");
}

#[tokio::test]
async fn a_container_without_privileges_leaves_the_command_to_the_next() {
    let refused = b"ovn-appctl: Operation not permitted".to_vec();
    let source = source(&[("a", true), ("b", true)], move |container, _| match container {
        "a" => Reply::Streams(V5, vec![(2, refused.clone()), (3, ended(Some(1)))]),
        _ => Reply::Streams(V5, vec![(1, b"26.03".to_vec()), (3, ended(Some(0)))]),
    });
    let version = argv!(ALLOW: "ovn-appctl", "version");
    let read = source.await.command(&at(CommandPlace::Host, 20), &version).await.unwrap();
    assert!(read.origin.what.contains(" in b of "), "{}", read.origin.what);
    // If no other container exists, the error is the answer.
    let source = self::source(ONE, |_, _| {
        let refused = b"ovn-appctl: Operation not permitted".to_vec();
        Reply::Streams(V5, vec![(2, refused), (3, ended(Some(1)))])
    });
    let error = source.await.command(&at(CommandPlace::Host, 20), &version).await.unwrap_err();
    assert!(matches!(&error, ReadError::Failed { status: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_debug_pod_that_may_exist_is_deleted_and_a_refused_one_is_not() {
    const REFUSED: &str = "pods is forbidden: User \"jane\" cannot create resource \"pods\"";
    let answers: [(fn() -> Reply, bool); 3] = [
        (|| Reply::status(403, "Forbidden", REFUSED), false),
        (|| Reply::Hang, true),
        (|| Reply::Cut(b"{"), true),
    ];
    for (answer, deletes) in answers {
        let server = Server::start(move |uri, _| match uri.path() {
            "/api/v1/pods" => Reply::ok(json!({
                "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod(ONE)],
            })),
            "/api/v1/namespaces/ovn-kubernetes/pods" => answer(),
            path if path.ends_with("/exec") => Reply::Streams(V5, vec![(3, ended(Some(127)))]),
            _ => Reply::status(404, "NotFound", "pods \"ovn-mcp-debug-1\" not found"),
        })
        .await;
        let source = server.source_with_debug_pods().await;
        let error = source
            .command(&at(CommandPlace::Host, 2), &argv!(ALLOW: "ovn-appctl", "version"))
            .await
            .unwrap_err();
        source.close().await;
        let deleted = server
            .asked()
            .iter()
            .any(|asked| asked.starts_with("DELETE /api/v1/namespaces/ovn-kubernetes/pods/ovn-mcp-debug-"));
        assert_eq!(deleted, deletes, "{error}");
    }
}

#[tokio::test]
async fn without_a_candidate_the_error_lists_the_existing_containers() {
    let error = run(&[("ovn-controller", false)], |_, _| panic!("no command should run")).await.unwrap_err();
    let ReadError::Cluster(ClusterError::NoContainer { wanted, there, .. }) = &error else {
        panic!("{error}")
    };
    assert_eq!(wanted, "a container ovn-controller, or one that mounts /run/ovn or /var/run/ovn");
    assert_eq!(there[..], ["ovn-kubernetes/ovnkube-node-x with ovn-controller (CrashLoopBackOff)"]);
}

#[tokio::test]
async fn central_mode_has_one_clear_error_and_microshift_is_not_central_mode() {
    let of = |name: &str, app: &str, node: &str, containers: &[(&str, bool)]| {
        let mut pod = pod(containers);
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["labels"]["app"] = json!(app);
        pod["spec"]["nodeName"] = json!(node);
        pod
    };
    // Upstream's manifests do not set the label `app` there.
    let mut database = of("ovnkube-db-a", "", "m1", &[("nb-ovsdb", true), ("sb-ovsdb", true)]);
    database["metadata"]["labels"] = json!({ "name": "ovnkube-db" });
    let zone = of("zone-a", "ovnkube-zone-controller", "m1", &[("nb-ovsdb", true), ("ovn-northd", true)]);
    let of_zone = of("zone-a", "ovnkube-zone-controller", "n1", &[("nb-ovsdb", true), ("ovn-northd", true)]);
    // OpenShift up to 4.13 and MicroShift have this pod.
    let master =
        of("ovnkube-master-a", "ovnkube-master", "m1", &[("northd", true), ("nbdb", true), ("sbdb", true)]);
    let worker = of("ovnkube-node-b", "ovnkube-node", "n1", &[("ovn-controller", true)]);
    let here =
        of("ovnkube-master-a", "ovnkube-master", "n1", &[("northd", true), ("nbdb", true), ("sbdb", true)]);
    for (pods, central) in [
        (vec![master, worker.clone()], true),
        (vec![database, worker.clone()], true),
        (vec![zone, worker.clone()], true),
        (vec![of_zone, worker.clone()], false),
        (vec![here, worker], false),
    ] {
        let server = Server::start(move |uri, _| {
            if uri.path() != "/api/v1/pods" {
                assert!(["nbdb", "nb-ovsdb"].contains(&asked(uri).1.as_str()));
                return Reply::Streams(V5, vec![(1, b"26.03".to_vec()), (3, ended(Some(0)))]);
            }
            let on_node = uri.query().is_some_and(|query| query.contains("spec.nodeName"));
            let all = pods.iter().filter(|pod| !on_node || pod["spec"]["nodeName"] == "n1");
            let items: Vec<&Value> = all.collect();
            Reply::ok(json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items }))
        })
        .await;
        let at = CommandTarget::new("n1".parse().unwrap(), CommandPlace::NbSocket, Duration::from_secs(20));
        let read = server.source().await.command(&at, &argv!(ALLOW: "ovn-appctl", "version")).await;
        match read {
            Ok(read) => assert!(!central && read.value.stdout == b"26.03"),
            Err(error) => {
                assert!(
                    central && matches!(error, ReadError::Cluster(ClusterError::Central { .. })),
                    "{error}"
                );
            }
        }
    }
}
