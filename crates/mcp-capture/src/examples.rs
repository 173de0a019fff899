//! Examples of calls, which `tools NAME` and the help of a tool print. A test makes each of them.

use mcp_core::Example;

/// At least one example for each tool. The names are those of the shipped test data.
pub(crate) const EXAMPLES: &[Example] = &[
    Example {
        tool: "tcpdump_capture",
        arguments: &[
            "at=pod default/client eth0",
            "at=node ovn-worker eth0",
            "filter=icmp or tcp port 8080 or tcp port 80 or udp port 6081",
            "seconds=8",
        ],
    },
    Example { tool: "tcpdump_analyze", arguments: &["file=n1-eth0.pcap"] },
    Example { tool: "tcpdump_analyze", arguments: &["file=n1-eth0.pcap", "packets=true", "port=8080"] },
    Example {
        tool: "pwru_trace",
        arguments: &["node_name=ovn-worker", "filter=host 10.244.1.5 and tcp port 8080", "functions=drops"],
    },
];
