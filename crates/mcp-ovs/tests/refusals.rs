//! The tables of this layer refuse every known way to change something with a listed program (ovs-ofctl(8),
//! ovs-appctl(8), ovs-vswitchd(8), ovs-dpctl(8), ovs-vsctl(8)).

use mcp_core::argv::is_allowed;
use std::panic;

/// `|` separates words; `{bridge}` stands for an operand.
#[test]
fn commands_that_change_something_are_refused() {
    // The check panics, as it does in the compiler, and a hundred backtraces would add no information.
    panic::set_hook(Box::new(|_| {}));
    let refused = [
        // Flows, groups, meters, ports, and verbs that read or write a file.
        "ovs-ofctl|add-flow|{bridge}|{flow-match}",
        "ovs-ofctl|add-flows|{bridge}|/tmp/x",
        "ovs-ofctl|del-flows|{bridge}",
        "ovs-ofctl|mod-flows|{bridge}|{flow-match}",
        "ovs-ofctl|replace-flows|{bridge}|-",
        "ovs-ofctl|diff-flows|{bridge}|/etc/shadow",
        "ovs-ofctl|mod-port|{bridge}|{port}|down",
        "ovs-ofctl|mod-table|{bridge}|0|evict",
        "ovs-ofctl|add-group|{bridge}|{flow-match}",
        "ovs-ofctl|del-groups|{bridge}",
        "ovs-ofctl|del-meters|{bridge}",
        "ovs-ofctl|add-tlv-map|{bridge}|{tlv-mapping}",
        "ovs-ofctl|del-tlv-map|{bridge}",
        "ovs-ofctl|packet-out|{bridge}|{flow-match}",
        "ovs-ofctl|ct-flush|{bridge}",
        "ovs-ofctl|monitor|{bridge}",
        "ovs-ofctl|snoop|{bridge}",
        "ovs-ofctl|ofp-parse|/etc/shadow",
        // Other switches, daemons that keep running, files that are written. Long options may be abbreviated.
        "ovs-ofctl|dump-flows|tcp:192.0.2.1:6653",
        "ovs-ofctl|dump-flows|unix:/tmp/x",
        "ovs-ofctl|dump-flows|{bridge}|--log-file=/tmp/x",
        "ovs-ofctl|--log-f=/tmp/x|dump-flows|{bridge}",
        "ovs-ofctl|--time=10|dump-flows|{bridge}",
        "ovs-ofctl|--detach|dump-flows|{bridge}",
        "ovs-ofctl|--unixctl=/tmp/x|dump-flows|{bridge}",
        "ovs-ofctl|dump-flows|{bridge}|{flow-match}|--",
        // A trace with a packet, given or generated, learns addresses and commits connections.
        "ovs-appctl|ofproto/trace|{bridge}|{flow-match}|-generate",
        "ovs-appctl|ofproto/trace|{bridge}|{flow-match}|--generate",
        "ovs-appctl|ofproto/trace|{bridge}|-generate|{flow-match}",
        "ovs-appctl|ofproto/trace|{bridge}|{flow-match}|ffffffffffff0a580af400040800",
        "ovs-appctl|ofproto/trace|{bridge}|{flow-match}|{flow-match}",
        "ovs-appctl|ofproto/trace|{bridge}|{flow-match}|-consistent",
        "ovs-appctl|ofproto/trace-packet-out|{bridge}|{flow-match}",
        // Commands that change ovs-vswitchd.
        "ovs-appctl|exit",
        "ovs-appctl|--target=/tmp/x|coverage/show",
        "ovs-appctl|-t|ovn-controller|exit",
        "ovs-appctl|vlog/set|dbg",
        "ovs-appctl|vlog/reopen",
        "ovs-appctl|fdb/flush|{bridge}",
        "ovs-appctl|fdb/add|{bridge}|{port}|{number}|{ethernet-address}",
        "ovs-appctl|fdb/stats-clear|{bridge}",
        "ovs-appctl|mdb/flush|{bridge}",
        "ovs-appctl|dpif/set-dp-features|{bridge}",
        "ovs-appctl|dpif-netdev/pmd-stats-clear",
        "ovs-appctl|dpif-netdev/pmd-rxq-rebalance",
        "ovs-appctl|dpctl/del-flows",
        "ovs-appctl|dpctl/add-flow|{flow-match}|drop",
        "ovs-appctl|dpctl/flush-conntrack",
        "ovs-appctl|dpctl/flush-conntrack|zone={number}",
        "ovs-appctl|dpctl/ct-set-limits|default=1",
        "ovs-appctl|dpctl/dump-conntrack|-m|{bridge}",
        "ovs-appctl|revalidator/purge",
        "ovs-appctl|upcall/disable-megaflows",
        "ovs-appctl|upcall/set-flow-limit|1",
        "ovs-appctl|ovs/route/add|{network}|{bridge}",
        "ovs-appctl|ovs/route/del|{network}",
        "ovs-appctl|tnl/neigh/flush",
        "ovs-appctl|tnl/neigh/set|{bridge}|{address}|{ethernet-address}",
        "ovs-appctl|tnl/neigh/aging|1",
        "ovs-appctl|bond/set-active-member|{port}|{port}",
        "ovs-appctl|bfd/set-forwarding|true",
        "ovs-appctl|cfm/set-fault|normal",
        "ovs-appctl|coverage/show|--detach",
        "ovs-dpctl|del-flows",
        "ovs-dpctl|dump-flows|--name|-m|type=ovs|netdev@ovs-netdev",
        // The database: a second command after `--`, another server, a wait that a daemon may never end.
        "ovs-vsctl|set|bridge|{bridge}|fail_mode=secure",
        "ovs-vsctl|list|interface|--|del-br|br-int",
        "ovs-vsctl|show|--|emer-reset",
        "ovs-vsctl|--db=tcp:192.0.2.1:6640|show",
        "ovs-vsctl|del-br|{bridge}",
        "ovs-vsctl|add-port|{bridge}|{port}",
        // Commands that are only read from recordings are never run.
        "ovs-vsctl|show",
        "ovs-vsctl|list|interface",
        "ovs-dpctl|dump-flows|--name|-m|type=ovs",
        // retis: options that write a file, change the system, run a command, or add probes.
        "retis|collect|--out=/tmp/x|--filter-packet={capture-filter}",
        "retis|collect|--out=/dev/stdout|--allow-system-changes|--filter-packet={capture-filter}",
        "retis|collect|--out=/dev/stdout|--probe=tp:skb:kfree_skb|--filter-packet={capture-filter}",
        "retis|collect|--cmd|true",
        "retis|collect|--probe=kprobe:*",
        "retis|pcap|-o|/tmp/x",
        // Programs that are not listed.
        "ovs-tcpdump|-i|{port}",
        "ovs-vswitchd|--enable-dummy",
        "ovsdb-tool|create|/tmp/x",
        "sh|-c|true",
    ];
    let layer = mcp_ovs::layer();
    for command in refused {
        assert!(!is_allowed(layer.allow, command), "{command}");
    }
    let allowed = [
        "ovs-ofctl|dump-flows|{bridge}|table={number}",
        "ovs-appctl|ofproto/trace|{bridge}|{flow-match}|--names|--ct-next|{ct-next}",
        "ovs-appctl|--timeout=10|dpctl/dump-conntrack|-m|zone={number}",
    ];
    for command in allowed {
        assert!(is_allowed(layer.allow, command), "{command}");
    }
}
