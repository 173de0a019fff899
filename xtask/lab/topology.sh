# shellcheck shell=bash
# The logical network of one zone, as ovnkube-controller builds it in interconnect mode with a shared gateway. Sourced.

# router_port SWITCH PORT ROUTER-PORT [OPTION...]: adds the switch's side of a router port
router_port() {
  add lsp-add "$1" "$2" -- lsp-set-type "$2" router -- lsp-set-addresses "$2" router \
    -- lsp-set-options "$2" "router-port=$3" "${@:4}"
}
# route ROUTER PREFIX NEXTHOP [COLUMN=VALUE...]: adds a static route
route() {
  child Logical_Router "$1" static_routes Logical_Router_Static_Route ip_prefix="$(str "$2")" nexthop="$(str "$3")" "${@:4}"
}

topology_up() {
  local node=$1
  remote_chassis "$node"
  add set NB_Global . name="$node" options:name="$node" options:northd-backoff-interval-ms=300
  control_plane_protection
  cluster_router "$node"
  gateway_router "$node"
  node_switch "$node"
  transit_switch "$node"
  commit "$node"
  bind_remote_port "$node" "tstor-$(peer "$node")"
}

control_plane_protection() {
  local what meters=()
  add --id=@band create Meter_Band action=drop rate=25
  for what in arp arp-resolve bfd event-elb icmp4-error icmp6-error reject svc-monitor tcp-reset; do
    add create Meter name="$what-rate-limiter" fair=true unit=pktps bands=@band
    meters+=("$what=$what-rate-limiter")
  done
  add --id=@copp create Copp name=ovnkube-default meters="$(map "${meters[@]}")"
  add --id=@logging create Meter_Band action=drop rate=20
  add create Meter name=acl-logging fair=true unit=pktps bands=@logging
}

cluster_router() {
  local node=$1 net
  net=$(pod_net "$node")
  add lr-add ovn_cluster_router -- set Logical_Router ovn_cluster_router copp=@copp external_ids:k8s-cluster-router=yes \
    options:always_learn_from_arp_request=false options:mcast_relay=true
  add lrp-add ovn_cluster_router rtoj-ovn_cluster_router 0a:58:64:40:00:01 100.64.0.1/16
  add ls-add join
  router_port join jtor-ovn_cluster_router rtoj-ovn_cluster_router
  route ovn_cluster_router "$(join_ip "$node")" "$(join_ip "$node")"
  route ovn_cluster_router "$net.0/24" "$(join_ip "$node")" policy=src-ip
  route ovn_cluster_router "$CLUSTER_NET" "$(join_ip "$node")" policy=src-ip
}

gateway_router() {
  local node=$1 ip mac router=GR_$1 logical_ip
  ip=$(node_ip "$node") mac=$(node_mac "$node")
  add lr-add "$router" -- set Logical_Router "$router" copp=@copp external_ids:physical_ip="$ip" external_ids:physical_ips="$ip" \
    options:chassis="${CHASSIS[$node]}" options:always_learn_from_arp_request=false options:dynamic_neigh_routers=false \
    options:lb_force_snat_ip=router_ip options:mac_binding_age_threshold=300 options:snat-ct-zone=0
  add lrp-add "$router" "rtoj-$router" "0a:58:64:40:00:0${ID[$node]}" "$(join_ip "$node")/16" \
    -- set Logical_Router_Port "rtoj-$router" options:gateway_mtu=1400
  router_port join "jtor-$router" "rtoj-$router"

  add ls-add "ext_$node"
  add lsp-add "ext_$node" "br-ex_$node" -- lsp-set-type "br-ex_$node" localnet -- lsp-set-addresses "br-ex_$node" unknown \
    -- lsp-set-options "br-ex_$node" network_name=physnet
  add lrp-add "$router" "rtoe-$router" "$mac" "$ip/16" -- set Logical_Router_Port "rtoe-$router" external_ids:gateway-physical-ip=yes
  router_port "ext_$node" "etor-$router" "rtoe-$router" nat-addresses=router exclude-lb-vips-from-garp=true
  add lsp-set-addresses "etor-$router" "$mac"

  # 169.254.0.4 represents the host of this node: services reach the host, and the host reaches services, through br-ex.
  add create Static_MAC_Binding logical_port="rtoe-$router" ip=169.254.0.4 mac="$(str 0a:58:a9:fe:00:04)" override_dynamic_mac=true
  route "$router" 169.254.0.0/17 169.254.0.4 output_port="rtoe-$router" external_ids="$(map k8s.ovn.org/node-masquerade-subnet=)"
  route "$router" "$CLUSTER_NET" 100.64.0.1
  route "$router" 0.0.0.0/0 "$GATEWAY" output_port="rtoe-$router"
  for logical_ip in "$CLUSTER_NET" "$(join_ip "$node")"; do
    child Logical_Router "$router" nat NAT type=snat external_ip="$(str "$ip")" logical_ip="$(str "$logical_ip")" \
      external_port_range="$(str 32768-60999)" options:stateless=false
  done
}

