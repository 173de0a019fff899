//! A must-gather as large as one wants: for the test of what is answered, and for the bench of how fast.

use std::{fmt::Write as _, fs, io, path::Path};

/// Pods of one namespace.
const PODS_OF_A_NAMESPACE: usize = 100;

/// Writes a collection of a cluster with so many nodes and pods, as `oc adm inspect` lays it out: each node in a file of
/// its own, the pods of a namespace in a list, and events about one in ten of them.
pub(crate) fn write(root: &Path, nodes: usize, pods: usize) -> io::Result<()> {
    let folder = root.join("cluster-scoped-resources/core/nodes");
    fs::create_dir_all(&folder)?;
    for n in 0..nodes {
        fs::write(folder.join(format!("node-{n:03}.yaml")), node(n))?;
    }
    for namespace in 0..pods.div_ceil(PODS_OF_A_NAMESPACE) {
        let name = format!("tenant-{namespace:03}");
        let folder = root.join("namespaces").join(&name);
        fs::create_dir_all(folder.join("core"))?;
        fs::write(
            folder.join(format!("{name}.yaml")),
            format!(
                "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\nstatus:\n  phase: Active\n"
            ),
        )?;
        let first = namespace * PODS_OF_A_NAMESPACE;
        let (mut list, mut events) =
            ("---\napiVersion: v1\nitems:\n".to_owned(), "---\napiVersion: v1\nitems:\n".to_owned());
        for n in first..pods.min(first + PODS_OF_A_NAMESPACE) {
            pod(&mut list, &name, n, n % nodes);
            if n % 10 == 0 {
                event(&mut events, &name, n);
            }
        }
        fs::write(folder.join("core/pods.yaml"), list + "kind: PodList\n")?;
        fs::write(folder.join("core/events.yaml"), events + "kind: EventList\n")?;
    }
    fs::write(root.join("timestamp"), "2026-11-22 09:00:00.000000000 +0000 UTC m=+0.1\n")
}

fn node(n: usize) -> String {
    let (high, low) = (n / 250, n % 250 + 2);
    format!(
        "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: node-{n:03}\n  creationTimestamp: \"2026-11-22T07:00:00Z\"\n  annotations:\n    \
         k8s.ovn.org/node-subnets: '{{\"default\":[\"10.{}.{low}.0/24\"]}}'\n    k8s.ovn.org/zone-name: node-{n:03}\n\
         status:\n  addresses:\n  - address: 172.18.{high}.{low}\n    type: InternalIP\n  conditions:\n  - status: \"True\"\n    \
         type: Ready\n  nodeInfo:\n    kubeletVersion: v1.36.2\n",
        128 + high
    )
}

fn pod(list: &mut String, namespace: &str, n: usize, node: usize) {
    _ = write!(
        list,
        "- apiVersion: v1\n  kind: Pod\n  metadata:\n    annotations:\n      k8s.ovn.org/pod-networks: '{{\"default\":{{\"ip_addresses\":\
         [\"10.128.2.{}/24\"],\"mac_address\":\"0a:58:0a:80:02:03\",\"role\":\"primary\"}}}}'\n    creationTimestamp: \"2026-11-22T08:00:00Z\"\n    \
         labels:\n      app: app-{}\n      pod-template-hash: 7ddbb54ff6\n    managedFields:\n    - apiVersion: v1\n      fieldsType: FieldsV1\n      \
         fieldsV1:\n        f:metadata:\n          f:labels:\n            .: {{}}\n            f:app: {{}}\n      manager: kubelet\n    \
         name: web-{n:05}\n    namespace: {namespace}\n    uid: 00000000-0000-4000-8000-{n:012}\n  spec:\n    containers:\n    - env:\n      \
         - name: MODE\n        value: production\n      image: registry.example.org/web:1\n      name: web\n      ports:\n      - containerPort: 8080\n        \
         protocol: TCP\n      resources:\n        requests:\n          cpu: 100m\n          memory: 128Mi\n      volumeMounts:\n      - mountPath: /data\n        \
         name: data\n    nodeName: node-{node:03}\n    restartPolicy: Always\n    serviceAccountName: default\n    tolerations:\n    - effect: NoExecute\n      \
         key: node.kubernetes.io/not-ready\n      operator: Exists\n      tolerationSeconds: 300\n    volumes:\n    - emptyDir: {{}}\n      name: data\n  \
         status:\n    conditions:\n    - lastTransitionTime: \"2026-11-22T08:00:05Z\"\n      status: \"True\"\n      type: Ready\n    containerStatuses:\n    \
         - containerID: containerd://{n:064x}\n      image: registry.example.org/web:1\n      name: web\n      ready: true\n      restartCount: {}\n      \
         started: true\n      state:\n        running:\n          startedAt: \"2026-11-22T08:00:04Z\"\n    hostIP: 172.18.0.2\n    phase: Running\n    podIP: 10.128.2.3\n    \
         podIPs:\n    - ip: 10.128.2.3\n    qosClass: Burstable\n",
        n % 250 + 2,
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
