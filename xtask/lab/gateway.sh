# shellcheck shell=bash
# The host's side of the shared gateway: management port, addresses and routes, and the flows of ovnkube-node on br-ex.
# Sourced.

gateway_up() {
  management_port "$1"
  host_routes "$1"
  bridge_flows "$1"
}

management_port() {
  local node=$1 net mac
  net=$(pod_net "$node") mac=$(pod_mac "$node" 2)
  on "$node" ovs-vsctl --timeout=20 add-port br-int ovn-k8s-mp0 -- set Interface ovn-k8s-mp0 type=internal mtu_request=1400 \
    mac="$(str "$mac")" external_ids:iface-id="k8s-$node"
  on "$node" ip link set ovn-k8s-mp0 address "$mac" up
  on "$node" ip addr add "$net.2/24" brd + dev ovn-k8s-mp0
  on "$node" ip neigh replace "$net.1" lladdr "$(pod_mac "$node" 1)" dev ovn-k8s-mp0 nud permanent
}

host_routes() {
  local node=$1 net
  net=$(pod_net "$node")
  on "$node" ip -batch - <<IP
route add $CLUSTER_NET via $net.1 dev ovn-k8s-mp0
address add 169.254.0.2/17 brd + dev br-ex
neighbor replace 169.254.0.1 lladdr 0a:58:a9:fe:00:01 dev br-ex nud permanent
neighbor replace 169.254.0.4 lladdr 0a:58:a9:fe:00:04 dev br-ex nud permanent
route add 169.254.0.1 dev br-ex scope global src $(node_ip "$node")
route add 169.254.0.3 via $net.1 dev ovn-k8s-mp0
route add $SERVICE_NET via 169.254.0.4 dev br-ex src 169.254.0.2 mtu 1400
route add $SERVICE_NET via $net.1 dev ovn-k8s-mp0 table 7
rule add fwmark 0x1745ec lookup 7 priority 30
IP
}

# Conntrack zones: 64000 distinguishes the host's connections (mark 2) from OVN's (mark 1); 64001 and 64002 translate
# between the host and services; 64004 reassembles fragments.
bridge_flows() {
  local node=$1 ip mac ovn eth c=cookie=0xdeff105 nodeport other
  ip=$(node_ip "$node") mac=$(node_mac "$node") other=$(node_ip "$(peer "$node")")
  on "$node" ovs-vsctl --timeout=20 wait-until Interface "patch-br-ex_$node-to-br-int" 'ofport>=1'
  ovn=$(on "$node" ovs-vsctl get Interface "patch-br-ex_$node-to-br-int" ofport)
  eth=$(on "$node" ovs-vsctl get Interface eth0 ofport)
  printf -v nodeport cookie=0x%x "$(fnv1a "defaultwebtcp$WEB_NODEPORT")"
  on "$node" ovs-ofctl --bundle replace-flows br-ex - <<FLOWS
cookie=0x304,priority=700,icmp,in_port=$ovn,nw_dst=$other,icmp_type=3,icmp_code=4,actions=drop
$c,priority=550,ip,in_port=LOCAL,nw_src=169.254.0.0/17,nw_dst=$SERVICE_NET,actions=ct(commit,table=2,zone=64001)
$c,priority=500,ip,in_port=$ovn,nw_src=$ip,nw_dst=169.254.0.2,actions=ct(commit,table=4,zone=64001,nat(dst=$ip))
$c,priority=500,ip,in_port=LOCAL,nw_dst=169.254.0.1,actions=ct(table=5,zone=64002,nat)
$c,priority=500,ip,in_port=LOCAL,nw_dst=$SERVICE_NET,actions=ct(commit,table=2,zone=64001,nat(src=169.254.0.2))
$c,priority=500,ip,in_port=$ovn,nw_src=$SERVICE_NET,nw_dst=169.254.0.0/17,actions=ct(table=3,zone=64001,nat)
$c,priority=205,udp,in_port=$eth,dl_dst=$mac,udp_dst=6081,actions=LOCAL
$c,priority=200,udp,in_port=$eth,udp_dst=6081,actions=NORMAL
$c,priority=200,udp,in_port=LOCAL,udp_dst=6081,actions=output:$eth
$c,priority=115,ip,in_port=$ovn,nw_dst=$SERVICE_NET,actions=drop
$nodeport,priority=110,tcp,in_port=$eth,tcp_dst=$WEB_NODEPORT,actions=output:$ovn
$nodeport,priority=110,tcp,in_port=$ovn,dl_src=$mac,tcp_src=$WEB_NODEPORT,actions=output:$eth
$c,priority=110,ip,in_port=$eth,nw_frag=yes,actions=ct(table=0,zone=64004)
$c,priority=105,ip,in_port=$ovn,dl_src=$mac,pkt_mark=0x3f0,actions=ct(commit,zone=64000,nat(src=$ip),exec(load:1->NXM_NX_CT_MARK[])),output:$eth
$c,priority=103,ip,in_port=$ovn,nw_src=$CLUSTER_NET,actions=drop
$c,priority=102,ip,in_port=$ovn,dl_src=$mac,nw_dst=$NODE_NET,actions=ct(commit,zone=64000,exec(load:1->NXM_NX_CT_MARK[])),NORMAL
$c,priority=102,ip,in_port=LOCAL,dl_src=$mac,nw_dst=$NODE_NET,actions=ct(commit,zone=64000,exec(load:2->NXM_NX_CT_MARK[])),NORMAL
$c,priority=100,ip,in_port=$ovn,dl_src=$mac,actions=ct(commit,zone=64000,exec(load:1->NXM_NX_CT_MARK[])),output:$eth
$c,priority=100,ip,in_port=LOCAL,actions=ct(commit,zone=64000,exec(load:2->NXM_NX_CT_MARK[])),output:$eth
$c,priority=50,ip,dl_dst=$mac,actions=ct(table=1,zone=64000,nat)
$c,priority=12,arp,arp_tpa=$ip,arp_op=1,actions=output:$ovn,NORMAL
$c,priority=10,dl_dst=$mac,actions=output:$ovn,NORMAL
$c,priority=10,in_port=$ovn,dl_src=$mac,actions=NORMAL
$c,priority=9,in_port=$ovn,actions=drop
priority=0,actions=NORMAL
$c,table=1,priority=100,ip,ct_state=+trk+est,ct_mark=1,actions=output:$ovn
$c,table=1,priority=100,ip,ct_state=+trk+rel,ct_mark=1,actions=output:$ovn
$c,table=1,priority=100,ip,ct_state=+trk+est,ct_mark=2,actions=LOCAL
$c,table=1,priority=100,ip,ct_state=+trk+rel,ct_mark=2,actions=LOCAL
$c,table=1,priority=13,udp,in_port=$eth,udp_dst=3784,actions=output:$ovn,LOCAL
$c,table=1,priority=10,dl_dst=$mac,actions=LOCAL
$c,table=1,priority=0,actions=NORMAL
$c,table=2,priority=300,ip,nw_dst=$KUBERNETES_VIP,actions=mod_dl_dst:$mac,output:$ovn
$c,table=2,priority=100,actions=mod_dl_dst:$mac,output:$ovn
$c,table=3,actions=move:NXM_OF_ETH_DST[]->NXM_OF_ETH_SRC[],mod_dl_dst:$mac,LOCAL
$c,table=4,priority=0,ip,actions=ct(commit,table=3,zone=64002,nat(src=169.254.0.1))
$c,table=5,priority=0,ip,actions=ct(commit,table=2,zone=64001,nat)
FLOWS
}
