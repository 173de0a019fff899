//! Tests of the grammar alone. `tests/capture_filter.rs` asks tcpdump.

use super::*;
use proptest::prelude::*;

fn printed(text: &str) -> Result<String, String> {
    CaptureFilter::parse(text).map(|filter| filter.to_string()).map_err(|error| error.to_string())
}

#[test]
fn filters_are_printed_with_all_that_they_imply() {
    for (text, canonical) in [
        ("tcp", "tcp"),
        ("  host 10.244.0.4 ", "host 10.244.0.4"),
        ("port 80 or 443", "port 80 or port 443"),
        ("tcp dst port 80 or 81 and 82", "(tcp dst port 80 or tcp dst port 81) and tcp dst port 82"),
        ("host 10.0.0.1 and not 10.0.0.2", "host 10.0.0.1 and not host 10.0.0.2"),
        ("src host (10.0.0.1 or 10.0.0.2)", "src host 10.0.0.1 or src host 10.0.0.2"),
        ("icmp && src 10.0.0.1||arp", "(icmp and src host 10.0.0.1) or arp"),
        ("!(tcp or udp)", "not (tcp or udp)"),
        ("((tcp))", "tcp"),
        ("tcp and (udp and icmp)", "tcp and (udp and icmp)"),
        ("(tcp and udp) and icmp", "tcp and udp and icmp"),
        ("src or dst host 10.0.0.1", "host 10.0.0.1"),
        ("dst and src port 53", "src and dst port 53"),
        ("net 10", "net 10.0.0.0/8"),
        ("net 172.16/12", "net 172.16.0.0/12"),
        ("net 192.168.1.0", "net 192.168.1.0/32"),
        ("net 10.0.0.0 mask 255.255.0.0", "net 10.0.0.0/16"),
        ("net 10.0.1.0 mask 255.0.255.0", "net 10.0.1.0 mask 255.0.255.0"),
        ("dst net fd00:10:244::/48", "dst net fd00:10:244::/48"),
        ("ip6 host FD00::1", "ip6 host fd00::1"),
        ("ether host 0A-58-A-f4-0-4", "ether host 0a:58:0a:f4:00:04"),
        ("udp portrange 30000-32767", "udp portrange 30000-32767"),
        ("ip proto \\tcp or 17", "ip proto 6 or ip proto 17"),
        ("ether proto \\arp", "ether proto 0x0806"),
        ("vlan 100 and geneve 0xb and icmp6", "vlan 100 and geneve 11 and icmp6"),
        ("tcp[tcpflags] & (tcp-syn|tcp-ack) != 0", "tcp[tcpflags] & (tcp-syn | tcp-ack) != 0"),
        ("ip[6:2]&0x1fff==0", "ip[6:2] & 0x1fff = 0"),
        ("ip[0:1] + 2 * 3 - 4 > length", "(ip[0] + (2 * 3)) - 4 > len"),
        (
            "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
            "tcp port 80 and (ip[2:2] - ((ip[0] & 0xf) << 2)) - ((tcp[12] & 0xf0) >> 2) != 0",
        ),
        ("less 64 or greater 1500", "less 64 or greater 1500"),
        ("ether multicast or ip6 multicast or broadcast", "multicast or ip6 multicast or broadcast"),
        // A value after parentheses takes the qualifier from before them.
        ("host 10.0.0.1 and (port 80) or 10.0.0.2", "(host 10.0.0.1 and port 80) or host 10.0.0.2"),
    ] {
        assert_eq!(printed(text).as_deref(), Ok(canonical), "{text}");
    }
}

