#!/usr/bin/env bash
# Builds the lab. Expects that none is there: down.sh first.
cd "$(dirname "$0")"
. ./env.sh
. ./nb.sh
. ./node.sh
. ./topology.sh
. ./services.sh
. ./policies.sh
. ./egressip.sh
. ./pods.sh
. ./gateway.sh
. ./hostrules.sh

mkdir -p "$DIR"
log "lab: nodes"
outside_up
for node in "${NODES[@]}"; do node_up "$node"; done
for node in "${NODES[@]}"; do
  log "lab: zone $node"
  topology_up "$node"
  services_up "$node"
  policies_up "$node"
  egressip_up "$node"
  gateway_up "$node"
  hostrules_up "$node"
done
log "lab: pods"
pods_up

# Up when every chassis has installed what its northbound database says.
for node in "${NODES[@]}"; do on "$node" ovn-nbctl --timeout=60 --wait=hv sync; done
# A userspace tunnel drops what it sends until it has its neighbour's address.
for node in "${NODES[@]}"; do on "$node" ping -q -c 1 -w 10 "$(node_ip "$(peer "$node")")" >/dev/null; done
echo "${LAB_SUITE:-}" >"$DIR/suite"
touch "$DIR/up"
