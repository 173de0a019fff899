#!/usr/bin/env bash
# networks.sh up|down: adds to the lab what only some clusters have, or removes it. `up` of the lab does not do this, so
# that its other users see the cluster that docs/lab.md describes.
#   default_l2-secondary   a layer-2 user-defined network: one switch in all zones; each pod has a port in every zone
#   default_l3-secondary   a layer-3 user-defined network: a router, a switch and a transit switch in each zone
#   cluster_udn_localnet-blue   a localnet user-defined network, without pods
#   default/web-cluster    a NodePort (30081) with externalTrafficPolicy Cluster, as a load balancer with a template
# default/client and default/client-2 are in both networks, with the interfaces net1 (layer 2) and net2 (layer 3).
#
# The rows of the networks have the form of the networks blue_l2-secondary, blue_l3-secondary and
# cluster_udn_localnet-blue in testdata/capture. The row of the load balancer has the form that ovn-kubernetes expects
# of its own controller: nodeMergedTemplateLoadBalancerForNetwork in
# go-controller/pkg/ovn/controller/services/services_controller_test.go. The variable of its template is in every lab.
# shellcheck source=env.sh
. "${0%/*}/env.sh"
. "${0%/*}/nb.sh"
. "${0%/*}/topology.sh"
. "${0%/*}/node.sh"
[[ -e $DIR/up ]] || die "no lab in $DIR"

declare -A POD=([ovn-worker]=default/client [ovn-worker2]=default/client-2)
L2_SWITCH=default_l2.secondary_ovn_layer2_switch
L3=default_l3.secondary
LOCALNET_SWITCH=cluster_udn_localnet.blue_ovn_localnet_switch
TEMPLATE_NODEPORT=30081
TEMPLATE_LB=Service_default/web-cluster_TCP_node_switch_template_IPv4_merged

l2_ip()   { echo "10.200.0.$((ID[$1] - 1))"; }
l3_net()  { echo "10.201.$((ID[$1] - 2))"; }
mac_of()  { local a b c d; IFS=. read -r a b c d <<<"$1"; printf '0a:58:%02x:%02x:%02x:%02x' "$a" "$b" "$c" "$d"; }
l2_port() { echo "default.l2.secondary_${POD[$1]/\//_}"; }
l3_port() { echo "default.l3.secondary_${POD[$1]/\//_}"; }
link_of() { local sum; sum=$(sha256sum <<<"${POD[$1]} $2"); echo "${sum:0:15}"; }

# network NAME TOPOLOGY: prints the external_ids of a switch or router of a network
network() { map "k8s.ovn.org/network=$1" k8s.ovn.org/role=secondary "k8s.ovn.org/topology=$2"; }

