//! Tests failures of a live cluster with a small API server on a real socket, which answers as the test says.

#![expect(clippy::unwrap_used, reason = "a test fails if it cannot continue")]

use mcp_core::LiveCluster;
use mcp_testing::{Connection, Failed};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Returns the answer to a path with its query. `None` means that the server never answers.
type Answer = dyn Fn(&str) -> Option<(u16, Value)> + Send + Sync;

fn refused(code: u16, message: &str) -> Option<(u16, Value)> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "", "message": message
    });
    Some((code, status))
}

async fn serve(mut stream: TcpStream, answer: Arc<Answer>, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    asked.lock().unwrap().push(path.to_owned());
    let Some((code, body)) = answer(path) else { return std::future::pending().await };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {code} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    _ = stream.write_all((head + &body).as_bytes()).await;
}

/// Returns the answer of a tool, and the requests that the API server received.
async fn call(
    answer: impl Fn(&str) -> Option<(u16, Value)> + Send + Sync + 'static,
    tool: &str,
    params: Value,
) -> Result<(Result<String, String>, Vec<String>), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = format!("http://{}", listener.local_addr()?);
    let (answer, asked) = (Arc::new(answer) as Arc<Answer>, Arc::<Mutex<Vec<String>>>::default());
    let log = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer.clone(), log.clone()));
        }
    });
    let dir = tempfile::tempdir()?;
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "c", "cluster": { "server": server } }],
        "users": [{ "name": "u", "user": { "token": "t" } }],
        "contexts": [{ "name": "test", "context": { "cluster": "c", "user": "u" } }],
    });
    let file = dir.path().join("kubeconfig");
    std::fs::write(&file, kubeconfig.to_string())?;
    let source = Arc::new(LiveCluster::open(&file, None, false).await?);
    let params = params.as_object().unwrap().clone();
    let said = Connection::open(mcp_k8s::layer(), source).await?.call(tool, &params).await?;
    let asked = asked.lock().unwrap().clone();
    Ok((said, asked))
}

fn list(kind: &str, items: &[Value]) -> Option<(u16, Value)> {
    Some((200, json!({ "kind": format!("{kind}List"), "apiVersion": "v1", "metadata": {}, "items": items })))
}

fn node(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "status": { "conditions": [{ "type": "Ready", "status": "True" }] } })
}

/// An ovnkube-node pod with the containers and mounts through which its databases are read.
fn ovnkube_node(node: &str) -> Value {
    let mounts: Vec<Value> = ["/run/ovn/", "/run/openvswitch/", "/etc/ovn/"]
        .iter()
        .map(|path| json!({ "name": "v", "mountPath": path }))
        .collect();
    let names = ["nb-ovsdb", "sb-ovsdb", "ovn-controller"];
    let spec = names.map(|name| json!({ "name": name, "volumeMounts": mounts }));
    let status = names.map(|name| {
        json!({
            "name": name, "ready": true, "restartCount": 0, "image": "", "imageID": "",
            "state": { "running": { "startedAt": "2026-11-22T08:00:00Z" } }
        })
    });
    json!({
        "metadata": {
            "name": format!("ovnkube-node-{node}"), "namespace": "ovn-kubernetes", "uid": node,
            "labels": { "app": "ovnkube-node" }
        },
        "spec": { "nodeName": node, "hostNetwork": true, "containers": spec },
        "status": { "phase": "Running", "containerStatuses": status },
    })
}

fn web() -> Value {
    json!({
        "metadata": { "name": "web", "namespace": "shop", "uid": "1" },
        "spec": { "nodeName": "n1", "containers": [{ "name": "web" }] },
        "status": { "phase": "Running", "containerStatuses": [{
            "name": "web", "ready": true, "restartCount": 0, "image": "", "imageID": "",
            "state": { "running": { "startedAt": "2026-11-22T08:00:00Z" } }
        }] },
    })
}

