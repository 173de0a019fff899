//! Plants secrets wherever they occur in practice, and searches every answer for them.

use mcp_core::Bundle;
use mcp_testing::{Connection, Failed, HttpProcess, MARKS, unpack};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

const SECRETS: &str = r#"---
apiVersion: v1
kind: SecretList
items:
- apiVersion: v1
  kind: Secret
  metadata:
    name: planted
    namespace: shop
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","kind":"Secret","stringData":{"a":"hunter2hunter2"}}
      example.org/token: hunter2hunter2
  data:
    password: aHVudGVyMmh1bnRlcjI=
    tls.key: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCmh1bnRlcjJodW50ZXIyCg==
  stringData:
    plain: hunter2hunter2
  type: Opaque
- metadata:
    name: without-a-kind
    namespace: shop
  data:
    a: aHVudGVyMmh1bnRlcjI=
"#;

const CONFIG_MAPS: &str = r#"---
apiVersion: v1
kind: ConfigMapList
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: planted
    namespace: shop
  data:
    db-password: hunter2hunter2
    ca.key: |
      -----BEGIN RSA PRIVATE KEY-----
      hunter2hunter2
      hunter2hunter2
      -----END RSA PRIVATE KEY-----
    kubeconfig: |
      apiVersion: v1
      kind: Config
      clusters:
      - cluster: {server: "https://admin:hunter2hunter2@api.example.org:6443"}
      users:
      - name: admin
        user:
          token: hunter2hunter2
          client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpodW50ZXIyaHVudGVyMgo=
          password: "hunter2hunter2"
    config.json: '{"auths":{"quay.io":{"auth":"aHVudGVyMmh1bnRlcjI="}}}'
    app.properties: |
      api_key=hunter2hunter2
      visible=shown
    bearer: "Authorization: Bearer hunter2hunter2"
"#;

const POD: &str = r#"---
apiVersion: v1
kind: Pod
metadata:
  name: planted
  namespace: shop
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"kind":"Pod","spec":{"containers":[{"env":[{"name":"X","value":"hunter2hunter2"}]}]}}
    example.org/config: '{"password":"hunter2hunter2"}'
  creationTimestamp: "2026-11-22T08:13:45Z"
spec:
  containers:
  - name: c
    image: example.org/c
    command: [c, --token, hunter2hunter2, "--password=hunter2hunter2"]
    env:
    - {name: DB_PASSWORD, value: hunter2hunter2}
    - {name: AWS_SECRET_ACCESS_KEY, value: hunter2hunter2}
    - {name: URL, value: "postgres://me:hunter2hunter2@db/x"}
    - {name: VISIBLE, value: shown}
    livenessProbe:
      httpGet:
        httpHeaders:
        - {name: X-Auth-Token, value: hunter2hunter2}
status:
  phase: Running
"#;

const EVENTS: &str = r#"---
apiVersion: v1
kind: EventList
items:
- apiVersion: v1
  kind: Event
  metadata: {name: planted.1, namespace: shop}
  involvedObject: {kind: Pod, name: planted, namespace: shop}
  type: Warning
  reason: Failed
  message: "exec failed: c --password=hunter2hunter2, token: hunter2hunter2, visible"
  lastTimestamp: "2026-11-22T08:30:00Z"
"#;

const MACHINE_CONFIG: &str = r#"---
apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfig
metadata: {name: planted}
spec:
  config:
    storage:
      files:
      - path: /var/lib/kubelet/config.json
        contents: {source: "data:text/plain;base64,aHVudGVyMmh1bnRlcjI="}
    passwd:
      users:
      - {name: core, passwordHash: "hunter2hunter2"}
"#;

fn plant(root: &Path) -> Result<(), Failed> {
    for (path, text) in [
        ("namespaces/shop/core/secrets.yaml", SECRETS),
        ("namespaces/shop/core/configmaps.yaml", CONFIG_MAPS),
        ("namespaces/shop/core/events.yaml", EVENTS),
        ("namespaces/shop/pods/planted/planted.yaml", POD),
        (
            "cluster-scoped-resources/machineconfiguration.openshift.io/machineconfigs/planted.yaml",
            MACHINE_CONFIG,
        ),
    ] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// Writes a must-gather with planted secrets, and returns its folder.
fn gathered() -> Result<tempfile::TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    unpack("capture/must-gather.tar.xz", folder.path())?;
    let gathered = std::fs::read_dir(folder.path())?.next().ok_or("nothing in it")??.path();
    plant(&gathered.join("lab-ovn-kubernetes"))?;
    Ok(folder)
}

