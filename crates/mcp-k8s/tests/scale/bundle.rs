//! Generates a must-gather of any size, for the test of the answers and for the benchmark.

#[path = "database.rs"]
mod database;

use std::{fmt::Write as _, fs, io, path::Path};

/// The number of pods of a namespace.
const PODS_OF_A_NAMESPACE: usize = 100;
/// The numbers of four faulty nodes: one is not ready, one has an older release, on one ovnkube-node crashes, and one
/// lacks a backend in its zone.
const ILL: [usize; 4] = [17, 99, 200, 3];

fn name_of_node(node: usize) -> String {
    format!("node-{node:03}")
}

fn address_of_node(node: usize) -> String {
    format!("172.18.{}.{}", node / 250, node % 250 + 2)
}

fn subnet(node: usize) -> String {
    format!("10.{}.{}.0/24", 128 + node / 250, node % 250 + 2)
}

fn name_of_pod(n: usize) -> String {
    format!("web-{n:05}")
}

fn namespace_of(n: usize) -> String {
    format!("tenant-{:03}", n / PODS_OF_A_NAMESPACE)
}

/// The four parts of a pod's address: the subnet of its node, then its number on the node.
fn parts(n: usize, nodes: usize) -> [usize; 4] {
    let node = n % nodes;
    [10, 128 + node / 250, node % 250 + 2, n / nodes + 3]
}

/// Returns the address of a pod. Pods are assigned to nodes in turn.
pub(crate) fn address(n: usize, nodes: usize) -> String {
    parts(n, nodes).map(|part| part.to_string()).join(".")
}

fn mac(n: usize, nodes: usize) -> String {
    format!("0a:58:{}", parts(n, nodes).map(|part| format!("{part:02x}")).join(":"))
}

/// Returns the address of a namespace's service.
fn vip(namespace: usize) -> String {
    format!("10.96.{}.{}", namespace / 250, namespace % 250 + 1)
}

/// Returns the backends of a namespace's service: every tenth pod, beginning with the given one.
fn backends(first: usize, pods: usize) -> impl Iterator<Item = usize> {
    (first..pods.min(first + PODS_OF_A_NAMESPACE)).step_by(10)
}

/// Writes a must-gather of a cluster in the layout of `oc adm inspect`: a file for each node, a list of pods and a
/// service for each namespace, and events about every tenth pod. Each node is a zone with databases, which use the
/// schemas of the northbound and the southbound database in `like`.
pub(crate) fn write(root: &Path, nodes: usize, pods: usize, like: &[Vec<u8>; 2]) -> io::Result<()> {
    let folder = root.join("cluster-scoped-resources/core/nodes");
    fs::create_dir_all(&folder)?;
    let databases = root.join("network_logs/ovnk_database_store");
    fs::create_dir_all(&databases)?;
    let mut own = list();
    for n in 0..nodes {
        fs::write(folder.join(format!("{}.yaml", name_of_node(n))), node(n))?;
        ovnkube_node(&mut own, n);
        let file = |db: &str| databases.join(format!("ovnkube-node-n{n:03}x_{db}"));
        let short = n == ILL[3];
        fs::write(file("nbdb"), database::northbound(&like[0], n, nodes, pods, short))?;
        fs::write(file("sbdb"), database::southbound(&like[1], n, nodes, pods))?;
    }
    let folder = root.join("namespaces/ovn-kubernetes/core");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("pods.yaml"), own + "kind: PodList\n")?;
    for (at, first) in (0..pods).step_by(PODS_OF_A_NAMESPACE).enumerate() {
        let name = namespace_of(first);
        let folder = root.join("namespaces").join(&name);
        fs::create_dir_all(folder.join("core"))?;
        fs::create_dir_all(folder.join("discovery.k8s.io"))?;
        fs::write(
            folder.join(format!("{name}.yaml")),
            format!(
                "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\nstatus:\n  phase: Active\n"
            ),
        )?;
        let (mut all, mut events) = (list(), list());
        for n in first..pods.min(first + PODS_OF_A_NAMESPACE) {
            pod(&mut all, n, nodes);
            if n % 10 == 0 {
                event(&mut events, &name, n);
            }
        }
        fs::write(folder.join("core/pods.yaml"), all + "kind: PodList\n")?;
        fs::write(folder.join("core/events.yaml"), events + "kind: EventList\n")?;
        fs::write(folder.join("core/services.yaml"), service(&name, &vip(at)))?;
        let endpoints = backends(first, pods).map(|n| (n, nodes));
        fs::write(folder.join("discovery.k8s.io/endpointslices.yaml"), slice(&name, endpoints))?;
    }
    fs::write(root.join("timestamp"), "2026-11-22 09:00:00.000000000 +0000 UTC m=+0.1\n")
}

fn list() -> String {
    "---\napiVersion: v1\nitems:\n".to_owned()
}

fn service(namespace: &str, vip: &str) -> String {
    list()
        + &format!(
            "- apiVersion: v1\n  kind: Service\n  metadata:\n    name: web\n    namespace: {namespace}\n  spec:\n    clusterIP: {vip}\n    \
             clusterIPs:\n    - {vip}\n    ports:\n    - port: 80\n      protocol: TCP\n      targetPort: 8080\n    type: ClusterIP\n\
             kind: ServiceList\n"
        )
}

