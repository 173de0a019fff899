# shellcheck shell=bash
# A node: namespaces, uplink, and the daemons of Open vSwitch and OVN with their own databases (one zone per node).
# Sourced.

# The network that the nodes share. One address in it is the router, the API server and the outside world.
outside_up() {
  ip netns add "$OUTSIDE"
  ip -n "$OUTSIDE" link set lo up
  ip -n "$OUTSIDE" link add br0 address 02:42:ac:12:00:01 type bridge
  in_ns "$OUTSIDE" sysctl -qw net.ipv6.conf.br0.disable_ipv6=1
  ip -n "$OUTSIDE" link set br0 up
  ip -n "$OUTSIDE" addr add "$GATEWAY/16" dev br0
  no_offload "$OUTSIDE" br0
}

# Userspace datapaths read veths through AF_PACKET, which sees checksums that the kernel intends to fill in later. With
# offload off, the kernel fills them in at once.
no_offload() { in_ns "$1" ethtool -K "$2" tx off >/dev/null 2>&1 || true; }

node_up() {
  local node=$1
  namespaces_up "$node"
  uplink_up "$node"
  switch_up "$node"
  databases_up "$node"
}

namespaces_up() {
  local node=$1 dir=$DIR/$1 ns path
  ns=$(node_ns "$node")
  for path in "${OWN[@]}"; do
    mkdir -p "$dir/$path"
    [[ -d /$path ]] || { mkdir -p "/$path" && echo "/$path" >>"$DIR/mountpoints"; }
  done
  ip netns add "$ns"
  setsid nsenter --net="/run/netns/$ns" unshare --mount --uts --propagation slave \
    bash "$SCRIPTS/holder.sh" "$node" "$dir" "$SUITE_ROOT" "${OWN[@]}" </dev/null >"$dir/holder.log" 2>&1 &
  for _ in {1..500}; do
    [[ -s $dir/pid ]] && break
    sleep 0.01
  done
  alive "$node" || die "the namespaces of $node did not come up: $(cat "$dir/holder.log")"
}

uplink_up() {
  local node=$1 ns
  ns=$(node_ns "$node")
  ip link add eth0 netns "$ns" address "$(node_mac "$node")" type veth peer name "up-$node" netns "$OUTSIDE"
  # A wire sends nothing itself: no neighbour discovery from an unknown address.
  in_ns "$OUTSIDE" sysctl -qw "net.ipv6.conf.up-$node.disable_ipv6=1"
  ip -n "$OUTSIDE" link set "up-$node" master br0 up
  no_offload "$OUTSIDE" "up-$node"
  no_offload "$ns" eth0
  # arp_ignore: the kernel must not answer on a pod's veth for addresses behind the switch.
  on "$node" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.arp_ignore=1 net.ipv6.conf.eth0.disable_ipv6=1
  ip -n "$ns" link set lo up
  ip -n "$ns" link set eth0 up
  # AF_PACKET copies frames and does not consume them: without this rule the kernel on eth0 would also answer what the
  # switch answers on br-ex.
  on "$node" nft -f - <<'NFT'
table netdev lab-netdev-datapath {
  chain eth0-ingress {
    type filter hook ingress device "eth0" priority filter; policy drop;
  }
}
NFT
}

# ovsdb NODE FILE SCHEMA SOCKET REMOTES [OPTION...]: starts a database server, whose table REMOTES may name further
# sockets
ovsdb() {
  local node=$1 file=$2 schema=$3 socket=$4 remotes=$5
  shift 5
  on "$node" ovsdb-tool create "$file" "$schema"
  on "$node" ovsdb-server "$file" --remote="punix:$socket" --remote="db:$remotes" -vconsole:off --detach "$@"
}

switch_up() {
  local node=$1 ip mac vsctl
  ip=$(node_ip "$node") mac=$(node_mac "$node")
  vsctl=(on "$node" ovs-vsctl --timeout=20)
  ovsdb "$node" /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema /run/openvswitch/db.sock \
    Open_vSwitch,Open_vSwitch,manager_options --pidfile --log-file
  "${vsctl[@]}" --no-wait init -- set Open_vSwitch . system-type=debian \
    ovs-version="$(on "$node" ovs-vswitchd --version | sed -n '1s/.* //p')" \
    external_ids:system-id="${CHASSIS[$node]}" external_ids:hostname="$node" external_ids:rundir=/var/run/openvswitch \
    external_ids:ovn-remote=unix:/var/run/ovn/ovnsb_db.sock external_ids:ovn-remote-probe-interval=100000 \
    external_ids:ovn-bridge-remote-probe-interval=0 external_ids:ovn-ofctrl-wait-before-clear=0 \
    external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip="$ip" external_ids:ovn-set-local-ip=true \
    external_ids:ovn-bridge-datapath-type=netdev external_ids:ovn-bridge-mappings=physnet:br-ex \
    external_ids:ovn-is-interconn=true external_ids:ovn-monitor-all=true external_ids:ovn-enable-lflow-cache=true \
    other_config:bundle-idle-timeout=0 other_config:vlan-limit=0
  on "$node" ovs-vswitchd -vconsole:off --pidfile --detach --log-file
  "${vsctl[@]}" add-br br-ex -- set Bridge br-ex datapath_type=netdev fail_mode=standalone other_config:hwaddr="$mac" \
    external_ids:bridge-id=br-ex external_ids:bridge-uplink=eth0 -- add-port br-ex eth0 -- set Interface eth0 type=system
  on "$node" ip addr add "$ip/16" dev br-ex
  on "$node" ip link set br-ex up
  on "$node" ip route add default via "$GATEWAY" dev br-ex
}

databases_up() {
  local node=$1
  ovsdb "$node" /etc/ovn/ovnnb_db.db /usr/share/ovn/ovn-nb.ovsschema /run/ovn/ovnnb_db.sock OVN_Northbound,NB_Global,connections \
    --unixctl=/run/ovn/ovnnb_db.ctl --pidfile=/run/ovn/ovnnb_db.pid --log-file=/var/log/ovn/ovsdb-server-nb.log
  ovsdb "$node" /etc/ovn/ovnsb_db.db /usr/share/ovn/ovn-sb.ovsschema /run/ovn/ovnsb_db.sock OVN_Southbound,SB_Global,connections \
    --unixctl=/run/ovn/ovnsb_db.ctl --pidfile=/run/ovn/ovnsb_db.pid --log-file=/var/log/ovn/ovsdb-server-sb.log
  on "$node" ovn-nbctl init
  on "$node" ovn-sbctl init
  on "$node" ovn-northd --ovnnb-db=unix:/run/ovn/ovnnb_db.sock --ovnsb-db=unix:/run/ovn/ovnsb_db.sock \
    -vconsole:off --pidfile=/run/ovn/ovn-northd.pid --log-file=/var/log/ovn/ovn-northd.log --detach
  on "$node" ovn-controller unix:/run/openvswitch/db.sock \
    -vconsole:off --pidfile=/run/ovn/ovn-controller.pid --log-file=/var/log/ovn/ovn-controller.log --detach
}
