//! Troubleshooting procedures for the ten problems that OVN-Kubernetes engineers hear about most. Each procedure goes
//! from layer to layer and uses the tools of all servers.

use mcp_core::{Prompt, PromptArgument};

/// Builds the text of a prompt: the problem, the common first step, the given steps and the form of the conclusion.
macro_rules! procedure {
    ($about:literal, $($step:literal),+ $(,)?) => {
        concat!(
            $about, "\n\n\
            Work through the steps in this order and stop when the evidence is clear. Quote the lines that are evidence, \
            with node and time. Data that a tool reports as \"not collected\" is unknown, not healthy.\n\n\
            0. Call cluster_overview: note the flavour, the gateway mode, nodes that are not ready, restarts, and the data \
            that this source lacks. Then call ovn_db_status node_name=all. A zone that lags behind and a daemon that is not \
            connected are findings; in such a zone the northbound rows show the requested state, not the actual state.\n",
            $($step, "\n",)+
            "\nEnd with: the cause, the evidence, what you ruled out, and what this source cannot show."
        )
    };
}

const SOURCE: PromptArgument = PromptArgument {
    name: "source",
    description: "the sender: namespace/pod, node or address",
    required: true,
};
const SERVICE: PromptArgument = PromptArgument {
    name: "service",
    description: "namespace/name of the service, and the port",
    required: true,
};
const SINCE: PromptArgument =
    PromptArgument { name: "since", description: "the time of the first failure, if known", required: false };
const fn destination(description: &'static str) -> PromptArgument {
    PromptArgument { name: "destination", description, required: true }
}

