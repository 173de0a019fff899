#!/usr/bin/env bash
# Prints nodes, daemons, versions and pods. The exit status is 1 if the lab or a part of it is down.
# shellcheck source=env.sh
. "${0%/*}/env.sh"

[[ -e $DIR/up ]] || die "no lab in $DIR"
bad=0
for node in "${NODES[@]}"; do
  if ! alive "$node"; then
    echo "$node: down"
    bad=1
    continue
  fi
  echo "$node: $(node_ip "$node"), pid $(<"$DIR/$node/pid"), chassis ${CHASSIS[$node]}"
  echo "  $(on "$node" ovn-nbctl --version | head -n 1), $(on "$node" ovs-vsctl --version | head -n 1)"
  for daemon in openvswitch/ovsdb-server openvswitch/ovs-vswitchd ovn/ovnnb_db ovn/ovnsb_db ovn/ovn-northd ovn/ovn-controller \
    frr/zebra frr/bfdd frr/bgpd pluto/pluto; do
    pid=$(cat "$DIR/$node/run/$daemon.pid" 2>/dev/null) || pid=
    if [[ -n $pid ]] && kill -0 "$pid" 2>/dev/null; then
      echo "  ${daemon#*/} $pid"
    else
      echo "  ${daemon#*/} down"
      bad=1
    fi
  done
done
for entry in "${PODS[@]}"; do
  read -r name node _ <<<"$entry"
  if [[ -e /run/netns/$(pod_ns "$name") ]]; then
    echo "pod $name: $(pod_ip "$name") on $node"
  else
    echo "pod $name: down"
    bad=1
  fi
done
exit $bad
