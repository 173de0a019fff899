#!/usr/bin/env bash
# Makes each gateway router learn the gateway's address again, and sends pings each way until one is answered. Tunnels
# and gateway routers lose the packets that make them learn a neighbour's address, and learnt addresses age out: without
# this, the first connections of a test may fail, or an address may age out while a test reads it.
# shellcheck source=env.sh
. "${0%/*}/env.sh"
for node in "${NODES[@]}"; do
  on "$node" ping -q -c 1 -w 10 "$(node_ip "$(peer "$node")")" >/dev/null
  on "$node" ovn-sbctl --all destroy MAC_Binding
done
for entry in "${PODS[@]}"; do in_ns "$(pod_ns "${entry%% *}")" ping -q -c 1 -w 10 "$GATEWAY" >/dev/null; done
# A ping may be answered before ovn-controller has written the flows of the new address.
for node in "${NODES[@]}"; do on "$node" ovn-nbctl --wait=hv --timeout=20 sync; done
