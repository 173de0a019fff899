#!/usr/bin/env bash
# gather.sh OUT: writes a must-gather of the lab. Databases and logs are the lab's own; the objects are those for which
# the databases were made.
# shellcheck source=env.sh
. "${0%/*}/env.sh"
# shellcheck source=objects.sh
. "$SCRIPTS/objects.sh"
[[ -e $DIR/up ]] || die "no lab in $DIR"
out=$1
[[ ! -e $out ]] || die "$out exists: name a new folder"
root=$out/lab-ovn-kubernetes
core=$root/cluster-scoped-resources/core/nodes
ovnkube=$root/namespaces/ovn-kubernetes
pods=$root/namespaces/default/core
store=$root/network_logs/ovnk_database_store
mkdir -p "$core" "$ovnkube/core" "$pods" "$store"
started=$(date -u '+%F %T.%N +0000 UTC')

# list KIND: reads objects from standard input, each after a ---, and prints them as a list
list() {
  printf -- '---\napiVersion: v1\nitems:\n'
  awk '/^---$/ { first = 1; next } { print (first ? "- " : "  ") $0; first = 0 }'
  printf 'kind: %s\n' "$1"
}

for node in "${NODES[@]}"; do
  pod=${OVNKUBE_POD[$node]}
  cp "$DIR/$node/etc/ovn/ovnnb_db.db" "$store/${pod}_nbdb"
  cp "$DIR/$node/etc/ovn/ovnsb_db.db" "$store/${pod}_sbdb"
  node_object "$node" >"$core/$node.yaml"
  for container in "${!LOGS[@]}"; do
    logs=$ovnkube/pods/$pod/$container/$container/logs
    mkdir -p "$logs"
    sed -E 's/^([^|]+)\|/\1 &/' "$DIR/$node/var/log/${LOGS[$container]}.log" >"$logs/current.log"
  done
  ovnkube_pod_object "$node" >"$ovnkube/pods/$pod/$pod.yaml"
done
tar -C "$root/network_logs" -czf "$store.tar.gz" ovnk_database_store
ovnkube_pod_objects | list PodList >"$ovnkube/core/pods.yaml"
pod_objects | list PodList >"$pods/pods.yaml"
service_objects | list ServiceList >"$pods/services.yaml"

printf 'clientVersion:\n  gitVersion: lab\nserverVersion:\n  gitVersion: lab\n' >"$root/version"
printf '%s\n' "$started" "$(date -u '+%F %T.%N +0000 UTC')" >"$root/timestamp"