node_switch() {
  local node=$1 net mac
  net=$(pod_net "$node") mac=$(pod_mac "$node" 1)
  add ls-add "$node" -- set Logical_Switch "$node" other_config:subnet="$net.0/24" other_config:mcast_snoop=true \
    other_config:mcast_querier=true other_config:mcast_eth_src="$(str "$mac")" other_config:mcast_ip4_src="$net.1"
  add lrp-add ovn_cluster_router "rtos-$node" "$mac" "$net.1/24" -- set Logical_Router_Port "rtos-$node" options:gateway_mtu=1400
  add lrp-set-gateway-chassis "rtos-$node" "${CHASSIS[$node]}" 1
  router_port "$node" "stor-$node" "rtos-$node" "arp_proxy=0a:58:a9:fe:01:01 169.254.1.1 fe80::1 $CLUSTER_NET"
  add lsp-add "$node" "k8s-$node" -- lsp-set-addresses "k8s-$node" "$(pod_mac "$node" 2) $net.2"
  # Pods reach the address of their own node over the management port, and not through the gateway.
  child Logical_Router ovn_cluster_router policies Logical_Router_Policy priority=1004 action=reroute \
    match="$(str "inport == \"rtos-$node\" && ip4.dst == $(node_ip "$node") /* $node */")" nexthops="$(set_of "$net.2")"
}

# The switch that all zones share. A zone knows three things of another zone: a port of type remote, a tunnel key and
# two routes.
transit_switch() {
  local node=$1 other mac
  other=$(peer "$node")
  add ls-add transit_switch -- set Logical_Switch transit_switch other_config:interconn-ts=transit_switch \
    other_config:requested-tnl-key=16711683 other_config:mcast_snoop=true other_config:mcast_querier=false \
    other_config:mcast_flood_unregistered=true
  add lrp-add ovn_cluster_router "rtots-$node" "0a:58:64:58:00:0${ID[$node]}" "$(transit_ip "$node")/16" \
    -- set Logical_Router_Port "rtots-$node" options:mcast_flood=true
  router_port transit_switch "tstor-$node" "rtots-$node" "requested-tnl-key=${ID[$node]}"
  add set Logical_Switch_Port "tstor-$node" external_ids:node="$node"

  mac=0a:58:64:58:00:0${ID[$other]}
  add lsp-add transit_switch "tstor-$other" -- lsp-set-type "tstor-$other" remote \
    -- lsp-set-addresses "tstor-$other" "$mac $(transit_ip "$other")/16" \
    -- lsp-set-options "tstor-$other" "requested-tnl-key=${ID[$other]}" "requested-chassis=${CHASSIS[$other]}" \
    -- set Logical_Switch_Port "tstor-$other" external_ids:node="$other"
  route ovn_cluster_router "$(pod_net "$other").0/24" "$(transit_ip "$other")" \
    external_ids="$(map "ic-node=$other" k8s.ovn.org/network=default)"
  route ovn_cluster_router "$(join_ip "$other")/32" "$(transit_ip "$other")" \
    external_ids="$(map "ic-node=$other" k8s.ovn.org/network=default)"
}

# The chassis of the other zone. The zone's controller writes it, because ovn-controller writes only its own chassis.
remote_chassis() {
  local node=$1 other sb
  other=$(peer "$node")
  sb=(on "$node" ovn-sbctl --timeout=20)
  "${sb[@]}" wait-until Chassis "${CHASSIS[$node]}" -- set Chassis "${CHASSIS[$node]}" other_config:is-remote=false
  "${sb[@]}" --id=@encap create Encap chassis_name="${CHASSIS[$other]}" ip="$(node_ip "$other")" type=geneve options:csum=true \
    -- create Chassis name="${CHASSIS[$other]}" hostname="$other" encaps=@encap other_config:is-remote=true >/dev/null
}

# bind_remote_port NODE PORT: binds a port of type remote to the other node. Older ovn-northd resolves requested-chassis
# of such a port, but leaves empty the column that makes the tunnel to the port's owner.
bind_remote_port() {
  local node=$1 remote=$2 sb port
  sb=(on "$node" ovn-sbctl --timeout=20)
  on "$node" ovn-nbctl --timeout=20 --wait=sb sync
  port=$("${sb[@]}" --bare --columns=chassis list Port_Binding "$remote")
  if [[ -z $port ]]; then
    "${sb[@]}" set Port_Binding "$remote" \
      chassis="$("${sb[@]}" --bare --columns=_uuid find Chassis name="${CHASSIS[$(peer "$node")]}")" up=true
  fi
}
