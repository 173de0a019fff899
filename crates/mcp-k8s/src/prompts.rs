//! Procedures for the ten complaints that OVN-Kubernetes engineers hear most, from layer to layer over all servers.

use mcp_core::{Prompt, PromptArgument};

/// Where each of them begins, and how it ends.
macro_rules! procedure {
    ($about:literal, $($step:literal),+ $(,)?) => {
        concat!(
            $about, "\n\n\
            Work in this order and stop where the evidence is clear. Quote the lines that show it with node and time. \
            What a tool answers as \"not collected\" is unknown, not sound.\n\n\
            0. cluster_overview: flavour, gateway mode, nodes that are not ready, restarts, what the source lacks. Then \
            ovn_db_status node_name=all: a zone that lags, or a daemon that is not connected, is a finding, and its \
            northbound rows say what is wanted, not what is.\n",
            $($step, "\n",)+
            "\nEnd with: the cause, the evidence, what was ruled out, and what this source cannot show."
        )
    };
}

const SOURCE: PromptArgument = PromptArgument {
    name: "source",
    description: "who sends: namespace/pod, node or address",
    required: true,
};
const SERVICE: PromptArgument = PromptArgument {
    name: "service",
    description: "namespace/name of the service, and the port",
    required: true,
};
const SINCE: PromptArgument =
    PromptArgument { name: "since", description: "since when, if it is known", required: false };
const fn destination(description: &'static str) -> PromptArgument {
    PromptArgument { name: "destination", description, required: true }
}

