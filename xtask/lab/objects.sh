# shellcheck shell=bash
# The lab as Kubernetes objects, for which its databases were made. Functions print the objects in YAML, each after a
# ---. Sourced.

# The containers of an ovnkube-node pod whose logs the lab has.
declare -A LOGS=([nb-ovsdb]=ovn/ovsdb-server-nb [sb-ovsdb]=ovn/ovsdb-server-sb [ovn-northd]=ovn/ovn-northd [ovn-controller]=ovn/ovn-controller)

node_object() {
  local node=$1 ip
  ip=$(node_ip "$node")
  sed '/^$/d' <<YAML
---
apiVersion: v1
kind: Node
metadata:
  annotations:
$([[ $node != "$EGRESS_NODE" ]] || echo "    k8s.ovn.org/bridge-egress-ips: '[\"$EGRESS_IP\"]'")
    k8s.ovn.org/host-cidrs: '["$ip/16"]'
    k8s.ovn.org/l3-gateway-config: '{"default":{"mode":"shared","bridge-id":"br-ex","interface-id":"br-ex_$node","mac-address":"$(node_mac "$node")","ip-addresses":["$ip/16"],"ip-address":"$ip/16","next-hops":["$GATEWAY"],"next-hop":"$GATEWAY","node-port-enable":"true","vlan-id":"0"}}'
    k8s.ovn.org/node-chassis-id: ${CHASSIS[$node]}
    k8s.ovn.org/node-encap-ips: '["$ip"]'
    k8s.ovn.org/node-id: "${ID[$node]}"
    k8s.ovn.org/node-masquerade-subnet: '{"ipv4":"169.254.0.0/17","ipv6":"fd69::/112"}'
    k8s.ovn.org/node-primary-ifaddr: '{"ipv4":"$ip/16"}'
    k8s.ovn.org/node-subnets: '{"default":["$(pod_net "$node").0/24"]}'
    k8s.ovn.org/node-transit-switch-port-ifaddr: '{"ipv4":"$(transit_ip "$node")/16"}'
  labels:
$([[ $node != "$EGRESS_NODE" ]] || echo '    k8s.ovn.org/egress-assignable: ""')
    kubernetes.io/hostname: $node
    kubernetes.io/os: linux
  name: $node
spec: {}
status:
  addresses:
  - address: $ip
    type: InternalIP
  - address: $node
    type: Hostname
  conditions:
  - status: "True"
    type: Ready
YAML
}

ovnkube_pod_object() {
  local node=$1 container
  cat <<YAML
---
apiVersion: v1
kind: Pod
metadata:
  generateName: ovnkube-node-
  labels:
    app: ovnkube-node
    component: network
    name: ovnkube-node
    ovn-db-pod: "true"
    type: infra
  name: ${OVNKUBE_POD[$node]}
  namespace: ovn-kubernetes
spec:
  containers:
$(for container in "${!LOGS[@]}"; do echo "  - name: $container"; done | sort)
  hostNetwork: true
  nodeName: $node
status:
  hostIP: $(node_ip "$node")
  phase: Running
  podIP: $(node_ip "$node")
YAML
}

pod_object() {
  local name=$1 node=$2 net=$3 octet=$4 app=$1
  [[ $name != web-* ]] || app=web # the policies do not count client-2 as a client
  cat <<YAML
---
apiVersion: v1
kind: Pod
metadata:
  annotations:
    k8s.ovn.org/pod-networks: '{"default":{"ip_addresses":["$net.$octet/24"],"mac_address":"$(pod_mac "$node" "$octet")","gateway_ips":["$net.1"],"ip_address":"$net.$octet/24","gateway_ip":"$net.1","role":"primary"}}'
  labels:
    app: $app
  name: $name
  namespace: default
  uid: $(pod_uid "default/$name")
spec:
  containers:
  - name: ${name%-[0-9]}
  nodeName: $node
status:
  hostIP: $(node_ip "$node")
  phase: Running
  podIP: $net.$octet
YAML
}

service_object() {
  cat <<YAML
---
apiVersion: v1
kind: Service
metadata:
  name: $1
  namespace: default
spec:
  clusterIP: $2
  ports:
  - port: $3
    protocol: TCP
    targetPort: $4${5:-}
YAML
}

ovnkube_pod_objects() { local node; for node in "${NODES[@]}"; do ovnkube_pod_object "$node"; done; }

pod_objects() {
  local entry name node octet
  for entry in "${PODS[@]}"; do
    read -r name node octet <<<"$entry"
    pod_object "${name#*/}" "$node" "$(pod_net "$node")" "$octet"
  done
}

service_objects() {
  service_object kubernetes "$KUBERNETES_VIP" 443 6443
  service_object web "$WEB_VIP" 80 8080 "
    nodePort: $WEB_NODEPORT
  externalTrafficPolicy: Local
  selector:
    app: web
  type: NodePort"
  service_object empty "$EMPTY_VIP" 80 8080 "
  selector:
    app: empty"
}

# The databases do not need the following objects: they are for an API server, and a must-gather of the lab leaves them
# out.

endpoint_slice_object() { # SERVICE PORT [NAMESPACE/POD...]
  local service=$1 port=$2 pod ip node
  shift 2
  cat <<YAML
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  labels:
    endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io
    kubernetes.io/service-name: $service
  name: $service-lab
  namespace: default
addressType: IPv4
endpoints:$([[ $# -gt 0 ]] || echo ' []')
YAML
  for pod in "$@"; do
    read -r ip node <<<"$(pod "$pod")"
    cat <<YAML
- addresses: [$ip]
  conditions: {ready: true, serving: true, terminating: false}
  nodeName: $node
  targetRef: {kind: Pod, name: ${pod#*/}, namespace: ${pod%/*}}
YAML
  done
  printf 'ports:\n- {name: "", port: %s, protocol: TCP}\n' "$port"
}

endpoint_slice_objects() {
  endpoint_slice_object web 8080 default/web-1 default/web-2
  endpoint_slice_object empty 8080
}

network_policy_objects() {
  cat <<'YAML'
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: default-deny-ingress
  namespace: default
spec:
  podSelector:
    matchLabels:
      app: db
  policyTypes: [Ingress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-client
  namespace: default
spec:
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: client
    ports:
    - port: 5432
      protocol: TCP
  podSelector:
    matchLabels:
      app: db
  policyTypes: [Ingress]
YAML
}

egress_ip_object() {
  cat <<YAML
---
apiVersion: k8s.ovn.org/v1
kind: EgressIP
metadata:
  name: $EGRESS_NAME
spec:
  egressIPs: [$EGRESS_IP]
  namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: ${EGRESS_POD%/*}
  podSelector:
    matchLabels:
      app: ${EGRESS_POD#*/}
status:
  items:
  - egressIP: $EGRESS_IP
    node: $EGRESS_NODE
YAML
}
