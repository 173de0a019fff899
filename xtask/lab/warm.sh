#!/usr/bin/env bash
# Sends pings each way until one is answered. Tunnels and gateway routers lose the packets that make them learn a
# neighbour's address, and learnt addresses age out. Without the pings, the first connections of a test may fail.
# shellcheck source=env.sh
. "${0%/*}/env.sh"
for node in "${NODES[@]}"; do on "$node" ping -q -c 1 -w 10 "$(node_ip "$(peer "$node")")" >/dev/null; done
for entry in "${PODS[@]}"; do in_ns "$(pod_ns "${entry%% *}")" ping -q -c 1 -w 10 "$GATEWAY" >/dev/null; done