/// The prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![
        Prompt {
            name: "pod_to_pod",
            title: "A pod cannot reach a pod",
            description: "A pod cannot reach another pod, on the same or on another node.",
            arguments: const { &[SOURCE, destination("who is not reached: namespace/pod, and the port"), SINCE] },
            text: procedure!(
                "Pod {source} cannot reach pod {destination} (since {since}).",
                "1. ovnkube_locate for both: node, logical port, addresses, tunnel key, interface. An address that \
                 annotation and database do not share, a port that is not up or not bound, is a finding. Does it fail \
                 from other nodes, or on the same node too?",
                "2. Ports: ovn_nbctl_list table=Logical_Switch_Port on the node of each; an address that two ports have \
                 is a finding. ovs_vsctl_list table=Interface: iface-id of the port, ovn-installed.",
                "3. Zones, if the nodes differ: ovn_nbctl_list node_name=all table=Logical_Switch_Port \
                 of=transit_switch (tunnel keys), then table=Logical_Router_Static_Route of=ovn_cluster_router (a \
                 route to each other node's subnet), then ovn_sbctl_show node_name=all (chassis, encapsulation address).",
                "4. What OVN does: ovn_trace from source to destination, over all zones; the verdict names what decides.",
                "5. What Open vSwitch does: ovs_appctl_ofproto_trace on both nodes, ovn_detrace for the flow that drops; \
                 ovs_appctl_dpctl_dump_flows for what is in use.",
                "6. Between the nodes: ovs_appctl_show and ip_link_show for counters of the tunnel at both ends, \
                 and a tcpdump of UDP 6081 on both uplinks, which the engineer has to take; sent and not received is the \
                 underlay; host_counters: checksum errors mean an offload fault.",
                "7. Policies: prompt network_policy. IPsec: ip_xfrm_show on both nodes, a policy without its state.",
            ),
        },
        Prompt {
            name: "pod_to_service",
            title: "A pod cannot reach a service",
            description: "A pod gets time-outs or resets from a ClusterIP service, always or now and then.",
            arguments: &[SOURCE, SERVICE, SINCE],
            text: procedure!(
                "Pod {source} cannot reach service {service} (since {since}).",
                "1. ovnkube_locate of the service: endpoints that are ready against the backends in OVN; a difference is \
                 a finding. No endpoint: a reset at once is what is meant to happen.",
                "2. kubectl_get endpointslices and kubectl_describe of the service: target port, selector, \
                 internalTrafficPolicy, session affinity.",
                "3. ovn_nbctl_list node_name=all table=Load_Balancer grep=<namespace/name>: a node that lacks it, or a \
                 backend, is a finding. Is its load balancer group attached to the client's switch?",
                "4. ovn_trace from source to service, then from source to each backend directly: does only one fail?",
                "5. ovs_appctl_dpctl_dump_conntrack on the client's node by the service's address: SYN_SENT is a dead \
                 backend or a lost way back; a UDP entry to an address that is no endpoint any more is stale.",
                "6. A client that is its own backend: hairpin_snat_ip of the load balancer. A host-network client: \
                 ip_route_show and nft_list_ruleset on its node.",
            ),
        },
        Prompt {
            name: "external_to_service",
            title: "A NodePort or LoadBalancer service is not reached from outside",
            description: "Clients outside of the cluster do not reach a NodePort, external IP or LoadBalancer service.",
            arguments: const { &[SERVICE, destination("the address and port that clients use"), SINCE] },
            text: procedure!(
                "From outside, {destination} of service {service} is not reached (since {since}).",
                "1. kubectl_describe of the service: externalTrafficPolicy, node ports, ingress addresses; ovnkube_locate \
                 of it: endpoints by node. With Local, a node without endpoint drops on purpose.",
                "2. Which node receives? For a LoadBalancer the speaker or BGP: frr_show, ip_neigh_show; ask the engineer \
                 for a tcpdump on the uplink of that node.",
                "3. ovs_ofctl_dump_flows of the external bridge by destination port: is there a flow, do its packets \
                 grow, is in_port the uplink of today (ovs_ofctl_show)? ovs_appctl_ofproto_trace of the first packet.",
                "4. ovn_nbctl_list table=Load_Balancer of=GR_<node> on that node: the address and port with backends.",
                "5. The host's part (local gateway mode, host-network backends): nft_list_ruleset, iptables_save, \
                 ip_rule_show, ip_route_show.",
                "6. The way back: ovs_appctl_dpctl_dump_conntrack and conntrack_list by the client's address; SNAT to the \
                 gateway router unless the policy is Local.",
            ),
        },
        Prompt {
            name: "pod_egress",
            title: "A pod cannot reach the outside",
            description: "A pod cannot reach an address outside of the cluster, or leaves with the wrong source address.",
            arguments: const { &[SOURCE, destination("the outside address and port"), SINCE] },
            text: procedure!(
                "Pod {source} cannot reach {destination} outside of the cluster (since {since}).",
                "1. ovnkube_locate of the pod: node, network, gateway mode. kubectl_get egressips, egressservices, \
                 adminpolicybasedexternalroutes, egressfirewalls: which of them select it? An EgressIP: prompt egress_ip.",
                "2. ovn_nbctl_list table=Logical_Router_Policy of=ovn_cluster_router: which policy matches its address? \
                 Then table=Logical_Router_Static_Route and table=NAT of=GR_<node>: a default route to the right next \
                 hop, a SNAT for the pod.",
                "3. EgressFirewall: ovn_nbctl_list table=ACL grep=EgressFirewall; ovn_trace to the address says which \
                 rule drops.",
                "4. The next hop: ovn_sbctl_list table=MAC_Binding against ip_neigh_show of the host: another MAC is \
                 stale.",
                "5. ovs_ofctl_dump_flows of the external bridge: ports of today, packets that grow. Local gateway mode: \
                 ip_route_show, nft_list_ruleset (masquerade), host_counters (forwarding, rp_filter).",
                "6. Does it leave, with which source, and does an answer come? ovs_appctl_dpctl_dump_conntrack and conntrack_list \
                 by the outside address; ask the engineer for a tcpdump on the uplink.",
            ),
        },
        Prompt {
            name: "egress_ip",
            title: "An EgressIP does not work",
            description: "Pods that an EgressIP selects leave with another address, or get no answers.",
            arguments: &[
                PromptArgument { name: "egressip", description: "the name of the EgressIP", required: true },
                SOURCE,
                SINCE,
            ],
            text: procedure!(
                "EgressIP {egressip} does not work for {source} (since {since}).",
                "1. kubectl_describe egressip {egressip}: status items (which node has which address) and events; no item: \
                 no node is labelled k8s.ovn.org/egress-assignable, has the subnet, or is reachable. Do its selectors \
                 select namespace and pod?",
                "2. ovnkube_locate of the pod, then ovn_nbctl_list node_name=<its node> \
                 table=Logical_Router_Policy of=ovn_cluster_router: exactly one policy of priority 100 for the pod's \
                 address, next hop on the node of the status; 102 keeps traffic within the cluster.",
                "3. ovn_nbctl_list node_name=all table=NAT grep=<egress address>: a SNAT on the gateway router of that \
                 node only. One on another node, or for an address that is another pod's now, is stale.",
                "4. Egress on a second interface: ip_rule_show (6000), ip_route_show of its table, nft_list_ruleset \
                 (egress-ip).",
                "5. Who answers ARP for the address: ip_neigh_show of another node, a tcpdump on the uplink by the engineer; two \
                 MACs or an old one explains silence.",
                "6. kubectl_logs of the ovnkube-cluster-manager (assignment) and of the ovnkube-controller of both nodes, \
                 digest=true grep=(?i)egressip.",
            ),
        },
        Prompt {
            name: "network_policy",
            title: "A policy drops, or does not drop",
            description: "Traffic is dropped by a NetworkPolicy, AdminNetworkPolicy or EgressFirewall, or passes one.",
            arguments: const { &[SOURCE, destination("namespace/pod or address, and the port"), SINCE] },
            text: procedure!(
                "A policy is suspected between {source} and {destination} (since {since}).",
                "1. kubectl_get networkpolicies of both namespaces, adminnetworkpolicies, baselineadminnetworkpolicies, \
                 egressfirewalls: which select either end, and should they allow this?",
                "2. ovn_trace with the real protocol and port: the ACL that decides; ovn_detrace names its policy. \
                 Tiers count first (0 primary networks, 1 admin, 2 policies and egress firewalls, 3 baseline), then \
                 priorities.",
                "3. ovn_nbctl_list table=ACL of=<port group>: does the port group hold the pod's port \
                 (table=Port_Group), the address set its peers (table=Address_Set)? node_name=all: a member that one \
                 node lacks is a finding. Peers on the host network have the node's management and join addresses.",
                "4. Are the flows there? node_logs log=ovn-controller (or kubectl_logs of that container) \
                 grep=\"error parsing match\"; ovn_sbctl_lflow_list of the ACL's stage, ovs_ofctl_dump_flows by its cookie.",
                "5. With ACL logging: node_logs log=acl-audit, or log=ovn-controller grep=acl_log: name and verdict.",
            ),
        },
        Prompt {
            name: "dns_timeouts",
            title: "DNS is slow or fails",
            description: "Names resolve slowly, now and then or not at all in pods.",
            arguments: &[SOURCE, SINCE],
            text: procedure!(
                "DNS fails for {source} (since {since}).",
                "1. ovnkube_locate of the DNS service (kube-system/kube-dns, openshift-dns/dns-default): ready endpoints \
                 against OVN's backends; kubectl_logs of each DNS pod, digest=true.",
                "2. ovn_trace from the pod to each DNS pod directly (udp and tcp, 53; 5353 on OpenShift), then to the \
                 service: does one node or one backend fail?",
                "3. A default-deny egress policy without a rule for DNS: prompt network_policy.",
                "4. ovs_appctl_dpctl_dump_conntrack by the service's address, UDP: entries to addresses that are no \
                 endpoint any more. host_counters: conntrack full, insert failed.",
                "5. From the DNS pods to their upstream servers: prompt pod_egress.",
                "6. Exactly 5 s: a lost answer of two asked at once, ovs_appctl_show of upcalls and coverage. Only large \
                 answers: prompt mtu.",
            ),
        },
        Prompt {
            name: "intermittent_loss",
            title: "Connections are lost now and then",
            description: "Packets or connections are lost now and then, or are slow at times.",
            arguments: const { &[SOURCE, destination("who or what is not reached at times"), SINCE] },
            text: procedure!(
                "Between {source} and {destination} connections are lost now and then (since {since}).",
                "1. What is common: one node, one backend of n (prompt pod_to_service), one path of several \
                 (ovn_nbctl_list table=Logical_Router_Static_Route, ecmp), one time of day?",
                "2. Twice the counters, delta_seconds: ovs_appctl_show (coverage, upcall, datapath lost), host_counters \
                 (softnet, conntrack, nstat, ethtool), ip_link_show: what moves?",
                "3. node_logs log=ovs-vswitchd and log=kernel, digest=true node_name=all: long poll intervals, lost \
                 upcalls, table full, links that go down; kubectl_logs of ovn-controller: ports claimed to and fro.",
                "4. Flapping: ovn_db_status history=sb for chassis that change, ovs_appctl_show of bfd and bonds; an \
                 address whose MAC changes: ip_neigh_show, ovn_sbctl_list table=MAC_Binding.",
                "5. conntrack: ovs_appctl_dpctl_dump_conntrack by zone and state, limits of zones.",
                "6. For the reason of a drop ask the engineer for tcpdump, retis or pwru at both ends at once.",
            ),
        },
        Prompt {
            name: "mtu",
            title: "Small packets pass, large ones do not",
            description: "Pings and handshakes work, large transfers or TLS hang: MTU, fragments, offload.",
            arguments: const { &[SOURCE, destination("what large packets do not reach"), SINCE] },
            text: procedure!(
                "Large packets from {source} do not reach {destination} (since {since}).",
                "1. cluster_overview: the cluster's MTU; ip_link_show of the pod, of the management port and of the uplink \
                 on both nodes (node_name=all): the pod's must be 100 less than the uplink's, more with IPsec; one node \
                 that differs is a finding.",
                "2. ovn_nbctl_list table=Logical_Router_Port: gateway_mtu belongs on rtoj- and rtos-, never on rtoe- \
                 ports.",
                "3. ip_route_show for the other node: a cached, smaller mtu; nft_list_ruleset: the chain no-pmtud.",
                "4. ICMP \"fragmentation needed\": is it sent (a tcpdump by the engineer), or dropped by an ACL (ovn_trace) or as \
                 invalid by conntrack?",
                "5. host_counters: checksum errors and offload features. Ask the engineer for a tcpdump at both ends: sizes, \
                 MSS, retransmissions of full segments.",
            ),
        },
        Prompt {
            name: "node_not_ready",
            title: "A node is not ready because of its network",
            description: "A node is NotReady, or pods stay in ContainerCreating on it, because of CNI or OVN-Kubernetes.",
            arguments: &[PromptArgument { name: "node", description: "the node", required: true }, SINCE],
            text: procedure!(
                "Node {node} is not ready, or starts no pods (since {since}).",
                "1. kubectl_describe node {node}: conditions, annotations (subnet, zone, chassis); kubectl_events of the \
                 node and of OVN-Kubernetes' namespace.",
                "2. ovnkube_locate {node}: its ovnkube-node pod. kubectl_logs of each container that restarts or is not \
                 ready: run=previous digest=true; the fatal line is on top.",
                "3. node_logs node_name={node} log=kubelet digest=true level=warning: no CNI configuration, time-outs of \
                 CNI requests.",
                "4. No subnet in the annotations: kubectl_logs of the ovnkube-cluster-manager; kubectl_get leases.",
                "5. node_logs log=ovs-configuration and log=ovs-vswitchd; ovs_vsctl_show: br-int and the external bridge; \
                 ovs_vsctl_list table=Open_vSwitch: flow-restore-wait; ip_addr_show: the node's address is on the bridge, \
                 not on its uplink.",
                "6. Pods that wait for ovn-installed: ovs_vsctl_list table=Interface, ovn_sbctl_list table=Port_Binding of \
                 one of them; kubectl_logs of ovn-controller.",
                "7. Does the host reach the API server's service address: ip_route_show, nft_list_ruleset, \
                 ovs_ofctl_dump_flows of the external bridge?",
            ),
        },
    ]
}