#[test]
fn errors_say_where_the_text_is_wrong_and_what_to_write() {
    for (text, error) in [
        ("host web", "\"web\" at byte 6: names are not looked up: write the address of the host"),
        ("tcp port http", "\"http\" at byte 10: names of services are not looked up: write 80"),
        ("port foo", "\"foo\" at byte 6: names of services are not looked up: write its number"),
        (
            "tcp and",
            "expected a test such as `host 10.244.0.4`, `tcp port 80` or `icmp` at the end of the filter",
        ),
        ("(tcp or udp", "expected `)` at the end of the filter"),
        ("tcp) or udp", "expected an opening parenthesis before \") or udp\" at byte 4"),
        ("tcp; id", "unexpected \";\" at byte 4"),
        (
            "tcp -w /tmp/x",
            "expected `port`, `portrange`, `src`, `dst`, `[`, `and`, `or` or the end before \"-w /tmp/x\" at byte 5",
        ),
        (
            "src net 10.0.0.1/8",
            "\"10.0.0.1/8\" at byte 9: the address has bits outside of the network: write the first address of the network, or `host`",
        ),
        ("port 65536", "\"65536\" at byte 6: the number of a port is at most 65535"),
        (
            "tcp host 10.0.0.1",
            "\"10.0.0.1\" at byte 10: `tcp` does not qualify `host`: write `tcp and host …`",
        ),
        ("ip6 host 10.0.0.1", "expected an IPv6 address before \"10.0.0.1\" at byte 10"),
        (
            "10.0.0.1",
            "expected a qualifier such as `host`, `net`, `port` or `ether host` before \"10.0.0.1\" at byte 1",
        ),
        ("ip proto tcp", "\"tcp\" at byte 10: it is a keyword: write `\\tcp`, or 6"),
        ("", "expected a test such as `host 10.244.0.4` or `icmp` at the end of the filter"),
        (
            "len-4 > 5",
            "expected a test such as `host 10.244.0.4`, `tcp port 80` or `icmp` before \"len-4 > 5\" at byte 1",
        ),
        ("ip[2:2]-len-4 > 5", "\"len-4\" at byte 9: put spaces around the `-`"),
        ("ip[0] % 2 + 1 = 0", "\"%\" at byte 7: `%` has no precedence here: use parentheses"),
    ] {
        assert_eq!(printed(text).as_ref().map_err(String::as_str), Err(error), "{text}");
    }
}

