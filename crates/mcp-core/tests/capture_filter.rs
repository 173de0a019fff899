//! Asks tcpdump about filters: it compiles the text that our grammar prints, and to the same program as the text that
//! came in. Our grammar takes no text that tcpdump refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use mcp_core::argv::CaptureFilter;
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// The number of random filters of each test.
const CASES: usize = 300;

/// What tcpdump makes of a filter for a type of link: the program, or the error.
fn compiled(filter: &str, link: &str) -> Result<String, String> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the real program")]
    let mut tcpdump = Command::new("tcpdump");
    // With a link type, no device is opened.
    let output = tcpdump.args(["-d", "-y", link, "--", filter]).output();
    let output = output.unwrap_or_else(|error| panic!("tcpdump must be installed: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Whether tcpdump understands a filter and finds that no packet can match it, or that it needs too many registers.
fn is_understood(error: &str) -> bool {
    ["rejects all packets", "out of registers", "expression is too complex"]
        .iter()
        .any(|known| error.contains(known))
}

/// Whether tcpdump refuses a filter because the packets have no link header.
fn needs_link(error: &str) -> bool {
    ["ethernet addresses supported only", "not a broadcast link", "link-layer multicast", "no VLAN support"]
        .iter()
        .any(|known| error.contains(known))
}

/// Compares a text with what our grammar prints for it. Returns whether tcpdump makes a program of it.
fn compare(text: &str, filter: &CaptureFilter) -> bool {
    let (theirs, ours) = (compiled(text, "EN10MB"), compiled(filter.as_str(), "EN10MB"));
    if let Err(error) = &theirs {
        assert!(is_understood(error), "tcpdump refuses {text:?}, which is printed as {filter}: {error}");
    }
    assert_eq!(ours, theirs, "{text:?} is printed as {filter}");
    theirs.is_ok()
}

/// Makes random filters. Everything that it makes is valid for libpcap.
struct Generator(fastrand::Rng);

impl Generator {
    fn one<'a>(&mut self, all: &[&'a str]) -> &'a str {
        self.0.choice(all).unwrap()
    }

    fn filter(&mut self, depth: usize) -> String {
        let mut text = self.first(depth);
        let mut values = last_values(&text);
        for _ in 0..self.0.usize(0..4) {
            let join = self.one(&[" and ", " or ", " && ", " ||", " or\u{20}\u{20}"]);
            let not = self.one(&["", "", "", "not ", "! ", "!"]);
            // A value alone takes the qualifier before it.
            if let (Some(kind), true) = (values, self.0.bool()) {
                let value = self.value(kind);
                text += &format!("{join}{not}{value}");
                continue;
            }
            let next = self.first(depth);
            // Parentheses hide the qualifier in them.
            values = last_values(&next);
            text += &format!("{join}{not}{next}");
        }
        text
    }

    fn first(&mut self, depth: usize) -> String {
        match self.0.u8(0..12) {
            0 if depth > 0 => format!("({})", self.filter(depth - 1)),
            1 if depth > 0 => format!("not ({})", self.filter(depth - 1)),
            2 => self
                .one(&[
                    "tcp", "udp", "ip", "ip6", "arp", "icmp", "icmp6", "sctp", "esp", "ah", "igmp", "pim",
                    "vrrp", "rarp", "stp",
                ])
                .into(),
            3 => format!("{} {}", self.one(&["less", "greater"]), self.0.u16(..)),
            4 => self
                .one(&[
                    "broadcast",
                    "ether broadcast",
                    "multicast",
                    "ether multicast",
                    "ip multicast",
                    "ip6 multicast",
                ])
                .into(),
            5 | 6 => self.comparison(),
            7 => self.tag(),
            _ => {
                let kind = *self
                    .0
                    .choice(&["v4", "v6", "net4", "net6", "port", "ports", "mac", "proto", "ethertype"])
                    .unwrap();
                let protocol = self.one(match kind {
                    "v4" | "net4" => &["", "ip ", "arp ", "rarp "],
                    "v6" | "net6" => &["", "ip6 "],
                    "port" | "ports" => &["", "tcp ", "udp ", "sctp "],
                    "proto" => &["", "ip ", "ip6 "],
                    _ => &["ether "],
                });
                let direction = match kind {
                    "proto" | "ethertype" => "",
                    _ => self.one(&[
                        "",
                        "",
                        "src ",
                        "dst ",
                        "src or dst ",
                        "dst or src ",
                        "src and dst ",
                        "dst && src ",
                    ]),
                };
                let word = match kind {
                    "v4" | "v6" | "mac" if !direction.is_empty() && self.0.bool() => "",
                    "v4" | "v6" | "mac" => "host ",
                    "net4" | "net6" => "net ",
                    "port" => "port ",
                    "ports" => "portrange ",
                    _ => "proto ",
                };
                let values = match self.0.u8(0..4) {
                    0 => format!("({} or {})", self.value(kind), self.value(kind)),
                    1 => format!("not {}", self.value(kind)),
                    _ => self.value(kind),
                };
                format!("{protocol}{direction}{word}{values}")
            }
        }
    }

    fn value(&mut self, kind: &str) -> String {
        let rng = &mut self.0;
        match kind {
            "v4" => std::net::Ipv4Addr::from(rng.u32(..)).to_string(),
            "v6" => std::net::Ipv6Addr::from(
                rng.u128(..)
                    & *rng.choice(&[u128::MAX, 0xffff << 112 | 0xff, 0xffff_ffff_ffff, 0xff << 64]).unwrap(),
            )
            .to_string(),
            "net4" => match rng.u8(0..5) {
                0 => rng.u8(1..).to_string(),
                1 => format!("{}.{}", rng.u8(1..), rng.u8(..)),
                2 => format!("{}.{}.{}", rng.u8(1..), rng.u8(..), rng.u8(..)),
                3 => format!(
                    "{}.0.{}.0 mask 255.{}.255.0",
                    rng.u8(1..),
                    rng.u8(..),
                    rng.choice(&["0", "255"]).unwrap()
                ),
                _ => {
                    let length = rng.u32(0..=32);
                    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
                    format!("{}/{length}", std::net::Ipv4Addr::from(rng.u32(..) & mask))
                }
            },
            "net6" => {
                let length = rng.u32(0..=128);
                let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
                format!("{}/{length}", std::net::Ipv6Addr::from(rng.u128(..) & mask))
            }
            "port" => match rng.u8(0..3) {
                0 => format!("{:#x}", rng.u16(..)),
                _ => rng.u16(..).to_string(),
            },
            "ports" => {
                let (a, b) = (rng.u16(..), rng.u16(..));
                if rng.u8(0..4) == 0 { a.to_string() } else { format!("{}-{}", a.min(b), a.max(b)) }
            }
            "mac" => {
                let mac: [u8; 6] = std::array::from_fn(|_| rng.u8(..));
                let separator = *rng.choice(&[":", "-"]).unwrap();
                let text =
                    |byte: &u8| if separator == ":" { format!("{byte:x}") } else { format!("{byte:02X}") };
                mac.iter().map(text).collect::<Vec<_>>().join(separator)
            }
            "ethertype" => {
                rng.choice(&["\\ip", "\\ip6", "\\arp", "0x88cc", "2048", "\\rarp"]).unwrap().to_string()
            }
            _ => rng
                .choice(&[
                    "\\tcp", "\\udp", "\\icmp", "\\sctp", "6", "0x11", "132", "\\esp", "\\ah", "gre", "ospf",
                ])
                .unwrap()
                .to_string(),
        }
    }

    fn tag(&mut self) -> String {
        let (tag, most) = *self.0.choice(&[("vlan", 4095), ("geneve", 0xff_ffff)]).unwrap();
        if self.0.bool() { tag.into() } else { format!("{tag} {}", self.0.u32(0..=most)) }
    }

    fn comparison(&mut self) -> String {
        let sign = self.one(&["=", "==", "!=", "<", ">", "<=", ">="]);
        let space = self.one(&["", " "]);
        format!("{}{space}{sign}{space}{}", self.number(2), self.number(1))
    }

    fn number(&mut self, depth: usize) -> String {
        match self.0.u8(0..10) {
            0 => "len".into(),
            1 => format!("{:#x}", self.0.u32(..)),
            2 => self.one(&["tcpflags", "tcp-syn", "icmp-echo", "icmp6-neighborsolicit"]).into(),
            3 | 4 if depth > 0 => {
                let size = self.one(&["", ":1", ":2", " : 4"]);
                let protocol = self.one(&[
                    "ip", "ip6", "tcp", "udp", "icmp", "icmp6", "sctp", "ether", "arp", "rarp", "igmp",
                    "pim", "vrrp", "link",
                ]);
                format!("{protocol}[{}{size}]", self.number(depth - 1))
            }
            5..=7 if depth > 0 => {
                let (left, right) = (self.number(depth - 1), self.number(depth - 1));
                match self.0.u8(0..4) {
                    0 => format!("(({left}) {} {})", self.one(&["%", "^"]), self.0.u16(1..)),
                    1 => format!("(({left}) {} {})", self.one(&["<<", ">>"]), self.0.u8(0..32)),
                    2 => format!("({left}) / {}", self.0.u16(1..)),
                    _ => {
                        let third = self.number(0);
                        let [first, second] =
                            [(); 2].map(|()| self.one(&["+", "-", "*", "&", "|", " + ", " & "]));
                        // `len-4` would be a name.
                        let [first, second] =
                            [first, second].map(|sign| if sign == "-" { " - " } else { sign });
                        format!("{left}{first}{right}{second}{third}")
                    }
                }
            }
            _ => self.0.u16(..).to_string(),
        }
    }
}

