//! Runs the pods that clients create. Their containers run in the namespaces of a node until they end or are deleted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdin;
use tokio::sync::broadcast;

use super::cluster::LabCluster;
use super::fault::KubeletFault;
use super::join::{complete, now};
use super::kubelet;
use super::path::Target;
use super::protobuf;
use super::query::Query;
use super::read::Page;
use super::status::Status;
use super::store::{Key, key, list, text};

/// The output of a container, and its standard input.
pub(super) struct Output {
    log: Mutex<Vec<u8>>,
    /// Sends each piece of output with the number of its channel. `None` when the container has ended.
    pub(super) live: Mutex<Option<broadcast::Sender<(u8, Bytes)>>>,
    pub(super) stdin: Mutex<Option<ChildStdin>>,
}

impl Output {
    /// Returns all output.
    pub(super) fn log(&self) -> Vec<u8> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, channel: u8, bytes: &[u8]) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        if let Some(live) = &*self.live.lock().unwrap_or_else(PoisonError::into_inner) {
            _ = live.send((channel, Bytes::copy_from_slice(bytes)));
        }
    }
}

/// The pods of clients, with the output of their containers.
#[derive(Default)]
pub(super) struct Workloads(Mutex<BTreeMap<Key, Arc<Output>>>);

impl Workloads {
    /// Returns the output of a pod, or `None` if no client created the pod.
    pub(super) fn output(&self, namespace: &str, pod: &str) -> Option<Arc<Output>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&(namespace.to_owned(), pod.to_owned())).cloned()
    }

    fn add(&self, key: Key) -> Arc<Output> {
        let output = Arc::new(Output {
            log: Mutex::default(),
            live: Mutex::new(Some(broadcast::channel(1024).0)),
            stdin: Mutex::default(),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, output.clone());
        output
    }

    fn remove(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl LabCluster {
    /// Creates a pod of a client, and starts it in the background as a kubelet does.
    pub(super) fn create_pod(self: &Arc<Self>, target: &Target, body: &[u8]) -> Result<Response, Status> {
        let mut pod = protobuf::object(body, protobuf::POD)?;
        let namespace = target.namespace.clone().ok_or_else(Status::method_not_allowed)?;
        if self.store().core("namespaces", "", &namespace).is_none() {
            let target = Target { plural: "namespaces".into(), ..Target::default() };
            return Err(Status::not_found(&target, &namespace));
        }
        let mut name = pod.pointer("/metadata/name").map_or("", text).to_owned();
        if name.is_empty() {
            let prefix = pod.pointer("/metadata/generateName").map_or("", text);
            if prefix.is_empty() {
                return Err(Status::invalid(
                    target,
                    "",
                    "metadata.name: Required value: name or generateName is required",
                ));
            }
            name = format!("{prefix}{}", suffix());
        }
        let containers = pod.pointer("/spec/containers").and_then(Value::as_array).map_or(0, Vec::len);
        if containers == 0 {
            return Err(Status::invalid(target, &name, "spec.containers: Required value"));
        }
        if self.store().core("pods", &namespace, &name).is_some() {
            return Err(Status::already_exists(target, &name));
        }
        if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("name".into(), name.clone().into());
            metadata.insert("namespace".into(), namespace.clone().into());
        }
        complete(&mut pod);
        if let Some(pod) = pod.as_object_mut() {
            pod.insert("status".into(), json!({ "phase": "Pending", "qosClass": "BestEffort" }));
        }
        let made = self.store().put("v1", "pods", pod.clone()).ok_or_else(Status::no_resource)?;
        let output = self.workloads.add((namespace, name));
        let cluster = self.clone();
        tokio::spawn(async move { cluster.start(pod, &output).await });
        Ok((StatusCode::CREATED, Json(made)).into_response())
    }

    /// Deletes a pod and kills its processes immediately.
    pub(super) async fn delete_pod(
        &self,
        target: &Target,
        name: &str,
        body: &[u8],
    ) -> Result<Response, Status> {
        let namespace = target.namespace.clone().unwrap_or_default();
        let key = (namespace, name.to_owned());
        {
            let store = self.store();
            let pod = store.core("pods", &key.0, name).ok_or_else(|| Status::not_found(target, name))?;
            let options: Value = serde_json::from_slice(body).unwrap_or_default();
            let uid = pod.pointer("/metadata/uid");
            if options.pointer("/preconditions/uid").is_some_and(|wanted| Some(wanted) != uid) {
                let message = "the UID in the precondition does not match the UID in record";
                return Err(Status::new(StatusCode::CONFLICT, "Conflict", message));
            }
        }
        let gone = self.end(&key).await.ok_or_else(|| Status::not_found(target, name))?;
        Ok(Json(gone).into_response())
    }

    /// Deletes the pods that a query selects, and returns them.
    pub(super) async fn delete_pods(&self, target: &Target, query: &Query) -> Result<Response, Status> {
        let keys: Vec<Key> = {
            let store = self.store();
            let resource = super::read::find(&store, target)?;
            Page::of(resource, target, query)?.objects.iter().map(|object| key(object)).collect()
        };
        let mut gone = Vec::new();
        for key in keys {
            gone.extend(self.end(&key).await);
        }
        let store = self.store();
        let resource = super::read::find(&store, target)?;
        Ok(Json(resource.list(gone, json!({ "resourceVersion": store.version().to_string() })))
            .into_response())
    }

    async fn end(&self, key: &Key) -> Option<Value> {
        let gone = self.store().remove("v1", "pods", key);
        self.workloads.remove(key);
        self.processes.kill(Some((&key.0, &key.1))).await;
        gone
    }

    /// Does the work of a kubelet: pulls the image, runs the container and records its end.
    async fn start(&self, mut pod: Value, output: &Arc<Output>) {
        let key = key(&pod);
        let node = pod.pointer("/spec/nodeName").map_or("", text).to_owned();
        let spec = pod.get("spec").cloned().unwrap_or_default();
        let Some(container) = list(&spec, "containers").next().cloned() else { return };
        let image = container.get("image").map_or("", text).to_owned();
        if self.store().core("nodes", "", &node).is_none() {
            let why = "0/2 nodes are available: no node of the lab is named in spec.nodeName";
            return self.event(&pod, "Warning", "FailedScheduling", why);
        }
        match self.faults.kubelet(&node) {
            Some(KubeletFault::Silent) => return,
            Some(KubeletFault::Full) => {
                let why = "Node didn't have enough resource: pods, requested: 1, used: 110, capacity: 110";
                kubelet::rejected(&mut pod, "OutOfpods", why);
                return self.keep(pod);
            }
            None => {}
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        if registry(&image).ends_with(".invalid") {
            let why = format!(
                "Failed to pull image \"{image}\": failed to resolve reference \"{image}\": dial tcp: lookup {}: no such host",
                registry(&image),
            );
            self.event(&pod, "Warning", "Failed", &why);
            self.event(&pod, "Warning", "Failed", "Error: ImagePullBackOff");
            let why = format!("Back-off pulling image \"{image}\"");
            kubelet::waits(&mut pod, "ImagePullBackOff", &why);
            return self.keep(pod);
        }
        if !pod.pointer("/spec/hostNetwork").is_some_and(|host| *host == true) {
            let why = "Failed to create pod sandbox: the lab has no CNI plugin: only pods on the host's network start";
            self.event(&pod, "Warning", "FailedCreatePodSandBox", why);
            kubelet::waits(&mut pod, "ContainerCreating", "");
            return self.keep(pod);
        }
        if let Some(address) = self.address(&node)
            && let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut)
        {
            status.insert("hostIP".into(), address.clone().into());
            status.insert("podIP".into(), address.clone().into());
            status.insert("podIPs".into(), json!([{ "ip": address }]));
        }
        kubelet::is_running(&mut pod);
        self.keep(pod.clone());
        self.event(&pod, "Normal", "Created", "Container created");
        self.event(&pod, "Normal", "Started", "Container started");
        let deadline =
            pod.pointer("/spec/activeDeadlineSeconds").and_then(Value::as_u64).map(Duration::from_secs);
        let run = self.run(&key, &container, output);
        let code = match deadline {
            None => run.await,
            Some(deadline) => match tokio::time::timeout(deadline, run).await {
                Ok(code) => code,
                Err(_) => {
                    self.processes.kill(Some((&key.0, &key.1))).await;
                    kubelet::ended(&mut pod, 137);
                    if let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) {
                        status.insert("reason".into(), "DeadlineExceeded".into());
                    }
                    return self.keep(pod);
                }
            },
        };
        kubelet::ended(&mut pod, code);
        self.keep(pod);
    }

    /// Runs a container to its end, and returns its exit code.
    async fn run(&self, key: &Key, container: &Value, output: &Arc<Output>) -> i32 {
        let words = |name: &str| list(container, name).map(|word| text(word).to_owned()).collect::<Vec<_>>();
        let mut argv = [words("command"), words("args")].concat();
        let stdin = container.get("stdin").is_some_and(|stdin| *stdin == true);
        if argv.is_empty() {
            // Debug images have these default commands.
            let shell: &[&str] = if stdin { &["sh"] } else { &["sleep", "infinity"] };
            argv = shell.iter().map(|word| (*word).to_owned()).collect();
        }
        let name = container.get("name").map_or("", text);
        let child = match self.running_container(&key.0, &key.1, name) {
            Ok(place) => place.spawn(&argv, stdin),
            Err(_) => return 128,
        };
        let Ok(mut child) = child else { return 128 };
        *output.stdin.lock().unwrap_or_else(PoisonError::into_inner) = child.stdin.take();
        let out = child.stdout.take().map(|pipe| collect(pipe, 1, output.clone()));
        let err = child.stderr.take().map(|pipe| collect(pipe, 2, output.clone()));
        for stream in [out, err].into_iter().flatten() {
            _ = stream.await;
        }
        let code = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(137);
        *output.live.lock().unwrap_or_else(PoisonError::into_inner) = None;
        code
    }

    /// Stores the current state of a pod, unless the pod was deleted meanwhile.
    fn keep(&self, pod: Value) {
        let (namespace, name) = key(&pod);
        let mut store = self.store();
        if store.core("pods", &namespace, &name).is_some() {
            store.put("v1", "pods", pod);
        }
    }

    fn event(&self, pod: &Value, kind: &str, reason: &str, message: &str) {
        let (namespace, name) = key(pod);
        let event = json!({
            "metadata": {
                "name": format!("{name}.{}{}", suffix(), suffix()),
                "namespace": namespace,
                "creationTimestamp": now(),
            },
            "involvedObject": {
                "kind": "Pod",
                "namespace": namespace,
                "name": name,
                "uid": pod.pointer("/metadata/uid"),
                "apiVersion": "v1",
            },
            "reason": reason,
            "message": message,
            "source": { "component": "kubelet", "host": pod.pointer("/spec/nodeName") },
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "count": 1,
            "type": kind,
            "eventTime": null,
            "reportingComponent": "kubelet",
            "reportingInstance": pod.pointer("/spec/nodeName"),
        });
        self.store().put("v1", "events", event);
    }

    fn address(&self, node: &str) -> Option<String> {
        let store = self.store();
        let addresses = store.core("nodes", "", node)?.pointer("/status/addresses/0/address")?.as_str();
        addresses.map(ToOwned::to_owned)
    }
}

/// Stores a stream of a container until its end.
fn collect(
    mut from: impl tokio::io::AsyncRead + Unpin + Send + 'static,
    channel: u8,
    output: Arc<Output>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut buffer = vec![0; 32 << 10];
        while let Ok(size @ 1..) = from.read(&mut buffer).await {
            output.write(channel, buffer.get(..size).unwrap_or_default());
        }
    })
}

/// Returns the registry of an image: `registry.invalid` for `registry.invalid/tools:1`.
fn registry(image: &str) -> &str {
    let (registry, _) = image.split_once('/').unwrap_or_default();
    registry.split(':').next().unwrap_or_default()
}

/// Returns five random characters, as the API server appends them to names.
fn suffix() -> String {
    use std::hash::{BuildHasher, RandomState};
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = RandomState::new().hash_one(());
    let mut letter = || {
        let size = ALPHABET.len() as u64;
        let letter = usize::try_from(random % size).ok().and_then(|index| ALPHABET.get(index));
        random /= size;
        letter.map_or('x', |letter| char::from(*letter))
    };
    (0..5).map(|_| letter()).collect()
}