/// Returns calls that show the planted objects in every form.
fn calls() -> Vec<(&'static str, Value)> {
    let mut calls = Vec::new();
    for kind in ["secrets", "configmaps", "pods", "machineconfigs", "events"] {
        for output in ["table", "wide", "yaml", "json"] {
            calls.push(("kubectl_get", json!({ "kind": kind, "namespace": "shop", "output": output })));
        }
        for path in [".data", ".stringData.plain", ".metadata.annotations", ".spec", ".message", ".data.*"] {
            calls.push(("kubectl_get", json!({ "kind": kind, "namespace": "shop", "columns": [path] })));
        }
        let name = if kind == "events" { "planted.1" } else { "planted" };
        calls.push(("kubectl_describe", json!({ "kind": kind, "name": name, "namespace": "shop" })));
    }
    calls.push(("kubectl_get", json!({ "kind": "secret/without-a-kind", "output": "yaml" })));
    calls.push(("kubectl_events", json!({ "namespace": "shop" })));
    calls.push(("kubectl_get", json!({ "kind": "cm/planted", "output": "yaml", "grep": "hunter|RSA|END" })));
    calls
}

#[tokio::test]
async fn no_answer_contains_a_planted_secret() -> Result<(), Failed> {
    let folder = gathered()?;
    let connection =
        Connection::open(mcp_k8s::layer(), Arc::new(Bundle::new(vec![folder.path().to_owned()]))).await?;
    let (mut shown, mut redacted) = (0, 0);
    for (tool, params) in calls() {
        let params = params.as_object().cloned().unwrap_or_default();
        let text = connection.call(tool, &params).await?.unwrap_or_else(|error| error);
        for mark in MARKS {
            assert!(!text.contains(mark), "{mark} in {tool} {}:\n{text}", Value::Object(params));
        }
        shown += text.matches("shown").count();
        redacted += text.matches("[redacted").count();
    }
    assert!(shown >= 6 && redacted >= 40, "values that are not secret are shown: {shown}, {redacted}");
    // A selector must not confirm guesses at redacted values.
    let guess =
        json!({ "kind": "secrets", "namespace": "shop", "fields": "stringData.plain=hunter2hunter2" });
    let text = connection.call("kubectl_get", guess.as_object().ok_or("no object")?).await?;
    assert!(text.is_ok_and(|text| text.contains("there are no secrets")));
    Ok(())
}

#[test]
fn no_answer_over_http_contains_a_planted_secret() -> Result<(), Failed> {
    let folder = gathered()?;
    let bundle = format!("--bundle={}", folder.path().display());
    let server = HttpProcess::start(env!("CARGO_BIN_EXE_mcp-k8s"), &[bundle])?;
    let mut redacted = 0;
    let resources = [
        ("resources/read", json!({ "uri": "evidence://mcp-k8s/coverage" })),
        ("resources/list", json!({})),
        (
            "tools/call",
            json!({ "name": "bundle_files", "arguments": { "search": "hunter2hunter2|PRIVATE" } }),
        ),
        (
            "tools/call",
            json!({ "name": "bundle_files", "arguments": { "path": "shop/core/configmaps.yaml" } }),
        ),
    ];
    let calls = calls()
        .into_iter()
        .map(|(tool, params)| ("tools/call", json!({ "name": tool, "arguments": params })));
    for (method, params) in calls.chain(resources) {
        let answer = server.ask(method, &params)?;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{method} {params}: {answer}");
        // The question may contain a mark, and an answer may quote it.
        let asked = params.to_string();
        for mark in MARKS.iter().filter(|mark| !asked.contains(**mark)) {
            assert!(!answer.contains(mark), "{mark} in {method} {params}:\n{answer}");
        }
        redacted += answer.matches("[redacted").count();
    }
    assert!(redacted >= 40, "only {redacted} values were redacted");
    Ok(())
}
