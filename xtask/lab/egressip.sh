# shellcheck shell=bash
# An EgressIP: traffic of default/client leaves the cluster from the other node, with that address. Sourced.
EGRESS_NAME=client-egress
EGRESS_POD=default/client

egressip_up() {
  local node=$1 pod_ip pod_node served=() served_set reroute
  read -r pod_ip pod_node <<<"$(pod "$EGRESS_POD")"
  served_set=$(hashed "$CONTROLLER:EgressIP:egressip-served-pods:v4:default")
  [[ $node != "$pod_node" ]] || served=("$pod_ip")
  address_set EgressIP:egressip-served-pods:v4:default EgressIP egressip-served-pods "$(set_of "${served[@]}")" network=default

  # Traffic within the cluster is not rerouted.
  egress_policy 102 EIP-No-Reroute-Pod-To-Pod ip4 allow "ip4.src == $CLUSTER_NET && ip4.dst == $CLUSTER_NET"
  egress_policy 102 EIP-No-Reroute-Pod-To-Join ip4 allow "ip4.src == $CLUSTER_NET && ip4.dst == 100.64.0.0/16"
  egress_policy 102 EIP-No-Reroute-Pod-To-Node ip4 allow \
    "(ip4.src == \$$served_set || ip4.src == \$$(hashed "$CONTROLLER:EgressService:egresssvc-served-pods:v4")) && ip4.dst == \$$(hashed "$CONTROLLER:ClusterNodeIPs:node-ips:v4")" \
    options:pkt_mark=1008
  egress_policy 102 EIP-No-Reroute-reply-traffic ip allow 'pkt.mark == 42'
  # Replies are marked if the schema supports it: older OVN has no mark in QoS.
  if accepts "$node" create QoS action:mark=42 direction=from-lport priority=1 match=ip4; then
    child Logical_Switch "$node" qos_rules QoS action:mark=42 direction=from-lport priority=103 \
      match="$(str "ip4.src == \$$served_set && ct.trk && ct.rpl")" \
      external_ids="$(owned EgressIP EgressIP:103:EgressIP-Mark-Reply-Traffic:ip4:default EgressIP-Mark-Reply-Traffic \
        ip-family=ip4 network=default priority=103)"
  fi

  # The pod's zone sends the traffic to the egress node; the egress node's gateway translates the source address.
  if [[ $node == "$pod_node" ]]; then
    if [[ $node == "$EGRESS_NODE" ]]; then reroute=$(join_ip "$node"); else reroute=$(transit_ip "$EGRESS_NODE"); fi
    egress_policy 100 "${EGRESS_NAME}_$EGRESS_POD" ip4 reroute "ip4.src == $pod_ip" nexthops="$(set_of "$reroute")"
  fi
  if [[ $node == "$EGRESS_NODE" ]]; then
    child Logical_Router "GR_$node" nat NAT type=snat external_ip="$(str "$EGRESS_IP")" logical_ip="$(str "$pod_ip")" \
      logical_port="k8s-$node" external_port_range="$(str 32768-60999)" options:stateless=false \
      external_ids="$(owned EgressIP "EgressIP:${EGRESS_NAME}_$EGRESS_POD:ip4" "${EGRESS_NAME}_$EGRESS_POD" ip-family=ip4)"
    on "$node" ip addr add "$EGRESS_IP/32" dev br-ex
  fi
  commit "$node"
}

# egress_policy PRIORITY NAME FAMILY ACTION MATCH [COLUMN=VALUE...]: adds a logical router policy
egress_policy() {
  child Logical_Router ovn_cluster_router policies Logical_Router_Policy priority="$1" action="$4" match="$(str "$5")" "${@:6}" \
    external_ids="$(owned EgressIP "EgressIP:$1:$2:$3:default" "$2" ip-family="$3" network=default priority="$1")"
}