fn slice(namespace: &str, endpoints: impl Iterator<Item = (usize, usize)>) -> String {
    let mut text = "---\napiVersion: discovery.k8s.io/v1\nitems:\n- addressType: IPv4\n  apiVersion: discovery.k8s.io/v1\n  endpoints:\n".to_owned();
    for (n, nodes) in endpoints {
        _ = write!(
            text,
            "  - addresses:\n    - {}\n    conditions:\n      ready: true\n    nodeName: {}\n    targetRef:\n      kind: Pod\n      name: {}\n",
            address(n, nodes),
            name_of_node(n % nodes),
            name_of_pod(n)
        );
    }
    text + &format!(
        "  kind: EndpointSlice\n  metadata:\n    labels:\n      kubernetes.io/service-name: web\n    name: web-abcde\n    \
         namespace: {namespace}\n  ports:\n  - name: \"\"\n    port: 8080\n    protocol: TCP\nkind: EndpointSliceList\n"
    )
}

/// Writes the ovnkube-node pod of a node, whose name is in the file names of the databases.
fn ovnkube_node(list: &mut String, n: usize) {
    let state = if n == ILL[2] {
        "ready: false, restartCount: 31, state: {waiting: {reason: CrashLoopBackOff}}"
    } else {
        "ready: true, restartCount: 1, state: {running: {startedAt: 2026-11-22T08:00:00Z}}"
    };
    _ = write!(
        list,
        "- apiVersion: v1\n  kind: Pod\n  metadata: {{name: ovnkube-node-n{n:03}x, namespace: ovn-kubernetes}}\n  spec:\n    \
         nodeName: {}\n    hostNetwork: true\n    containers:\n    - {{name: ovnkube-controller, image: ovn-kube:1}}\n  status:\n    \
         phase: Running\n    containerStatuses:\n    - {{name: ovnkube-controller, {state}}}\n",
        name_of_node(n)
    );
}

fn node(n: usize) -> String {
    let name = name_of_node(n);
    format!(
        "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: {name}\n  creationTimestamp: \"2026-11-22T07:00:00Z\"\n  annotations:\n    \
         k8s.ovn.org/node-subnets: '{{\"default\":[\"{}\"]}}'\n    k8s.ovn.org/zone-name: {name}\n\
         status:\n  addresses:\n  - address: {}\n    type: InternalIP\n  conditions:\n  - status: \"{}\"\n    \
         type: Ready\n  nodeInfo:\n    kubeletVersion: {}\n",
        subnet(n),
        address_of_node(n),
        if n == ILL[0] { "False" } else { "True" },
        if n == ILL[1] { "v1.35.0" } else { "v1.36.2" },
    )
}

fn pod(list: &mut String, n: usize, nodes: usize) {
    let (namespace, ip, mac) = (namespace_of(n), address(n, nodes), mac(n, nodes));
    let node = n % nodes;
    _ = write!(
        list,
        "- apiVersion: v1\n  kind: Pod\n  metadata:\n    annotations:\n      k8s.ovn.org/pod-networks: '{{\"default\":{{\"ip_addresses\":\
         [\"{ip}/24\"],\"mac_address\":\"{mac}\",\"role\":\"primary\"}}}}'\n    creationTimestamp: \"2026-11-22T08:00:00Z\"\n    \
         labels:\n      app: app-{}\n      pod-template-hash: 7ddbb54ff6\n    managedFields:\n    - apiVersion: v1\n      fieldsType: FieldsV1\n      \
         fieldsV1:\n        f:metadata:\n          f:labels:\n            .: {{}}\n            f:app: {{}}\n      manager: kubelet\n    \
         name: web-{n:05}\n    namespace: {namespace}\n    uid: 00000000-0000-4000-8000-{n:012}\n  spec:\n    containers:\n    - env:\n      \
         - name: MODE\n        value: production\n      image: registry.example.org/web:1\n      name: web\n      ports:\n      - containerPort: 8080\n        \
         protocol: TCP\n      resources:\n        requests:\n          cpu: 100m\n          memory: 128Mi\n      volumeMounts:\n      - mountPath: /data\n        \
         name: data\n    nodeName: node-{node:03}\n    restartPolicy: Always\n    serviceAccountName: default\n    tolerations:\n    - effect: NoExecute\n      \
         key: node.kubernetes.io/not-ready\n      operator: Exists\n      tolerationSeconds: 300\n    volumes:\n    - emptyDir: {{}}\n      name: data\n  \
         status:\n    conditions:\n    - lastTransitionTime: \"2026-11-22T08:00:05Z\"\n      status: \"True\"\n      type: Ready\n    containerStatuses:\n    \
         - containerID: containerd://{n:064x}\n      image: registry.example.org/web:1\n      name: web\n      ready: true\n      restartCount: {}\n      \
         started: true\n      state:\n        running:\n          startedAt: \"2026-11-22T08:00:04Z\"\n    hostIP: 172.18.0.2\n    phase: Running\n    podIP: {ip}\n    \
         podIPs:\n    - ip: {ip}\n    qosClass: Burstable\n",
        n % 40,
        n % 3
    );
}

fn event(list: &mut String, namespace: &str, n: usize) {
    _ = write!(
        list,
        "- apiVersion: v1\n  count: 3\n  firstTimestamp: \"2026-11-22T08:00:00Z\"\n  involvedObject:\n    kind: Pod\n    name: web-{n:05}\n    \
         namespace: {namespace}\n  kind: Event\n  lastTimestamp: \"2026-11-22T08:{:02}:00Z\"\n  message: Readiness probe failed on 10.128.2.3\n  \
         metadata:\n    name: web-{n:05}.18ea50f699b28f24\n    namespace: {namespace}\n  reason: Unhealthy\n  type: Warning\n",
        n / 10 % 60
    );
}