/// Returns the prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![
        Prompt {
            name: "pod_to_pod",
            title: "A pod cannot reach a pod",
            description: "A pod cannot reach another pod on the same node or on another node.",
            arguments: const { &[SOURCE, destination("the unreachable pod: namespace/pod, and the port"), SINCE] },
            text: procedure!(
                "Pod {source} cannot reach pod {destination} (since {since}).",
                "1. Call ovnkube_locate for both pods. It shows node, logical port, addresses, tunnel key and \
                 interface. An address that differs between annotation and database is a finding, and so is a port \
                 that is not up or not bound. Check whether the failure also occurs from other nodes, and on the \
                 same node.",
                "2. Ports: call ovn_nbctl_list table=Logical_Switch_Port on the node of each pod. An address that \
                 two ports have is a finding. Call ovs_vsctl_list table=Interface: check iface-id and ovn-installed \
                 of the pod's interface.",
                "3. Zones, if the pods are on different nodes: call ovn_nbctl_list node_name=all \
                 table=Logical_Switch_Port of=transit_switch (tunnel keys), then table=Logical_Router_Static_Route \
                 of=ovn_cluster_router (a route to the subnet of each other node), then ovn_sbctl_show \
                 node_name=all (chassis, encapsulation address).",
                "4. OVN: call ovn_trace from source to destination, across all zones. The verdict names the deciding flow.",
                "5. Open vSwitch: call ovs_appctl_ofproto_trace on both nodes, ovn_detrace for the flow that drops \
                 the packet, and ovs_appctl_dpctl_dump_flows for the datapath flows in use.",
                "6. Between the nodes: compare the tunnel counters at both ends with ovs_appctl_show and \
                 ip_link_show. Ask the engineer for a tcpdump of UDP 6081 on both uplinks: packets that are sent \
                 and not received point to the underlay. Call host_counters: checksum errors point to an offload \
                 fault.",
                "7. Policies: follow the prompt network_policy. IPsec: call ip_xfrm_show on both nodes, and look \
                 for a policy without a matching state.",
            ),
        },
        Prompt {
            name: "pod_to_service",
            title: "A pod cannot reach a service",
            description: "A pod gets timeouts or resets from a ClusterIP service, always or intermittently.",
            arguments: &[SOURCE, SERVICE, SINCE],
            text: procedure!(
                "Pod {source} cannot reach service {service} (since {since}).",
                "1. Call ovnkube_locate for the service and compare its ready endpoints with the backends in OVN. A \
                 difference is a finding. A service without endpoints resets connections at once, by design.",
                "2. Call kubectl_get kind=endpointslices and kubectl_describe for the service: check target port, \
                 selector, internalTrafficPolicy and session affinity.",
                "3. Call ovn_nbctl_list node_name=all table=Load_Balancer grep=<namespace/name>: a node that lacks \
                 the load balancer or a backend is a finding. Is the load balancer group attached to the client's \
                 switch?",
                "4. Call ovn_trace from the source to the service, then from the source to each backend directly: \
                 does only one backend fail?",
                "5. Call ovs_appctl_dpctl_dump_conntrack on the client's node, filtered by the service address: \
                 SYN_SENT means a dead backend or a broken return path. A UDP entry to an address that is no longer \
                 an endpoint is stale.",
                "6. If the client is its own backend, check hairpin_snat_ip of the load balancer. If the client uses the host \
                 network, check ip_route_show and nft_list_ruleset on its node.",
            ),
        },
        Prompt {
            name: "external_to_service",
            title: "Clients outside the cluster cannot reach a service",
            description: "Clients outside the cluster cannot reach a NodePort, external IP or LoadBalancer service.",
            arguments: const { &[SERVICE, destination("the address and port that clients use"), SINCE] },
            text: procedure!(
                "Clients outside the cluster cannot reach {destination} of service {service} (since {since}).",
                "1. Call kubectl_describe for the service: read externalTrafficPolicy, node ports and ingress \
                 addresses. Call ovnkube_locate for the service: it shows the node of each endpoint. With \
                 externalTrafficPolicy=Local, a node without endpoints drops the traffic by design.",
                "2. Find the node that receives the traffic. For a LoadBalancer service this is the speaker or the \
                 BGP next hop: call frr_show and ip_neigh_show. Ask the engineer for a tcpdump on the uplink of \
                 that node.",
                "3. Call ovs_ofctl_dump_flows for the external bridge, filtered by destination port: does a flow \
                 exist, do its packet counters grow, and is in_port the current uplink (ovs_ofctl_show)? Then call \
                 ovs_appctl_ofproto_trace for the first packet.",
                "4. Call ovn_nbctl_list table=Load_Balancer of=GR_<node> on that node: check the address, the port \
                 and the backends.",
                "5. The host (local gateway mode, host-network backends): call nft_list_ruleset, iptables_save, \
                 ip_rule_show and ip_route_show.",
                "6. The return path: call ovs_appctl_dpctl_dump_conntrack and conntrack_list, filtered by the \
                 client's address. Traffic is SNATed to the gateway router's address unless the policy is Local.",
            ),
        },
        Prompt {
            name: "pod_egress",
            title: "A pod cannot reach an address outside the cluster",
            description: "A pod cannot reach an address outside the cluster, or leaves with the wrong source address.",
            arguments: const { &[SOURCE, destination("the outside address and port"), SINCE] },
            text: procedure!(
                "Pod {source} cannot reach {destination} outside the cluster (since {since}).",
                "1. Call ovnkube_locate for the pod: it shows node, network and gateway. Call kubectl_get for \
                 egressips, egressservices, adminpolicybasedexternalroutes and egressfirewalls: which of them \
                 select the pod? If an EgressIP does, follow the prompt egress_ip.",
                "2. Call ovn_nbctl_list table=Logical_Router_Policy of=ovn_cluster_router: which policy matches the \
                 pod's address? Then read table=Logical_Router_Static_Route and table=NAT of=GR_<node>: expect a \
                 default route to the right next hop and an SNAT for the pod.",
                "3. EgressFirewall: call ovn_nbctl_list table=ACL grep=EgressFirewall. Call ovn_trace for the \
                 address: it shows the rule that drops the packet.",
                "4. The next hop: compare ovn_sbctl_list table=MAC_Binding with ip_neigh_show of the host. A MAC address that \
                 differs is stale.",
                "5. Call ovs_ofctl_dump_flows for the external bridge: do the flows use the current port numbers, \
                 and do their packet counters grow? In local gateway mode, also call ip_route_show, \
                 nft_list_ruleset (masquerade) and host_counters (forwarding, rp_filter).",
                "6. Does the packet leave, with which source address, and does a reply arrive? Call \
                 ovs_appctl_dpctl_dump_conntrack and conntrack_list, filtered by the outside address. Ask the \
                 engineer for a tcpdump on the uplink.",
            ),
        },
        Prompt {
            name: "egress_ip",
            title: "An EgressIP does not work",
            description: "Pods that an EgressIP selects leave with another source address, or get no replies.",
            arguments: &[
                PromptArgument { name: "egressip", description: "the name of the EgressIP", required: true },
                SOURCE,
                SINCE,
            ],
            text: procedure!(
                "EgressIP {egressip} does not work for {source} (since {since}).",
                "1. Call kubectl_describe kind=egressip name={egressip}: read the status items (which node has \
                 which address) and the events. If there is no status item, no node is labelled \
                 k8s.ovn.org/egress-assignable, no labelled node has the subnet, or none is reachable. Do the \
                 selectors match the namespace and the pod?",
                "2. Call ovnkube_locate for the pod, then ovn_nbctl_list node_name=<its node> \
                 table=Logical_Router_Policy of=ovn_cluster_router: expect exactly one policy of priority 100 for \
                 the pod's address, whose next hop is on the node of the status item. Policies of priority 102 keep \
                 traffic within the cluster.",
                "3. Call ovn_nbctl_list node_name=all table=NAT grep=<egress address>: expect an SNAT on the \
                 gateway router of that node only. An SNAT on another node, or for an address that now belongs to \
                 another pod, is stale.",
                "4. An EgressIP on a secondary interface: call ip_rule_show (rules of priority 6000), ip_route_show \
                 for the table of that rule, and nft_list_ruleset (egress-ip).",
                "5. Find the owner of the address in ARP: call ip_neigh_show for another node, and ask the engineer \
                 for a tcpdump on the uplink. Two MAC addresses, or an old one, explain missing replies.",
                "6. Call kubectl_logs for ovnkube-cluster-manager (assignment) and for ovnkube-controller on both \
                 nodes, with digest=true grep=(?i)egressip.",
            ),
        },
        Prompt {
            name: "network_policy",
            title: "A policy drops traffic, or fails to drop it",
            description: "A NetworkPolicy, AdminNetworkPolicy or EgressFirewall drops traffic that it should allow, or allows \
                          traffic that it should drop.",
            arguments: const { &[SOURCE, destination("namespace/pod or address, and the port"), SINCE] },
            text: procedure!(
                "A policy may affect the traffic between {source} and {destination} (since {since}).",
                "1. Call kubectl_get for networkpolicies and egressfirewalls in both namespaces, \
                 adminnetworkpolicies and baselineadminnetworkpolicies: which of them select either end, and should \
                 they allow this traffic?",
                "2. Call ovn_trace with the real protocol and port: it shows the deciding ACL. ovn_detrace names \
                 the policy of an ACL. OVN compares tiers first (0 primary networks, 1 admin policies, 2 network \
                 policies and egress firewalls, 3 baseline policies), then priorities.",
                "3. Call ovn_nbctl_list table=ACL of=<port group>. Does the port group contain the pod's port \
                 (table=Port_Group), and does the address set contain its peers (table=Address_Set)? With \
                 node_name=all, a member that one node lacks is a finding. Peers on the host network have the \
                 management port address and the join address of their node.",
                "4. Are the flows installed? Call node_logs log=ovn-controller grep=\"error parsing match\" (or \
                 kubectl_logs for that container), ovn_sbctl_lflow_list for the ACL's stage, and \
                 ovs_ofctl_dump_flows with the cookie of the flow.",
                "5. If ACL logging is on: call node_logs log=acl-audit, or log=ovn-controller grep=acl_log: the \
                 lines have the name and the verdict of the ACL.",
            ),
        },
        Prompt {
            name: "dns_timeouts",
            title: "DNS is slow or fails",
            description: "Names resolve slowly, intermittently or not at all in pods.",
            arguments: &[SOURCE, SINCE],
            text: procedure!(
                "DNS fails for {source} (since {since}).",
                "1. Call ovnkube_locate for the DNS service (kube-system/kube-dns, openshift-dns/dns-default): \
                 compare the ready endpoints with OVN's backends. Call kubectl_logs with digest=true for each DNS \
                 pod.",
                "2. Call ovn_trace from the pod to each DNS pod directly (UDP and TCP, port 53; 5353 on OpenShift), \
                 then to the service: does one node or one backend fail?",
                "3. Look for a default-deny egress policy without a rule for DNS: follow the prompt network_policy.",
                "4. Call ovs_appctl_dpctl_dump_conntrack for UDP, filtered by the service address: look for entries \
                 to addresses that are no longer endpoints. Call host_counters: look for a full conntrack table and \
                 failed inserts.",
                "5. From the DNS pods to their upstream servers, follow the prompt pod_egress.",
                "6. A delay of exactly 5 s means that one of two parallel queries got no answer: check upcalls and \
                 coverage with ovs_appctl_show. If only large answers fail, follow the prompt mtu.",
            ),
        },
        Prompt {
            name: "intermittent_loss",
            title: "Connections fail intermittently",
            description: "Packets or connections are lost or slow from time to time.",
            arguments: const {
                &[SOURCE, destination("the pod, service or address that is sometimes unreachable"), SINCE]
            },
            text: procedure!(
                "Connections between {source} and {destination} fail intermittently (since {since}).",
                "1. Find what the failures have in common: one node, one backend of a service (follow the prompt \
                 pod_to_service), one of several paths (ovn_nbctl_list table=Logical_Router_Static_Route, ecmp), or \
                 one time of day.",
                "2. Read counters twice with delta_seconds: call ovs_appctl_show (coverage, upcall, datapath lost) \
                 and host_counters (softnet, conntrack, nstat, ethtool). Which counters grow?",
                "3. Call node_logs log=ovs-vswitchd and log=kernel with digest=true node_name=all: look for long \
                 poll intervals, lost upcalls, a full table and links that go down. Call kubectl_logs for \
                 ovn-controller: look for ports that two chassis claim in turn.",
                "4. Flapping: call ovn_db_status history=sb for chassis rows that change, and ovs_appctl_show for \
                 bfd and bonds. Does the MAC of an address change? Call ip_neigh_show and ovn_sbctl_list \
                 table=MAC_Binding.",
                "5. conntrack: call ovs_appctl_dpctl_dump_conntrack, which counts by zone and state, and check the \
                 limits of the zones.",
                "6. To find the reason for a drop, ask the engineer for tcpdump, retis or pwru at both ends at the \
                 same time.",
            ),
        },
        Prompt {
            name: "mtu",
            title: "Small packets pass, large packets do not",
            description: "Pings and handshakes work, but large transfers or TLS hang: MTU, fragmentation, offload.",
            arguments: const { &[SOURCE, destination("the destination that large packets do not reach"), SINCE] },
            text: procedure!(
                "Large packets from {source} do not reach {destination} (since {since}).",
                "1. Call cluster_overview, which shows the MTU of the cluster. Call ip_link_show for the pod, and \
                 with node_name=all for the management port and the uplink: the pod's MTU must be 100 less than the \
                 uplink's, and lower still with IPsec. A node that differs is a finding.",
                "2. Call ovn_nbctl_list table=Logical_Router_Port: gateway_mtu belongs on rtoj- and rtos- ports, \
                 never on rtoe- ports.",
                "3. Call ip_route_show for the other node: look for a cached, smaller mtu. Call nft_list_ruleset: \
                 look for the chain no-pmtud.",
                "4. ICMP \"fragmentation needed\": is it sent? Ask the engineer for a tcpdump. Does an ACL drop it \
                 (ovn_trace), or does conntrack drop it as invalid?",
                "5. Call host_counters: check checksum errors and offload features. Ask the engineer for a tcpdump \
                 at both ends: packet sizes, MSS, retransmissions of full segments.",
            ),
        },
        Prompt {
            name: "node_not_ready",
            title: "A node is not ready because of its network",
            description: "A node is NotReady, or its pods stay in ContainerCreating, because of CNI or OVN-Kubernetes.",
            arguments: &[
                PromptArgument { name: "node", description: "the name of the node", required: true },
                SINCE,
            ],
            text: procedure!(
                "Node {node} is not ready, or starts no pods (since {since}).",
                "1. Call kubectl_describe kind=node name={node}: read conditions and annotations (subnet, zone, \
                 chassis). Call kubectl_events for the node and for the OVN-Kubernetes namespace.",
                "2. Call ovnkube_locate what={node}, which shows the ovnkube-node pod. Call kubectl_logs \
                 run=previous digest=true for each container that restarts or is not ready: the fatal line is at \
                 the top.",
                "3. Call node_logs node_name={node} log=kubelet digest=true level=warning: look for a missing CNI \
                 configuration and CNI requests that time out.",
                "4. If the annotations have no subnet: call kubectl_logs for ovnkube-cluster-manager, and \
                 kubectl_get kind=leases.",
                "5. Call node_logs log=ovs-configuration and log=ovs-vswitchd. Call ovs_vsctl_show: do br-int and \
                 the external bridge exist? Call ovs_vsctl_list table=Open_vSwitch: check flow-restore-wait. Call \
                 ip_addr_show: the node's address must be on the bridge, not on its uplink.",
                "6. If pods wait for ovn-installed: call ovs_vsctl_list table=Interface and ovn_sbctl_list \
                 table=Port_Binding for the port of one of them, and kubectl_logs for ovn-controller.",
                "7. Does the host reach the service address of the API server? Call ip_route_show, \
                 nft_list_ruleset, and ovs_ofctl_dump_flows for the external bridge.",
            ),
        },
    ]
}