# pod_port SWITCH PORT NODE ADDRESS NETWORK TOPOLOGY [KEY]: adds the port of a pod. With a key, all zones have the port.
pod_port() {
  local switch=$1 port=$2 owner=$3 address=$4
  add lsp-add "$switch" "$port" -- lsp-set-addresses "$port" "$(mac_of "$address") $address" \
    -- lsp-set-port-security "$port" "$(mac_of "$address") $address" \
    -- set Logical_Switch_Port "$port" options:requested-chassis="${CHASSIS[$owner]}" options:iface-id-ver="$(pod_uid "${POD[$owner]}")" \
    external_ids="$(map namespace=default pod=true "k8s.ovn.org/nad=default/${5#default_}" "k8s.ovn.org/network=$5" "k8s.ovn.org/topology=$6")"
  [[ -z ${7:-} ]] || add set Logical_Switch_Port "$port" options:requested-tnl-key="$7"
}

layer2() {
  local node=$1 other
  other=$(peer "$node")
  add ls-add "$L2_SWITCH" -- set Logical_Switch "$L2_SWITCH" external_ids="$(network default_l2-secondary layer2)" \
    other_config="$(map "interconn-ts=$L2_SWITCH" mcast_flood_unregistered=true mcast_querier=false mcast_snoop=true \
      requested-tnl-key=16711684 subnet=10.200.0.0/16)"
  pod_port "$L2_SWITCH" "$(l2_port "$node")" "$node" "$(l2_ip "$node")" default_l2-secondary layer2 "$((8 + ID[$node]))"
  pod_port "$L2_SWITCH" "$(l2_port "$other")" "$other" "$(l2_ip "$other")" default_l2-secondary layer2 "$((8 + ID[$other]))"
  add lsp-set-type "$(l2_port "$other")" remote
}

layer3() {
  local node=$1 other router=${L3}_ovn_cluster_router switch=${L3}_$1 transit=${L3}_transit_switch net mac
  other=$(peer "$node") net=$(l3_net "$node")
  add lr-add "$router" -- set Logical_Router "$router" options:always_learn_from_arp_request=false \
    external_ids="$(map k8s-cluster-router=yes k8s.ovn.org/network=default_l3-secondary k8s.ovn.org/topology=layer3)" \
    copp="$(on "$node" ovn-nbctl --bare --columns=_uuid find Copp name=ovnkube-default)"
  add ls-add "$switch" -- set Logical_Switch "$switch" external_ids="$(network default_l3-secondary layer3)" \
    other_config="$(map "exclude_ips=$net.2" "subnet=$net.0/24")"
  add lrp-add "$router" "rtos-$switch" "$(mac_of "$net.1")" "$net.1/24" -- set Logical_Router_Port "rtos-$switch" options:gateway_mtu=1400
  add lrp-set-gateway-chassis "rtos-$switch" "${CHASSIS[$node]}" 1
  router_port "$switch" "stor-$switch" "rtos-$switch"
  pod_port "$switch" "$(l3_port "$node")" "$node" "$net.4" default_l3-secondary layer3

  add ls-add "$transit" -- set Logical_Switch "$transit" external_ids="$(network default_l3-secondary layer3)" \
    other_config="$(map "interconn-ts=$transit" mcast_flood_unregistered=true mcast_querier=false mcast_snoop=true requested-tnl-key=16711685)"
  add lrp-add "$router" "${L3}_rtots-$node" "$(mac_of "$(transit_ip "$node")")" "$(transit_ip "$node")/16" \
    -- set Logical_Router_Port "${L3}_rtots-$node" options:mcast_flood=true
  router_port "$transit" "${L3}_tstor-$node" "${L3}_rtots-$node" "requested-tnl-key=${ID[$node]}"
  mac=$(mac_of "$(transit_ip "$other")")
  add lsp-add "$transit" "${L3}_tstor-$other" -- lsp-set-type "${L3}_tstor-$other" remote \
    -- lsp-set-addresses "${L3}_tstor-$other" "$mac $(transit_ip "$other")/16" \
    -- lsp-set-options "${L3}_tstor-$other" "requested-tnl-key=${ID[$other]}" "requested-chassis=${CHASSIS[$other]}"
  add set Logical_Switch_Port "${L3}_tstor-$node" external_ids:node="$node" -- set Logical_Switch_Port "${L3}_tstor-$other" external_ids:node="$other"
  route "$router" "$(l3_net "$other").0/24" "$(transit_ip "$other")" \
    external_ids="$(map "ic-node=$other" k8s.ovn.org/network=default_l3-secondary)"
}

localnet() {
  local port=cluster_udn_localnet.blue_ovn_localnet_port
  add ls-add "$LOCALNET_SWITCH" -- set Logical_Switch "$LOCALNET_SWITCH" external_ids="$(network cluster_udn_localnet-blue localnet)" \
    other_config="$(map subnet=172.18.64.0/20)"
  add lsp-add "$LOCALNET_SWITCH" "$port" -- lsp-set-type "$port" localnet -- lsp-set-addresses "$port" unknown \
    -- lsp-set-options "$port" network_name=physnet
}

template() {
  local node=$1 group
  add --id=@template create Load_Balancer name="$(str "$TEMPLATE_LB")" protocol=tcp \
    vips="$(map "^NODEIP_IPv4_0:$TEMPLATE_NODEPORT=$(pod_ip default/web-1):8080,$(pod_ip default/web-2):8080")" \
    external_ids="$(map k8s.ovn.org/kind=Service k8s.ovn.org/owner=default/web-cluster)" \
    options="$(map event=false 'hairpin_snat_ip=169.254.0.5 fd69::5' neighbor_responder=none reject=true skip_snat=false \
      template=true address-family=ipv4)"
  for group in clusterSwitchLBGroup clusterRouterLBGroup; do
    add add Load_Balancer_Group "$(on "$node" ovn-nbctl --bare --columns=_uuid find Load_Balancer_Group name="$group")" load_balancer @template
  done
}

# interface NODE NAME PORT ADDRESS/LENGTH: does the work of the CNI plugin for a further network of a pod
interface() {
  local node=$1 name=$2 port=$3 address=$4 ns link uid mac
  ns=$(pod_ns "${POD[$node]}") link=$(link_of "$node" "$name") uid=$(pod_uid "${POD[$node]}") mac=$(mac_of "${address%/*}")
  ip link add "$name" netns "$ns" mtu 1400 address "$mac" type veth peer name "$link" netns "$(node_ns "$node")"
  in_ns "$ns" sysctl -qw "net.ipv6.conf.$name.disable_ipv6=1"
  no_offload "$ns" "$name"
  ip -n "$ns" link set "$name" up
  ip -n "$ns" addr add "$address" dev "$name"
  on "$node" ip link set "$link" up mtu 1400
  on "$node" ovs-vsctl --timeout=20 add-port br-int "$link" -- set Interface "$link" external_ids:iface-id="$port" \
    external_ids:iface-id-ver="$uid" external_ids:attached_mac="$(str "$mac")" external_ids:ip_addresses="$address" \
    external_ids:pod-if-name="$name"
}

up() {
  local node other net cookie
  for node in "${NODES[@]}"; do
    other=$(peer "$node") net=$(l3_net "$node")
    layer2 "$node"
    layer3 "$node"
    localnet "$node"
    template "$node"
    commit "$node"
    bind_remote_port "$node" "$(l2_port "$other")"
    bind_remote_port "$node" "${L3}_tstor-$other"
    interface "$node" net1 "$(l2_port "$node")" "$(l2_ip "$node")/16"
    interface "$node" net2 "$(l3_port "$node")" "$net.4/24"
    ip -n "$(pod_ns "${POD[$node]}")" route add 10.201.0.0/16 via "$net.1"
    printf -v cookie cookie=0x%x "$(fnv1a "defaultweb-clustertcp$TEMPLATE_NODEPORT")"
    bridge_ports "$node"
    on "$node" ovs-ofctl add-flow br-ex "$cookie,priority=110,tcp,in_port=$eth,tcp_dst=$TEMPLATE_NODEPORT,actions=output:$ovn"
    on "$node" ovs-ofctl add-flow br-ex \
      "$cookie,priority=110,tcp,in_port=$ovn,dl_src=$(node_mac "$node"),tcp_src=$TEMPLATE_NODEPORT,actions=output:$eth"
  done
  for node in "${NODES[@]}"; do on "$node" ovn-nbctl --timeout=60 --wait=hv sync; done
}

down() {
  local node name link
  for node in "${NODES[@]}"; do
    for name in net1 net2; do
      link=$(link_of "$node" "$name")
      on "$node" ovs-vsctl --timeout=20 --if-exists del-port br-int "$link"
      ip -n "$(pod_ns "${POD[$node]}")" link del "$name" 2>/dev/null || true
    done
    bridge_ports "$node"
    on "$node" ovs-ofctl del-flows br-ex "tcp,in_port=$eth,tcp_dst=$TEMPLATE_NODEPORT"
    on "$node" ovs-ofctl del-flows br-ex "tcp,in_port=$ovn,tcp_src=$TEMPLATE_NODEPORT"
    on "$node" ovn-nbctl --timeout=30 --if-exists ls-del "$L2_SWITCH" -- --if-exists ls-del "${L3}_$node" \
      -- --if-exists ls-del "${L3}_transit_switch" -- --if-exists ls-del "$LOCALNET_SWITCH" \
      -- --if-exists lr-del "${L3}_ovn_cluster_router" -- --if-exists lb-del "$TEMPLATE_LB"
  done
  for node in "${NODES[@]}"; do on "$node" ovn-nbctl --timeout=60 --wait=hv sync; done
}

# bridge_ports NODE: the numbers of the ports of br-ex to OVN and to the network are then in $ovn and $eth
bridge_ports() {
  ovn=$(on "$1" ovs-vsctl get Interface "patch-br-ex_$1-to-br-int" ofport)
  eth=$(on "$1" ovs-vsctl get Interface eth0 ofport)
}

case ${1:-} in
  up) up ;;
  down) down ;;
  *) die "usage: networks.sh up|down" ;;
esac
