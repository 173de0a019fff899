//! What this layer's table does not allow: every way known to change something with a program that it does list.

use mcp_core::testing;
use std::panic;

fn is_allowed(command: &str) -> bool {
    testing::is_allowed(mcp_kernel::layer().allow, command)
}

/// Words are separated by `|`; `{address}` stands for an operand.
#[test]
fn nothing_that_changes_anything_is_allowed() {
    // The check panics, as it does in the compiler; a hundred traces of it tell nothing.
    panic::set_hook(Box::new(|_| {}));
    let refused = [
        // ip(8): other commands, abbreviations, files of commands, other namespaces.
        "ip|link|set|br-ex|mtu|1400",
        "ip|l",
        "ip|addr|flush|dev|br-ex",
        "ip|address|add|10.0.0.1/8|dev|lo",
        "ip|route|flush|table|all",
        "ip|route|save",
        "ip|route|add|blackhole|10.0.0.0/8",
        "ip|rule|add|from|all|lookup|7",
        "ip|neigh|flush|all",
        "ip|route|get|{address}|-batch|/tmp/x",
        "ip|route|get|{address}|;|flush",
        "ip|route|get|{interface}",
        "ip|-batch|/tmp/x",
        "ip|-batch=/tmp/x",
        "ip|-force|-batch|-",
        "ip|-b|/tmp/x",
        "ip|-n|ns|link",
        "ip|-s|-s|neigh|show|-batch|/tmp/x",
        "ip|netns|exec|x|sh",
        "ip|vrf|exec|x|sh",
        "ip|monitor",
        "ip|xfrm|state",
        "ip|xfrm|state|list",
        "ip|xfrm|state|flush",
        "ip|xfrm|policy|flush",
        "ip|xfrm|state|list|nokeys|flush",
        // nft(8) joins its arguments.
        "nft|list|ruleset|;|add|table|inet|evil",
        "nft|list|ruleset|;add table inet evil",
        "nft|list|ruleset;add table inet evil",
        "nft|list|table|inet|x;flush ruleset",
        "nft|-a|list|chain|inet|x|y\nflush ruleset",
        "nft|-a|list|table|{nft-family}|{nft-name}|;|flush|ruleset",
        "nft|-a|list|table|{nft-family}|{nft-name};flush ruleset",
        "nft|-a|list|chain|{nft-family}|{nft-name}|{nft-name}|{nft-name}",
        "nft|-a|delete|table|{nft-family}|{nft-name}",
        "nft|-f|/tmp/x",
        "nft|-i",
        "nft|-D|a=b",
        "nft|-I|/tmp",
        "nft|-c|flush|ruleset",
        "nft|flush|ruleset",
        "nft|monitor",
        "nft|reset|counters",
        "nft|delete|table|inet|ovn-kubernetes",
        // iptables-save(8): what registers a table, runs a program or writes a file.
        "iptables-save|-t|nat",
        "iptables-save|-c|-t|nat",
        "iptables-save|-M|/tmp/x",
        "iptables-save|-c|-M|/tmp/x",
        "iptables-save|--modprobe=/tmp/x",
        "iptables-save|-c|--modp=/tmp/x",
        "iptables-save|-f|/tmp/x",
        "iptables-save|--file|/tmp/x",
        "iptables-legacy-save|-c",
        "iptables-legacy-save|-t|nat",
        "iptables-legacy|-t|nat|-L",
        "ip6tables-legacy-save|-t|nat",
        "iptables|-t|nat|-nvL",
        "iptables|-t|nat|-nvL|-Z",
        "iptables-restore",
        "ip6tables-save|-c|-M|/tmp/x",
        // conntrack(8): counters to zero, entries made and unmade.
        "conntrack|-L|-z",
        "conntrack|-L|-o|extended|-z",
        "conntrack|-L|--zero",
        "conntrack|-L|--zer",
        "conntrack|-D",
        "conntrack|-F",
        "conntrack|-U|-m|1",
        "conntrack|-I",
        "conntrack|-R|/tmp/x",
        "conntrack|-E|-o|extended,timestamp|-F",
        "conntrack|-A",
        // ss(8), nstat(8), ethtool(8), sysctl(8)
        "ss|-K",
        "ss|-tuwanpi|-K",
        "ss|--kill",
        "ss|--kil",
        "ss|-tuwanpiK",
        "ss|-tuwanpi|-N|ns",
        "ss|--diag=/tmp/x",
        "ss|-D|/tmp/x",
        "ss|-F|/tmp/x",
        "nstat|-r",
        "nstat|-n",
        "nstat|-za",
        "nstat|-d|1",
        "ethtool|-K|eth0|tx|off",
        "ethtool|-s|eth0|speed|10",
        "ethtool|-r|eth0",
        "ethtool|-t|eth0",
        "ethtool|-S|eth0|-K",
        "ethtool|-S|{interface}|-K",
        "ethtool|-K|{interface}|tx|off",
        "sysctl|net.ipv4.ip_forward=0",
        "sysctl|-a|net.ipv4.ip_forward=0",
        "sysctl|-w|net.ipv4.ip_forward=0",
        "sysctl|-p|/tmp/x",
        "sysctl|--system",
        "sysctl|--write|a=b",
        "sysctl|--load=/tmp/x",
        // Files other than those that are named.
        "cat|/etc/shadow",
        "cat|/etc/ipsec.secrets",
        "cat|/proc/net/softnet_stat|/etc/shadow",
        "cat|/etc/ipsec.d/../shadow",
        // vtysh(1): another mode, another command, a second command.
        "vtysh|-c|conf t",
        "vtysh|-c|show running-config|-c|conf t",
        "vtysh|-c|show version\nconf t",
        "vtysh|-c|show running-config\nconf t",
        "vtysh|-c|clear bgp *",
        "vtysh|-c|copy running-config startup-config",
        "vtysh|-f|/tmp/x",
        "vtysh|-b",
        "vtysh|-w",
        "vtysh|-u|-c|show version|-c|enable",
        "vtysh|-u|-c|show version\nenable",
        "vtysh|-c|show bfd peers\nconf t",
        "vtysh|-c|show bfd peers|-c|write memory",
        "vtysh|-c|output file /tmp/x",
        // ipsec(8)
        "ipsec|whack|--shutdown",
        "ipsec|auto|--add|x",
        "ipsec|restart",
        "ipsec|whack|--status",
        "ipsec|auto|--up|x",
        "ipsec|trafficstatus|--config|/tmp/x",
        "ipsec|status|--ctlsocket|/tmp/x",
        "ipsec|showhostkey|--dump",
        // Programs that are not listed.
        "sh|-c|true",
        "nsenter|-t|1|-n|--|true",
        "tc|qdisc|del|dev|br-ex|root",
        "modprobe|x",
    ];
    for command in refused {
        assert!(!is_allowed(command), "{command}");
    }
    let allowed = [
        "ip|-s|-d|link",
        "ip|route|get|{address}|mark|{number}",
        "nft|-a|list|table|{nft-family}|{nft-name}",
        "ethtool|-S|{interface}",
        "ip|xfrm|state|list|nokeys",
        "nft|-a|list|ruleset",
        "iptables-save|-c",
        "conntrack|-L|-o|extended",
        "sysctl|-a",
        "vtysh|-u|-c|show bgp vrf all summary",
    ];
    for command in allowed {
        assert!(is_allowed(command), "{command}");
    }
}