#[test]
fn invalid_filters_are_refused() {
    for text in [
        "-",
        "--",
        "-w",
        "-w /tmp/x",
        "-r /etc/shadow",
        "-F /etc/passwd",
        "--version",
        "-z id",
        "-i any",
        "tcp -w x",
        "tcp -- -w x",
        "tcp\n-w x",
        "tcp\nudp",
        "tcp\tudp",
        "tcp\0",
        "tcp\r",
        "tcp\u{7f}",
        "tcp\u{9b}",
        "tcp; id",
        "tcp && $(id)",
        "`id`",
        "tcp | id",
        "tcp > /tmp/x",
        "tcp & id",
        "host 'a'",
        "host \"a\"",
        "@file",
        "host @/etc/passwd",
        "tcp # x",
        "tcp /* x */",
        "host ${HOME}",
        "host ~root",
        "host *",
        "{tcp}",
        "tcp, udp",
        "host web.shop.svc",
        "host localhost",
        "net localnet",
        "src web",
        "gateway web",
        "tcp port http",
        "port ssh",
        "portrange http-https",
        "ip proto tcp",
        "ip proto foo",
        "ip proto 256",
        "ether proto 65536",
        "arp proto 1",
        "proto",
        "src proto 6",
        "(tcp",
        "tcp)",
        "()",
        "(",
        ")",
        "((tcp)",
        "tcp and",
        "and tcp",
        "tcp or or udp",
        "not",
        "tcp not",
        "tcp udp",
        "port",
        "port 65536",
        "port -1",
        "port 0x10000",
        "port 80-90",
        "port 080",
        "portrange 90-80",
        "portrange 80-",
        "portrange 1-70000",
        "host",
        "host 10",
        "host 10.0",
        "host 10.0.0.256",
        "host 10.0.0.1.2",
        "host 10.0.0.1/32",
        "host ::1/128",
        "host fe80::1%eth0",
        "host 1::2::3",
        "host 10.0.0.01",
        "net 10/8",
        "net 10 mask 255.0.0.0",
        "net 10.0.0.1/8",
        "net 10.0.0.0/33",
        "net ::/129",
        "net 0",
        "net 300",
        "net 10.0.0.0 mask 10",
        "net ::1 mask ::",
        "ether host 10.0.0.1",
        "host 0a:58:0a:f4:00:04",
        "ether",
        "ether host 0a:58:0a:f4:00",
        "ether port 80",
        "ether net 10.0.0.0/8",
        "tcp 80",
        "tcp host 10.0.0.1",
        "ip port 80",
        "icmp port 80",
        "ip6 host 10.0.0.1",
        "ip host ::1",
        "ip 10.0.0.1",
        "80",
        "10.0.0.1 or tcp",
        "tcp or 80",
        "(port 80) or 443",
        "vlan 4096",
        "vlan -1",
        "geneve 16777216",
        "mpls",
        "vlan or",
        "vxlan",
        "vxlan 5",
        "less",
        "less x",
        "ip broadcast",
        "tcp multicast",
        "inbound",
        "outbound",
        "ifindex 1",
        "ip6 protochain 6",
        "byte 0 = 1",
        "pppoes",
        "llc",
        "tcp[",
        "tcp[]",
        "tcp[0",
        "tcp[0]",
        "tcp[0:3] = 1",
        "tcp[0:2:2] = 1",
        "tcp[x] = 1",
        "esp[0] = 1",
        "ip[0] = ",
        "ip[0] = 1 = 2",
        "ip[0] & = 1",
        "ip[0] / 0 = 1",
        "ip[0] % 0 = 1",
        "ip[0] << 32 = 1",
        "ip[0] = -1",
        "-1 = ip[0]",
        "ip[0] = 4294967296",
        "ip[0] = 010",
        "ip[0] ^ 1 ^ 2 = 3",
        "é",
        "host 10.0.0.1 ∧ tcp",
        "ｔｃｐ",
        "tcp\u{a0}or udp",
        "tcp\u{200b}",
        "tcp\u{2028}udp",
        "TCP",
        "tcp AND udp",
    ] {
        assert!(CaptureFilter::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn filters_are_bounded() {
    let many = |test: &str, count: usize| vec![test; count].join(" or ");
    assert!(CaptureFilter::parse(&many("arp", 200)).is_ok());
    assert_eq!(CaptureFilter::parse(&many("arp", 201)), Err(BadFilter::Many));
    assert_eq!(CaptureFilter::parse(&many("tcp", 10_000)), Err(BadFilter::Long));
    assert_eq!(CaptureFilter::parse(&format!("icmp{}", " ".repeat(5000) + "or tcp")), Err(BadFilter::Long));
    let nested = |levels: usize| format!("{}tcp{}", "(".repeat(levels), ")".repeat(levels));
    assert!(CaptureFilter::parse(&nested(32)).is_ok());
    assert_eq!(CaptureFilter::parse(&nested(33)), Err(BadFilter::Deep));
    assert_eq!(CaptureFilter::parse(&nested(2000)), Err(BadFilter::Deep));
    assert_eq!(CaptureFilter::parse(&format!("{}tcp", "not ".repeat(1000))), Err(BadFilter::Deep));
    assert_eq!(CaptureFilter::parse(&format!("{}tcp", "!".repeat(33))), Err(BadFilter::Deep));
    assert_eq!(
        CaptureFilter::parse(&format!("{} = 1", "ip[".repeat(40) + "0" + &"]".repeat(40))),
        Err(BadFilter::Deep)
    );
    // Without parentheses the text is short, with them it is nested: `((a or b) and c) or …`.
    assert_eq!(CaptureFilter::parse(&format!("tcp{}", " or udp and tcp".repeat(20))), Err(BadFilter::Deep));
    // Each value becomes a whole test.
    let values = vec!["fd00:1111:2222:3333:4444:5555:6666:7777"; 99].join(" or ");
    assert!(values.len() < CaptureFilter::MAX + 300);
    let short = vec!["1"; 199].join(" or ");
    assert_eq!(CaptureFilter::parse(&format!("sctp src and dst port {short}")), Err(BadFilter::Long));
}

#[test]
fn filters_are_made_from_parts() {
    let of = |protocol, hosts: &[&str], ports: &[u16]| {
        let hosts: Vec<_> = hosts.iter().map(|host| host.parse().unwrap()).collect();
        CaptureFilter::of(protocol, &hosts, ports)
            .map(|filter| filter.to_string())
            .map_err(|error| error.to_string())
    };
    let udp = Some(FilterProtocol::Udp);
    assert_eq!(of(udp, &[], &[6081]).as_deref(), Ok("udp port 6081"));
    assert_eq!(
        of(udp, &["172.18.0.2", "172.18.0.3"], &[6081]).as_deref(),
        Ok("host 172.18.0.2 and host 172.18.0.3 and udp port 6081")
    );
    assert_eq!(of(None, &["fd00::1"], &[53, 5353]).as_deref(), Ok("host fd00::1 and (port 53 or port 5353)"));
    assert_eq!(of(Some(FilterProtocol::Icmp), &["10.0.0.1"], &[]).as_deref(), Ok("host 10.0.0.1 and icmp"));
    assert!(of(Some(FilterProtocol::Icmp), &[], &[80]).unwrap_err().contains("no ports"));
    assert!(of(None, &[], &[]).is_err());

    let (first, second) =
        (CaptureFilter::parse("tcp or udp").unwrap(), CaptureFilter::parse("port 80").unwrap());
    assert_eq!(first.and(&second).unwrap().as_str(), "(tcp or udp) and port 80");
}

#[test]
fn a_filter_warns_of_what_moves() {
    let warns = |text| CaptureFilter::parse(text).unwrap().warning().is_some();
    assert!(warns("geneve and host 10.244.0.4"));
    assert!(warns("geneve or host 172.18.0.2"));
    assert!(warns("(vlan 5 and tcp) or icmp"));
    assert!(warns("vlan 5 and geneve"));
    assert!(!warns("host 172.18.0.2 and geneve 5"));
    assert!(!warns("vlan 5 and vlan 6"));
    assert!(!warns("tcp port 80"));
}

#[test]
fn a_filter_knows_whether_it_needs_a_link_header() {
    let needs = |text| CaptureFilter::parse(text).unwrap().needs_link();
    assert!(needs("tcp and not ether src 0a:58:0a:f4:00:04"));
    assert!(needs("vlan"));
    assert!(needs("ether multicast"));
    assert!(!needs("host 10.244.0.4 and ip multicast"));
    assert!(!needs("geneve and vlan 5"));
}

/// Texts of tokens of the language in any order, and texts of any characters.
fn texts() -> impl Strategy<Value = String> {
    const TOKENS: &str = "tcp|udp|ip|ip6|arp|ether|host|net|port|portrange|proto|src|dst|and|or|not|&&|\\|\\||!|\\(|\\)|\\[|\\]|:|=|!=|>|<=|\
        &|<<|\\+|-|\\*|/|%|10\\.0\\.0\\.1|10\\.0|fd00::1|0a:58:0a:f4:00:04|80|0x1f|1-2|vlan|geneve|less|len|tcpflags|tcp-syn|mask|web|\\\\tcp|-w";
    let regex = |regex: &str| proptest::string::string_regex(regex).unwrap();
    prop_oneof![
        regex(".*"),
        regex("-.*"),
        regex("[-a-z0-9 \\.:\"\\\\(){}\\[\\]!<>=&|%^+*/;`\n]{0,60}"),
        regex(&format!("(({TOKENS}) ?){{1,12}}")),
        regex(&format!(
            "(tcp|udp|host 10\\.0\\.0\\.1|port 80|ip\\[0\\] = 1)( (and|or) (not )?({TOKENS}) ?({TOKENS})? ?({TOKENS})?){{0,4}}"
        )),
    ]
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_taken_is_one_harmless_word_that_means_itself(text in texts()) {
        match CaptureFilter::parse(&text) {
            Ok(filter) => {
                let word = filter.word();
                let word = word.as_str();
                prop_assert!(word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '('));
                prop_assert!(word.len() <= CaptureFilter::MAX);
                prop_assert!(word.bytes().all(|b| b.is_ascii_alphanumeric() || b" .:/-()[]=!<>&|+*%^".contains(&b)));
                prop_assert!(!word.split(' ').any(|part| part.len() > 1 && part.starts_with('-')));
                prop_assert_eq!(CaptureFilter::parse(word), Ok(filter.clone()));
            }
            Err(error) => {
                let text = error.to_string();
                prop_assert!(!text.is_empty() && text.len() < 400, "{}", text);
            }
        }
    }
}
