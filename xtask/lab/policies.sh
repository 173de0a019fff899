# shellcheck shell=bash
# Port groups, address sets and ACLs: those that every cluster has, and two network policies for default/db. Sourced.
#   allow-client           pods labelled app=client may connect to app=db, TCP 5432
#   default-deny-ingress   all other pods may not connect
# A zone's port groups hold the ports of that zone; everything else is the same in all zones.


# port_group ID TYPE NAME [KEY=VALUE...]: adds a port group, whose name is then in $pg
port_group() {
  pg=$(hashed "$CONTROLLER:$1")
  add create Port_Group name="$pg" external_ids="$(owned "$2" "$1" "${@:3}")"
}
# address_set ID TYPE NAME ADDRESSES [KEY=VALUE...]: adds an address set
address_set() {
  add create Address_Set name="$(hashed "$CONTROLLER:$1")" addresses="$4" external_ids="$(owned "$2" "$1" "$3" ip-family=v4 "${@:5}")"
}
# acl DIRECTION PRIORITY TIER ACTION MATCH NAME EXTERNAL-IDS [PARENT-TABLE PARENT]: adds an ACL to the parent, or to the
# port group $pg if no parent is given
acl() {
  local columns=(direction="$1" priority="$2" action="$4" match="$(str "$5")" meter=acl-logging external_ids="$7")
  [[ $1 != from-lport || $3 == 0 ]] || columns+=(options:apply-after-lb=true)
  [[ -z $tiers ]] || columns+=(tier="$3")
  [[ -z $6 ]] || columns+=(name="$(str "$6")")
  child "${8:-Port_Group}" "${9:-$pg}" acls ACL "${columns[@]}"
}

policies_up() {
  local node=$1 pg tiers='' net
  net=$(pod_net "$node")
  ! accepts "$node" --columns=tier list ACL || tiers=yes
  address_sets "$node"
  namespaces
  cluster_groups "$node"
  udn_isolation "$net"
  network_policies
  # A node may always reach its own pods, because kubelet sends probes.
  acl to-lport 1001 2 allow-related "ip4.src==$net.2" '' \
    "$(owned NetpolNode "NetpolNode:$node:$net.2" "$node" "ip=$net.2")" Logical_Switch "$node"
  commit "$node"
}

address_sets() {
  local addresses=() n
  for n in "${NODES[@]}"; do addresses+=("$(node_ip "$n")"); done
  address_set ClusterNodeIPs:node-ips:v4 ClusterNodeIPs node-ips "$(set_of "${addresses[@]}")"
  address_set EgressService:egresssvc-served-pods:v4 EgressService egresssvc-served-pods []
  CONTROLLER=udn-enabled-svc address_set UDNEnabledService:udn-enabled-svc-cluster-ips:v4 UDNEnabledService \
    udn-enabled-svc-cluster-ips "$(set_of "$KUBERNETES_VIP")"
  address_set "PodSelector:$CLIENTS:v4" PodSelector "$CLIENTS" "$(set_of "$(pod_ip default/client)")"
}
CLIENTS='default_LS{ML:{app: client,},}'

namespaces() {
  local namespace
  for namespace in default kube-node-lease kube-public kube-system ovn-host-network ovn-kubernetes; do
    port_group "Namespace:$namespace" Namespace "$namespace"
  done
}

