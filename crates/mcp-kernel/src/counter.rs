//! Parsers for counters and settings of the kernel.

use crate::output::timed;
use host_net::lines::Parsed;
use mcp_core::{Counters, lines};

/// A counter or a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelValue {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl KernelValue {
    fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// Returns true if the value is 0.
    pub(crate) fn is_zero(&self) -> bool {
        self.value == "0"
    }
}

/// Parses `nstat -zas`: `IpInReceives 30124 0.0`.
pub(crate) fn parse_nstat(text: &str) -> Parsed<KernelValue> {
    let counts = lines(text)
        .filter(|line| !line.starts_with('#'))
        .fold(String::new(), |text, line| text + line + "\n");
    Parsed::of_lines(timed(&counts), |line| {
        let mut words = line.split_whitespace();
        Some(KernelValue::new(words.next()?, words.next().filter(|value| value.parse::<u64>().is_ok())?))
    })
}

/// Parses `ethtool -S` and `ethtool -k`: lines such as `     rx_packets: 7` and `tx-checksumming: on` below a title.
pub(crate) fn parse_ethtool(text: &str) -> Parsed<KernelValue> {
    let below: Vec<&str> = lines(text)
        .filter(|line| {
            !(line.starts_with("NIC statistics")
                || line.starts_with("Features for ")
                || line.starts_with("no stats"))
        })
        .collect();
    Parsed::of_lines(timed(&below.join("\n")), |line| {
        let (name, value) = line.rsplit_once(": ")?;
        let is_value = |word: &str| matches!(word, "on" | "off") || word.parse::<i128>().is_ok();
        value.split_whitespace().next().filter(|word| is_value(word))?;
        Some(KernelValue::new(name.trim(), value.trim()))
    })
}

/// Parses `sysctl -a`: `net.ipv4.ip_forward = 1`.
pub(crate) fn parse_sysctl(text: &str) -> Parsed<KernelValue> {
    Parsed::of_lines(timed(text), |line| {
        let (name, value) = line.split_once(" =")?;
        (!name.contains(' '))
            .then(|| KernelValue::new(name, value.split_whitespace().collect::<Vec<_>>().join(" ")))
    })
}

/// Parses `/proc/net/xfrm_stat`: `XfrmInNoStates          0`.
pub(crate) fn parse_xfrm(text: &str) -> Parsed<KernelValue> {
    Parsed::of_lines(timed(text), |line| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        Some(KernelValue::new(name, value.trim()))
            .filter(|it| it.name.starts_with("Xfrm") && it.value.parse::<u64>().is_ok())
    })
}

/// Parses `/proc/net/softnet_stat`: one line of hexadecimal columns for each CPU (kernel, `net/core/net-procfs.c`).
pub(crate) fn parse_softnet(text: &str) -> Parsed<KernelValue> {
    const COLUMNS: [(usize, &str); 6] = [
        (0, "processed"),
        (1, "dropped"),
        (2, "time_squeeze"),
        (9, "received_rps"),
        (10, "flow_limit"),
        (11, "backlog"),
    ];
    let mut parsed = Parsed::default();
    for (nth, line) in lines(text).filter(|line| !line.trim().is_empty()).enumerate() {
        let numbers: Option<Vec<u64>> =
            line.split_whitespace().map(|word| u64::from_str_radix(word, 16).ok()).collect();
        let Some(numbers) = numbers.filter(|numbers| numbers.len() >= 9) else {
            parsed.other.push(line.to_owned());
            continue;
        };
        // Since Linux 5.10, the line contains the number of its CPU, because CPUs that are offline have no line.
        let cpu = numbers.get(12).map_or(nth as u64, |cpu| *cpu);
        let column = |(at, name): (usize, &str)| {
            Some(KernelValue::new(format!("cpu{cpu} {name}"), numbers.get(at)?.to_string()))
        };
        parsed.rows.extend(COLUMNS.into_iter().filter_map(column));
    }
    parsed
}

/// Parses `conntrack -S`, one line for each CPU (`cpu=0 found=0 invalid=2 …`), and returns the sums over all CPUs.
pub(crate) fn parse_conntrack(text: &str) -> Parsed<KernelValue> {
    let mut parsed = Parsed::<KernelValue>::default();
    let mut sums: Vec<(String, u64)> = Vec::new();
    for line in lines(text).filter(|line| !line.trim().is_empty()) {
        let pair = |word: &str| {
            word.split_once('=').and_then(|(name, value)| Some((name.to_owned(), value.parse::<u64>().ok()?)))
        };
        let pairs: Option<Vec<(String, u64)>> = line.split_whitespace().map(pair).collect();
        let Some(pairs) = pairs else {
            parsed.other.push(line.to_owned());
            continue;
        };
        for (name, value) in pairs.into_iter().filter(|(name, _)| name != "cpu") {
            match sums.iter_mut().find(|(have, _)| *have == name) {
                Some((_, sum)) => *sum += value,
                None => sums.push((name, value)),
            }
        }
    }
    parsed.rows = sums.into_iter().map(|(name, sum)| KernelValue::new(name, sum.to_string())).collect();
    parsed
}

/// Returns the values that are numbers as counters, to compare two samples.
pub(crate) fn counters(values: &[KernelValue]) -> Counters {
    values.iter().filter_map(|it| Some((it.name.clone(), it.value.parse().ok()?))).collect()
}

