# shellcheck shell=bash
# The host's firewall: the nft table of ovnkube-node, and the iptables chains of kubelet and of a restrictive host.
# Sourced.

hostrules_up() {
  nft_table "$1"
  iptables_chains "$1"
}

# The IPv4 part of table inet ovn-kubernetes, with the sets, maps and chains of a cluster without special services.
nft_table() {
  local node=$1 host
  host=$(pod_net "$node").2
  on "$node" nft -f - <<NFT
table inet ovn-kubernetes {
  set remote-node-ips-v4 {
    type ipv4_addr
    comment "Block egress ICMP needs frag to remote Kubernetes nodes"
    elements = { $(node_ip "$(peer "$node")") }
  }
  set udn-open-ports-v4 {
    type ipv4_addr . inet_proto . inet_service
    comment "default network open ports of pods in user defined networks (IPv4)"
  }
  set udn-open-ports-icmp-v4 {
    type ipv4_addr
    comment "default network IPs of pods in user defined networks that allow ICMP (IPv4)"
  }
  set udn-pod-default-ips-v4 {
    type ipv4_addr
    comment "default network IPs of pods in user defined networks (IPv4)"
  }
  set mgmtport-no-snat-nodeports {
    type inet_proto . inet_service
    comment "NodePorts not subject to management port SNAT"
    elements = { tcp . $WEB_NODEPORT }
  }
  set mgmtport-no-snat-services-v4 {
    type ipv4_addr . inet_proto . inet_service
    comment "eTP:Local short-circuit not subject to management port SNAT (IPv4)"
  }
  set mgmtport-no-snat-subnets-v4 {
    type ipv4_addr
    flags interval
    comment "subnets not subject to management port SNAT (IPv4)"
  }
  map external-ips-etp-local-v4 {
    type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
    comment "DNAT mappings for IPv4 ExternalIP/LB traffic with ExternalTrafficPolicy: Local"
  }
  map nodeports-etp-local-v4 {
    type inet_proto . inet_service : ipv4_addr . inet_service
    comment "DNAT mappings for IPv4 NodePort traffic with ExternalTrafficPolicy: Local"
  }
  map external-ips-v4 {
    type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
    comment "DNAT mappings for ordinary IPv4 ExternalIP/LB traffic"
  }
  map nodeports-v4 {
    type inet_proto . inet_service : ipv4_addr . inet_service
    comment "DNAT mappings for ordinary IPv4 NodePort traffic"
    elements = { tcp . $WEB_NODEPORT : $WEB_VIP . 80 }
  }
  set itp-services-to-mark-v4 {
    type ipv4_addr . inet_proto . inet_service
    comment "InternalTrafficPolicy: Local traffic to mark for special routing"
  }
  map egress-service-snat-v4 {
    type ipv4_addr : ipv4_addr
  }
  map egress-ip-snat-v4 {
    type ipv4_addr . ifname : ipv4_addr
  }

  chain no-pmtud {
    comment "Block egress needs frag/packet too big to remote k8s nodes"
    type filter hook output priority filter; policy accept;
    ip daddr @remote-node-ips-v4 icmp type destination-unreachable icmp code 4 drop
  }
  chain udn-isolation {
    comment "Host isolation for user defined networks"
    type filter hook output priority filter; policy accept;
    ip daddr . meta l4proto . th dport @udn-open-ports-v4 accept
    ip daddr @udn-open-ports-icmp-v4 meta l4proto icmp accept
    ip daddr @udn-pod-default-ips-v4 drop
  }
  chain services {
    comment "DNAT for ordinary NodePort/ExternalIP/LB traffic"
    dnat ip to ip daddr . meta l4proto . th dport map @external-ips-v4
    fib daddr type local dnat ip to meta l4proto . th dport map @nodeports-v4
  }
  chain services-etp {
    comment "Special DNAT for NodePort/ExternalIP/LB traffic with ExternalTrafficPolicy: Local"
    dnat ip to ip daddr . meta l4proto . th dport map @external-ips-etp-local-v4
    fib daddr type local dnat ip to meta l4proto . th dport map @nodeports-etp-local-v4
  }
  chain services-prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump services-etp
    jump services
  }
  chain services-output {
    type nat hook output priority -100; policy accept;
    jump services
  }
  chain services-itp-mark {
    comment "Chain to mark InternalTrafficPolicy: Local traffic for special routing"
    type route hook output priority mangle; policy accept;
    ip daddr . meta l4proto . th dport @itp-services-to-mark-v4 meta mark set 0x001745ec
  }
  chain mgmtport-snat {
    comment "OVN SNAT to Management Port"
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "ovn-k8s-mp0" return
    meta l4proto . th dport @mgmtport-no-snat-nodeports return
    ip saddr $host return
    ip daddr . meta l4proto . th dport @mgmtport-no-snat-services-v4 return
    ip saddr @mgmtport-no-snat-subnets-v4 return
    snat ip to $host
  }
  chain egress-services {
    type nat hook postrouting priority srcnat; policy accept;
    meta mark 0x000003f0 return comment "DoNotSNAT"
    snat ip to ip saddr map @egress-service-snat-v4
  }
  chain egress-ip-snat {
    type nat hook postrouting priority srcnat; policy accept;
    snat ip to ip saddr . oifname map @egress-ip-snat-v4
  }
  chain egress-ip-sec-filter {
    comment "Egress IP on secondary interfaces filtering"
    type filter hook postrouting priority srcnat + 1; policy accept;
    ip saddr $CLUSTER_NET meta mark 0x000003f1 drop comment "Drop egress IP pod traffic from $CLUSTER_NET"
  }
}
NFT
}

iptables_chains() {
  local node=$1
  on "$node" iptables-restore --noflush <<'RULES'
*mangle
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-IPTABLES-HINT - [0:0]
COMMIT
*nat
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*filter
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
-A FORWARD -i ovn-k8s-mp0 -j ACCEPT
-A FORWARD -o ovn-k8s-mp0 -j ACCEPT
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
COMMIT
RULES
  on "$node" ip6tables-restore --noflush <<'RULES'
*filter
-A FORWARD -i ovn-k8s-mp0 -j ACCEPT
-A FORWARD -o ovn-k8s-mp0 -j ACCEPT
COMMIT
RULES
}