/// A cluster of three nodes. The kubelet of the first node does not answer, and commands are forbidden on the others.
fn cluster(path: &str) -> Option<(u16, Value)> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let resource = |name: &str, kind: &str, namespaced: bool| json!({ "name": name, "singularName": kind.to_lowercase(), "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"] });
    match path {
        "/api" => Some((200, json!({ "kind": "APIVersions", "versions": ["v1"] }))),
        "/apis" => {
            let group = |name: &str| {
                let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
                json!({ "name": name, "versions": [version], "preferredVersion": version })
            };
            let groups = ["k8s.ovn.org", "discovery.k8s.io"].map(group);
            Some((200, json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })))
        }
        "/api/v1" => {
            let resources = [
                resource("pods", "Pod", true),
                resource("nodes", "Node", false),
                resource("configmaps", "ConfigMap", true),
                resource("services", "Service", true),
            ];
            Some((200, json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": resources })))
        }
        "/apis/discovery.k8s.io/v1" => {
            let resources = [resource("endpointslices", "EndpointSlice", true)];
            Some((
                200,
                json!({ "kind": "APIResourceList", "groupVersion": "discovery.k8s.io/v1", "resources": resources }),
            ))
        }
        "/apis/k8s.ovn.org/v1" => refused(503, "the server is currently unable to handle the request"),
        "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices" => list("EndpointSlice", &[]),
        "/api/v1/nodes" => list("Node", &["n1", "n2", "n3"].map(node)),
        "/api/v1/namespaces/ovn-kubernetes/pods" => list("Pod", &["n1", "n2", "n3"].map(ovnkube_node)),
        "/api/v1/namespaces/shop/pods" => list("Pod", &[web()]),
        "/api/v1/namespaces/shop/pods/web" => Some((200, web())),
        "/api/v1/namespaces/shop/services" => list(
            "Service",
            &[json!({
                "metadata": { "name": "db", "namespace": "shop" },
                "spec": { "type": "ClusterIP", "clusterIPs": ["10.96.0.5"], "ports": [{ "port": 80, "protocol": "TCP" }] },
            })],
        ),
        "/api/v1/namespaces/ovn-kubernetes/configmaps/ovn-config" => refused(
            403,
            "configmaps \"ovn-config\" is forbidden: User \"jane\" cannot get resource \"configmaps\"",
        ),
        // The answer has the pods of all namespaces, or those of one node if the query names it.
        "/api/v1/pods" => {
            let of = ["n1", "n2", "n3"]
                .into_iter()
                .filter(|node| !query.contains("nodeName") || query.contains(node));
            list("Pod", &of.map(ovnkube_node).collect::<Vec<_>>())
        }
        _ if path.ends_with("/ovnkube-node-n1/exec") => None,
        _ if path.ends_with("/exec") => {
            refused(403, "pods is forbidden: User \"jane\" cannot create resource \"pods/exec\"")
        }
        "/api/v1/namespaces/shop/pods/web/log" if query.contains("previous=true") => {
            refused(400, "previous terminated container \"web\" in pod \"web\" not found")
        }
        _ => refused(404, "the server could not find the requested resource"),
    }
}

#[tokio::test]
async fn the_overview_names_the_data_that_could_not_be_read() -> Result<(), Failed> {
    let begin = Instant::now();
    let (said, asked) = call(cluster, "cluster_overview", json!({ "timeout_seconds": 6 })).await?;
    let text = said.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    for node in ["n1", "n2", "n3"] {
        assert!(text.contains(&format!("\n  {node}  Ready")), "{text}");
    }
    for note in [
        "note: OVN_Northbound of n1 could not be read: ",
        "note: OVN_Northbound of n2, n3 could not be read: not allowed to create pods/exec",
        "note: OVN_Southbound of n2, n3 could not be read: ",
        "note: Open_vSwitch of n1 could not be read: ",
        "note: MTU and address ranges are unknown: not allowed to get configmaps ovn-config in namespace ovn-kubernetes",
        "note: the kinds of k8s.ovn.org/v1 are not known: ",
    ] {
        assert!(text.contains(note), "{note}: {text}");
    }
    assert!(!asked.iter().any(|path| path.starts_with("/api/v1/configmaps")), "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn a_pod_is_located_even_if_its_databases_do_not_answer() -> Result<(), Failed> {
    let (said, _) =
        call(cluster, "ovnkube_locate", json!({ "what": "shop/web", "timeout_seconds": 6 })).await?;
    let text = said.unwrap();
    for line in [
        "FINDING: pod shop/web has no annotation k8s.ovn.org/pod-networks",
        "pod shop/web: phase Running, on node n1 (zone n1)",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let late = text.lines().filter(|line| line.starts_with("note: ") && line.contains(" within 3 s")).count();
    assert_eq!(late, 3, "three databases are read in parallel: {text}");
    Ok(())
}

#[tokio::test]
async fn only_the_endpoint_slices_of_the_service_are_requested() -> Result<(), Failed> {
    let (said, asked) =
        call(cluster, "ovnkube_locate", json!({ "what": "shop/db", "timeout_seconds": 6 })).await?;
    assert!(said.unwrap().contains("FINDING: service shop/db has no ready endpoint"));
    let slices: Vec<&String> = asked.iter().filter(|path| path.contains("/endpointslices")).collect();
    let [one] = slices.as_slice() else { panic!("{slices:?}") };
    assert!(one.starts_with("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?"), "{one}");
    assert!(one.contains("labelSelector=kubernetes.io%2Fservice-name+in+%28db%29"), "{one}");
    Ok(())
}

#[tokio::test]
async fn a_kind_may_exist_if_its_api_group_does_not_answer() -> Result<(), Failed> {
    let (said, _) = call(cluster, "kubectl_get", json!({ "kind": "egressip" })).await?;
    let error = said.unwrap_err();
    assert!(
        error.contains("not all kinds are known: the kinds of k8s.ovn.org/v1 are not known: "),
        "{error}"
    );
    let (said, _) = call(cluster, "kubectl_get", json!({ "kind": "leases.coordination.k8s.io" })).await?;
    let error = said.unwrap_err();
    assert!(error.starts_with("error: no kind of object is named"), "{error}");
    Ok(())
}

#[tokio::test]
async fn no_previous_run_is_an_answer() -> Result<(), Failed> {
    let (said, _) = call(cluster, "kubectl_logs", json!({ "pod": "shop/web", "run": "previous" })).await?;
    let text = said.unwrap();
    assert!(text.contains("\nweb has no previous run, or its log was deleted\n"), "{text}");
    Ok(())
}