/// Returns true if a setting matters to OVN-Kubernetes: forwarding, reverse path filters, ARP replies, conntrack,
/// neighbour tables or buffers.
pub(crate) fn matters(name: &str) -> bool {
    const WHOLE: [&str; 20] = [
        "net.ipv4.ip_forward",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_no_pmtu_disc",
        "net.ipv4.tcp_mtu_probing",
        "net.ipv4.tcp_l3mdev_accept",
        "net.ipv4.udp_l3mdev_accept",
        "net.ipv4.raw_l3mdev_accept",
        "net.ipv4.fib_multipath_hash_policy",
        "net.ipv4.route.max_size",
        "net.ipv6.route.max_size",
        "net.core.netdev_max_backlog",
        "net.core.netdev_budget",
        "net.core.rmem_max",
        "net.core.wmem_max",
        "net.core.somaxconn",
        "net.core.xfrm_larval_drop",
        "net.core.xfrm_acq_expires",
        "net.core.bpf_jit_enable",
        "net.ipv4.vs.conntrack",
    ];
    const CONNTRACK: [&str; 11] = [
        "max",
        "count",
        "buckets",
        "acct",
        "timestamp",
        "checksum",
        "tcp_be_liberal",
        "tcp_loose",
        "tcp_timeout_established",
        "udp_timeout",
        "udp_timeout_stream",
    ];
    const OF_INTERFACE: [&str; 12] = [
        "forwarding",
        "rp_filter",
        "arp_ignore",
        "arp_announce",
        "arp_filter",
        "accept_local",
        "route_localnet",
        "src_valid_mark",
        "disable_ipv6",
        "accept_ra",
        "keep_addr_on_down",
        "proxy_arp",
    ];
    let last = name.rsplit('.').next().unwrap_or(name);
    WHOLE.contains(&name)
        || name.strip_prefix("net.netfilter.nf_conntrack_").is_some_and(|key| CONNTRACK.contains(&key))
        || (interface_of(name).is_some() && OF_INTERFACE.contains(&last))
        || (name.contains(".neigh.default.") && last.starts_with("gc_thresh"))
}

/// Returns the interface of a setting such as `net.ipv4.conf.br-ex.rp_filter`. sysctl prints a dot in the interface's
/// name as a slash.
pub(crate) fn interface_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("net.ipv4.conf.").or(name.strip_prefix("net.ipv6.conf."))?;
    rest.rsplit_once('.').map(|(interface, _)| interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(parsed: Parsed<KernelValue>) -> Vec<(String, String)> {
        assert_eq!(parsed.other, Vec::<String>::new());
        parsed.rows.into_iter().map(|it| (it.name, it.value)).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn each_output_format_yields_names_and_values() {
        assert_eq!(
            pairs(parse_nstat("#kernel\nIpInReceives  30124  0.0\n")),
            [pair("IpInReceives", "30124")]
        );
        assert_eq!(
            pairs(parse_ethtool("NIC statistics:\n     rx_queue_0_drops: 3\n")),
            [pair("rx_queue_0_drops", "3")]
        );
        assert_eq!(
            pairs(parse_ethtool(
                "Features for eth0:\nrx-checksumming: on\n\ttx-checksum-ipv4: off [fixed]\n"
            )),
            [pair("rx-checksumming", "on"), pair("tx-checksum-ipv4", "off [fixed]")]
        );
        assert_eq!(
            pairs(parse_sysctl(
                "net.ipv4.ip_local_port_range = 32768\t60999\nnet.ipv4.ip_local_reserved_ports = \n"
            )),
            [
                pair("net.ipv4.ip_local_port_range", "32768 60999"),
                pair("net.ipv4.ip_local_reserved_ports", ""),
            ]
        );
        assert_eq!(pairs(parse_xfrm("XfrmInNoStates          \t7\n")), [pair("XfrmInNoStates", "7")]);
        let statistics = "cpu=0   \tfound=1 invalid=2\ncpu=1   \tfound=1 invalid=1\n";
        assert_eq!(pairs(parse_conntrack(statistics)), [pair("found", "2"), pair("invalid", "3")]);
        let softnet = pairs(parse_softnet("0000b98b 00000001 00000000 0 0 0 0 0 0 0 0 0 00000003 0 0\n"));
        assert_eq!(softnet[..2], [pair("cpu3 processed", "47499"), pair("cpu3 dropped", "1")]);
    }

    #[test]
    fn settings_that_matter_are_selected() {
        for name in [
            "net.ipv4.ip_forward",
            "net.ipv4.conf.br-ex.rp_filter",
            "net.ipv6.conf.all.disable_ipv6",
            "net.netfilter.nf_conntrack_max",
            "net.ipv4.neigh.default.gc_thresh3",
        ] {
            assert!(matters(name), "{name}");
        }
        for name in [
            "kernel.hostname",
            "net.ipv4.conf.br-ex.tag",
            "net.netfilter.nf_log.0",
            "net.ipv4.neigh.br-ex.gc_thresh3",
        ] {
            assert!(!matters(name), "{name}");
        }
        assert_eq!(interface_of("net.ipv4.conf.br-ex.rp_filter"), Some("br-ex"));
    }
}
