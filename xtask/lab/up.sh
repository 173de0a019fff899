#!/usr/bin/env bash
# Builds the lab. There must be no lab: run down.sh first.
# shellcheck source=env.sh
. "${0%/*}/env.sh"
. "${0%/*}/nb.sh"
. "${0%/*}/node.sh"
. "${0%/*}/topology.sh"
. "${0%/*}/services.sh"
. "${0%/*}/policies.sh"
. "${0%/*}/egressip.sh"
. "${0%/*}/pods.sh"
. "${0%/*}/gateway.sh"
. "${0%/*}/hostrules.sh"
. "${0%/*}/frr.sh"
. "${0%/*}/ipsec.sh"

mkdir -p "$DIR"
echo "$DIR" >"$RECORD"
log "lab: nodes"
outside_up
for node in "${NODES[@]}"; do node_up "$node"; done
# The neighbours find each other while the rest is built.
for node in "${NODES[@]}"; do
  frr_up "$node"
  ipsec_up "$node"
done
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

# The lab is up when every chassis has installed the configuration of its northbound database.
for node in "${NODES[@]}"; do on "$node" ovn-nbctl --timeout=60 --wait=hv sync; done
"$SCRIPTS/warm.sh"
for node in "${NODES[@]}"; do frr_ready "$node"; done
echo "${LAB_SUITE:-}" >"$DIR/suite"
touch "$DIR/up"