/// Returns the kind of values that may follow a test, if it ends in a value.
fn last_values(test: &str) -> Option<&'static str> {
    let words: Vec<&str> = test.split([' ', '(']).collect();
    let has = |word| words.contains(&word);
    match () {
        () if test.contains(['[', '=', '<', '>']) || test.starts_with('(') || test.starts_with("not (") => {
            None
        }
        () if has("portrange") => Some("ports"),
        () if has("port") => Some("port"),
        () if has("net") => {
            Some(if test.contains("::") || test.matches(':').count() > 1 { "net6" } else { "net4" })
        }
        () if has("proto") && has("ether") => Some("ethertype"),
        () if has("proto") => Some("proto"),
        () if has("ether") && !has("broadcast") && !has("multicast") => Some("mac"),
        () if has("host") || has("src") || has("dst") => Some(if test.contains(':') { "v6" } else { "v4" }),
        () => None,
    }
}

#[test]
fn tcpdump_compiles_our_text_to_the_program_of_the_original() {
    let mut generator = Generator(fastrand::Rng::with_seed(6081));
    let (mut programs, mut with_link) = (0, 0);
    for _ in 0..CASES {
        let text = generator.filter(2);
        let filter = CaptureFilter::parse(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        programs += usize::from(compare(&text, &filter));
        // pwru and retis compile a filter also for packets without a link header.
        let error = compiled(filter.as_str(), "RAW").err().unwrap_or_default();
        assert_eq!(filter.needs_link(), needs_link(&error), "{filter}: {error}");
        with_link += usize::from(filter.needs_link());
    }
    assert!(
        with_link > CASES / 10 && with_link < CASES * 9 / 10,
        "{with_link} filters of {CASES} need a link"
    );
    assert!(programs > CASES / 2, "tcpdump made only {programs} programs of {CASES} filters");
}

#[test]
fn tcpdump_takes_what_our_grammar_takes() {
    let mut generator = Generator(fastrand::Rng::with_seed(17));
    let (mut taken, mut refused) = (0, 0);
    while taken < CASES {
        // A piece of the filter is missing, doubled, or another filter's.
        let [text, other] = [(); 2].map(|()| generator.filter(1));
        let mut words: Vec<&str> = text.split(' ').collect();
        let at = generator.0.usize(0..words.len());
        match generator.0.u8(0..3) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, words[generator.0.usize(0..words.len())]),
            _ => words[at] = generator.0.choice(other.split(' ').collect::<Vec<_>>()).unwrap(),
        }
        let text = words.join(" ");
        match CaptureFilter::parse(&text) {
            Ok(filter) => {
                compare(&text, &filter);
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > CASES / 2, "only {refused} filters were broken");
}

#[test]
fn tcpdump_compiles_what_engineers_write() {
    for text in [
        "udp port 6081",
        "host 10.244.0.4 and tcp port 8080",
        "host 172.18.0.2 and geneve and host 10.244.0.4 and icmp",
        "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8",
        "tcp[tcpflags] & (tcp-rst|tcp-ack) == (tcp-rst|tcp-ack)",
        "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
        "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
        "ip[6:2] & 0x1fff = 0",
        "icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply",
        "icmp6[icmp6type] >= icmp6-routersolicit and icmp6[icmp6type] <= icmp6-redirect",
        "arp or icmp6 and ip6[40] = 135",
        "esp or udp port 500 or 4500",
        "port 53 and (udp or tcp)",
        "vlan 100 and vlan 200 and ip",
        "ether src 0a:58:0a:f4:00:04 and not arp",
        "udp portrange 30000-32767 or sctp port 38412",
        "ip[8] < 5 or ip6[7] < 5",
        "tcp and greater 1400",
    ] {
        let filter = CaptureFilter::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(compare(text, &filter), "{text:?} matches nothing");
    }
}

/// Returns an Ethernet frame with a UDP packet.
fn frame(source: [u8; 4], destination: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
    let length = |header: usize| u16::try_from(header + payload.len()).unwrap().to_be_bytes();
    let ip = [&[0x45, 0][..], &length(28), &[0, 1, 0, 0, 64, 17, 0, 0], &source, &destination].concat();
    let udp = [&40_000u16.to_be_bytes()[..], &port.to_be_bytes(), &length(8), &[0, 0], payload].concat();
    [&[2; 12][..], &[8, 0], &ip, &udp].concat()
}

/// Returns how many of some frames tcpdump finds with a filter.
fn found(frames: &[Vec<u8>], filter: &str) -> usize {
    let filter = CaptureFilter::parse(filter).unwrap();
    let mut file = [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 1].map(u32::to_be_bytes).concat();
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap();
        file.extend([0, 0, length, length].map(u32::to_be_bytes).concat());
        file.extend(frame);
    }
    #[expect(clippy::disallowed_methods, reason = "a test asks the real program")]
    let mut tcpdump = Command::new("tcpdump");
    tcpdump.args(["-n", "-r", "-", "--", filter.as_str()]);
    let mut child =
        tcpdump.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&file).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{filter}");
    output.stdout.iter().filter(|byte| **byte == b'\n').count()
}

#[test]
fn a_tunnel_moves_what_comes_after_it() {
    let inner = frame([10, 244, 0, 4], [10, 244, 1, 5], 53, b"question");
    let geneve = [&[0x02, 0, 0x65, 0x58, 0, 0, 5, 0, 1, 2, 0x80, 1, 0, 1, 0, 2][..], &inner].concat();
    let nodes = ([172, 18, 0, 2], [172, 18, 0, 3]);
    let frames = [frame(nodes.0, nodes.1, 53, b"question"), frame(nodes.0, nodes.1, 6081, &geneve)];
    for (filter, count) in [
        ("host 172.18.0.2", 2),
        ("udp port 6081", 1),
        ("host 10.244.0.4", 0),
        ("geneve 5 and host 10.244.0.4 and udp port 53", 1),
        ("host 172.18.0.2 and geneve", 1),
        ("host 172.18.0.2 or geneve", 2),
        ("udp port 53 or (geneve and udp port 53)", 2),
        // These are the traps of which a filter warns.
        ("geneve or host 172.18.0.2", 1),
        ("not geneve and host 172.18.0.2", 0),
        ("geneve and host 172.18.0.2", 0),
    ] {
        assert_eq!(found(&frames, filter), count, "{filter}");
    }
}
