# shellcheck shell=bash
# Names, addresses, pods and services of the lab, and the functions that the other scripts share. Sourced.
set -euo pipefail

PREFIX=${LAB_PREFIX:-ovnk-lab}        # the prefix of every network namespace of the lab
DIR=${LAB_DIR:-/var/lib/ovnk-lab}     # one folder per node: databases, sockets, logs, pid
RECORD=/run/$PREFIX.dir               # names the folder of the lab
SUITE_ROOT=${LAB_SUITE_ROOT:-}        # root of a debootstrapped suite whose programs the nodes run, or empty
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUTSIDE=$PREFIX-outside               # the network between the nodes, and the world beyond it

# Folders that are private to each node, and that the node's programs find at their default paths.
OWN=(
  run/openvswitch etc/openvswitch var/log/openvswitch run/ovn etc/ovn var/log/ovn
  run/frr etc/frr run/pluto etc/ipsec.d var/lib/ipsec/nss
)

NODES=(ovn-worker ovn-worker2)
# k8s.ovn.org/node-id: the last octet of a node in the join and transit networks and, in the lab, of the node's own
# address.
declare -A ID=([ovn-worker]=2 [ovn-worker2]=3)
# The values are fixed, so that data recorded in one lab matches the next lab.
declare -A CHASSIS=([ovn-worker]=3c9f7a52-6d1e-4b80-9a4f-5e2d8c1b7f06 [ovn-worker2]=b81d04e6-27fa-4c35-8e92-f06a9d3c5b71)
declare -A OVNKUBE_POD=([ovn-worker]=ovnkube-node-k7xwd [ovn-worker2]=ovnkube-node-t4zqb)

CLUSTER_NET=10.244.0.0/16
SERVICE_NET=10.96.0.0/16
NODE_NET=172.18.0.0/16
GATEWAY=172.18.0.1
EGRESS_IP=172.18.0.50
EGRESS_NODE=ovn-worker2

# namespace/name, node, last octet
PODS=(
  "default/client   ovn-worker  4"
  "default/web-1    ovn-worker  5"
  "default/client-2 ovn-worker2 4"
  "default/web-2    ovn-worker2 5"
  "default/db       ovn-worker2 6"
)
WEB_VIP=10.96.0.10 WEB_NODEPORT=30080
EMPTY_VIP=10.96.0.20
KUBERNETES_VIP=10.96.0.1

node_ip()  { echo "172.18.0.${ID[$1]}"; }
node_mac() { printf '02:42:ac:12:00:%02x' "${ID[$1]}"; }
pod_net()  { echo "10.244.$((ID[$1] - 2))"; }                        # the first three octets of a node's pod subnet
pod_mac()  { printf '0a:58:0a:f4:%02x:%02x' $((ID[$1] - 2)) "$2"; }  # the MAC address that OVN-Kubernetes derives from an address
join_ip()  { echo "100.64.0.${ID[$1]}"; }
transit_ip() { echo "100.88.0.${ID[$1]}"; }
node_ns()  { echo "$PREFIX-$1"; }
pod_ns()   { echo "$PREFIX-${1/\//-}"; }
peer()     { local n; for n in "${NODES[@]}"; do [[ $n == "$1" ]] || echo "$n"; done; }

# pod NAMESPACE/NAME: prints "address node" of a pod
pod() {
  local name node octet
  for name in "${PODS[@]}"; do
    read -r name node octet <<<"$name"
    [[ $name != "$1" ]] || { echo "$(pod_net "$node").$octet $node"; return; }
  done
  die "no pod $1"
}
# pod_uid NAMESPACE/NAME: prints a UID that is the same in every lab
pod_uid() { local sum; sum=$(sha256sum <<<"$1"); echo "${sum:16:8}-${sum:24:4}-4${sum:29:3}-8${sum:33:3}-${sum:36:12}"; }
pod_ip() { local found; found=$(pod "$1"); echo "${found% *}"; }

log() { printf '%s\n' "$*" >&2; }
die() { log "lab: $*"; exit 1; }

# on NODE COMMAND...: runs a command in the node's network, mount and UTS namespaces
on() { local node=$1; shift; nsenter -t "$(<"$DIR/$node/pid")" -n -m -u -- "$@"; }
# in_ns NETNS COMMAND...: runs a command only in a network namespace, with this machine's programs
in_ns() { local ns=$1; shift; nsenter --net="/run/netns/$ns" -- "$@"; }

# alive NODE: returns whether the process that holds the node's namespaces runs
alive() {
  local pid
  pid=$(cat "$DIR/$1/pid" 2>/dev/null) && [[ -n $pid ]] && [[ $(readlink "/proc/$pid/ns/net" 2>/dev/null) != "$(readlink /proc/self/ns/net)" ]] \
    && kill -0 "$pid" 2>/dev/null
}

# fnv1a TEXT: prints the hash of 64 bits, signed like numbers of bash. OVN-Kubernetes makes names and cookies of it.
fnv1a() {
  local LC_ALL=C hash=$((0xcbf29ce484222325)) i byte
  for ((i = 0; i < ${#1}; i++)); do
    printf -v byte %d "'${1:i:1}"
    hash=$(((hash ^ byte) * 0x100000001b3))
  done
  echo "$hash"
}
# hashed ID: prints the name of the port group or address set with this k8s.ovn.org/id
hashed() { printf 'a%u' "$(fnv1a "$1")"; }