cluster_groups() {
  local node=$1 way direction port verdict
  local mcast='(ip4.mcast || mldv1 || mldv2 || (ip6.dst[120..127] == 0xff && ip6.dst[116] == 1))'

  port_group Cluster:clusterPortGroup Cluster clusterPortGroup
  add pg-set-ports "$pg" "k8s-$node"
  for way in Ingress Egress; do
    direction=to-lport
    [[ $way == Ingress ]] || direction=from-lport
    acl $direction 1011 2 drop "$mcast" '' \
      "$(owned MulticastCluster "MulticastCluster:DefaultDeny:$way" '' direction=$way type=DefaultDeny)"
    acl $direction 1001 2 allow-related 'ip4.src == 169.254.0.5' '' \
      "$(owned NetpolDefault "NetpolDefault:allow-hairpinning:$way" allow-hairpinning direction=$way)"
  done

  port_group Cluster:clusterRtrPortGroup Cluster clusterRtrPortGroup
  add pg-set-ports "$pg" "stor-$node"
  acl to-lport 1012 2 allow "outport == @$pg && $mcast" '' \
    "$(owned MulticastCluster MulticastCluster:AllowInterNode:Ingress '' direction=Ingress type=AllowInterNode)"
  acl from-lport 1012 2 allow "inport == @$pg && $mcast" '' \
    "$(owned MulticastCluster MulticastCluster:AllowInterNode:Egress '' direction=Egress type=AllowInterNode)"
}

# Pods with a primary user-defined network are isolated on the default network. No pod of the lab has such a network, so
# these rules match nothing.
udn_isolation() {
  local host=$1.2
  port_group UDNIsolation:SecondaryPods UDNIsolation SecondaryPods
  udn_acl() { # DIRECTION PRIORITY ACTION MATCH NAME WAY
    acl "$1" "$2" 0 "$3" "$4" '' "$(owned UDNIsolation "UDNIsolation:$5:$6" "$5" direction="$6")"
  }
  udn_acl from-lport 1001 allow "inport == @$pg && (( arp && arp.tpa == $host ))" AllowHostARPPrimaryUDN Egress
  udn_acl from-lport 1000 drop "inport == @$pg" DenyPrimaryUDN Egress
  udn_acl to-lport 1001 allow "outport == @$pg && (( arp && arp.spa == $host ))" AllowHostARPPrimaryUDN Ingress
  udn_acl to-lport 1001 allow-related "outport == @$pg && (ip4.src==$host)" AllowHostPrimaryUDN Ingress
  udn_acl to-lport 1000 drop "outport == @$pg" DenyPrimaryUDN Ingress
}

network_policies() {
  local way direction port owner
  # Traffic of pods that any policy of the namespace isolates is dropped ...
  for way in Ingress Egress; do
    if [[ $way == Ingress ]]; then direction=to-lport port=outport; else direction=from-lport port=inport; fi
    port_group "NetpolNamespace:default:$way" NetpolNamespace default direction=$way
    owner=(NetpolNamespace "NetpolNamespace:default:$way")
    acl $direction 1000 2 drop "$port == @$pg" "NP:default:$way" \
      "$(owned "${owner[0]}" "${owner[1]}:defaultDeny" default direction=$way type=defaultDeny)"
    acl $direction 1001 2 allow "$port == @$pg && (arp || nd)" "NP:default:$way" \
      "$(owned "${owner[0]}" "${owner[1]}:arpAllow" default direction=$way type=arpAllow)"
  done
  # ... unless some policy allows it.
  port_group NetworkPolicy:default:default-deny-ingress NetworkPolicy default:default-deny-ingress
  port_group NetworkPolicy:default:allow-client NetworkPolicy default:allow-client
  acl to-lport 1001 2 allow-related \
    "ip4.src == {\$$(hashed "$CONTROLLER:PodSelector:$CLIENTS:v4")} && tcp && tcp.dst==5432 && outport == @$pg" \
    NP:default:allow-client:Ingress:0 \
    "$(owned NetworkPolicy NetworkPolicy:default:allow-client:Ingress:0:tcp:-1 default:allow-client \
      direction=Ingress gress-index=0 ip-block-index=-1 port-policy-protocol=tcp)"
}

# Prints the port groups to which a pod's port belongs.
groups_of() {
  hashed "$CONTROLLER:Namespace:${1%/*}"
  echo
  [[ $1 == default/db ]] || return 0
  local id
  for id in NetpolNamespace:default:Ingress NetworkPolicy:default:default-deny-ingress NetworkPolicy:default:allow-client; do
    hashed "$CONTROLLER:$id"
    echo
  done
}
