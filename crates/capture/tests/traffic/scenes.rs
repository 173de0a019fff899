//! Real traffic with real faults.

use capture::analysis::{FindingKind, Handshake, Report, ResetAfter, TcpEnd, TcpReport};

use crate::{
    counts::compare,
    lab::Lab,
    programs::{SERVER, client},
    tshark::analyse,
};

const FORWARD: &str = "filter hook forward priority 0";

/// Captures on both sides of the router while `statements` run at the client, compares both captures with tshark, and
/// returns the reports of the client's side and the server's side.
fn watch(lab: &Lab, statements: &str) -> [Report; 2] {
    let server = lab.serve("server", SERVER);
    let captures = ["toclient", "toserver"].map(|device| lab.capture("router", device));
    lab.send("client", &client(statements));
    let files = captures.map(|capture| capture.stop().0);
    drop(server);
    files.map(|file| {
        let report = analyse(&file);
        compare(&file, &report);
        report
    })
}

fn to_port(report: &Report, port: u16) -> Vec<&TcpReport> {
    let found = report.conversations.iter().filter(|found| found.ends[1].port == Some(port));
    found.filter_map(|conversation| conversation.tcp.as_deref()).collect()
}

fn kinds(report: &Report) -> Vec<FindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn connections_that_work_and_that_do_not() {
    let lab = Lab::new();
    lab.rule(FORWARD, "tcp dport 9000 drop");
    let statements = "
transfer(8080, 50000)
fails(9999)
fails(9000, timeout=3.5)
fails(8081, data=b'z')
transfer(8080, 10, source=33333)
time.sleep(0.1)
transfer(8080, 10, source=33334)
";
    let [report, behind] = watch(&lab, statements);
    for tcp in to_port(&report, 8080) {
        assert!(matches!(tcp.handshake, Handshake::Complete { .. }), "{tcp:?}");
        assert_eq!((tcp.opener, tcp.end, tcp.mss), (Some(0), TcpEnd::Closed, [Some(1460); 2]));
    }
    assert_eq!(to_port(&report, 9999)[0].handshake, Handshake::Refused);
    assert_eq!(
        to_port(&report, 9999)[0].reset.map(|reset| (reset.by, reset.after)),
        Some((1, ResetAfter::Syn))
    );
    let Handshake::SynWithoutAnswer { syns, waited } = to_port(&report, 9000)[0].handshake else {
        panic!("{report:?}")
    };
    assert!(syns >= 2 && waited > 3_000_000_000, "{syns} SYNs, {waited} ns");
    assert!(to_port(&behind, 9000).is_empty());
    let reset = to_port(&report, 8081)[0];
    assert_eq!(reset.reset.map(|reset| (reset.by, reset.after)), Some((1, ResetAfter::Data)));
    assert_eq!(reset.end, TcpEnd::Reset(1));
    let expected = [FindingKind::SynUnanswered, FindingKind::Refused, FindingKind::Reset];
    assert_eq!(kinds(&report)[..3], expected);
    assert!(!kinds(&behind).contains(&FindingKind::SynUnanswered));
}

/// The router loses segments of both directions at random, so that all kinds of retransmissions come about.
#[test]
fn loss() {
    for percent in [2, 10] {
        let lab = Lab::new();
        lab.rule(FORWARD, &format!("numgen random mod 100 < {percent} drop"));
        let [before, behind] = watch(&lab, "for _ in range(6):\n    transfer(8080, 300000)\n");
        let total = |report: &Report, value: fn(&capture::analysis::SegmentCounts) -> u32| -> u32 {
            to_port(report, 8080).iter().flat_map(|tcp| &tcp.segments).map(value).sum()
        };
        assert!(total(&before, |counts| counts.retransmissions + counts.fast_retransmissions) > 0);
        assert!(total(&behind, |counts| counts.gaps) > 0);
        assert!(kinds(&before).contains(&FindingKind::Retransmissions));
    }
}

#[test]
fn a_receiver_that_does_not_read() {
    let lab = Lab::new();
    let [report, _] = watch(&lab, "transfer(8082, 400000)\n");
    assert!(to_port(&report, 8082)[0].segments[1].zero_windows > 0);
    assert!(kinds(&report).contains(&FindingKind::ZeroWindow));
}

#[test]
fn datagrams_and_questions() {
    let lab = Lab::new();
    // The second fragments of large datagrams are lost.
    lab.rule("filter hook forward priority -500", "ip frag-off & 0x1fff != 0 ip length < 300 drop");
    let statements = "
ask(7000, b'hello')
ask(7000, b'a' * 2000)
ask(7001, b'hello', answers=False)
ask(7777, b'hello', answers=False)
for number, question in enumerate(['good.test', 'good.other.test', 'bad.test', 'lost.test', 'lost.test']):
    ask(53, name(question, number), answers=question[0] in 'gb')
import subprocess
subprocess.run(['ping', '-c', '3', '-i', '0.2', SERVER], check=True)
subprocess.run(['ping', '-c', '2', '-i', '0.2', '-W', '1', '10.77.2.9'])
subprocess.run(['ping', '-c', '2', '-i', '0.2', '-W', '1', '10.77.1.9'])
ask(7000, b'a' * 1700)
time.sleep(2)
";
    let [report, behind] = watch(&lab, statements);
    let dns = &report.dns;
    assert_eq!((dns.questions, dns.answers), (5, 3));
    assert_eq!(dns.unanswered.len(), 1, "{dns:?}");
    assert_eq!((dns.unanswered[0].name.as_deref(), dns.unanswered[0].count), (Some("lost.test"), 2));
    assert_eq!((dns.errors[0].name.as_deref(), dns.errors[0].code), (Some("bad.test"), Some(3)));
    assert_eq!(report.neighbours.unanswered[0].target.to_string(), "10.77.1.9");
    assert_eq!(behind.neighbours.unanswered[0].target.to_string(), "10.77.2.9");
    let unreachable: Vec<_> =
        report.icmp_errors.iter().filter(|error| (error.kind, error.code) == (3, 3)).collect();
    assert_eq!(unreachable[0].to_string(), "port unreachable");
    let conversation = &report.conversations[unreachable[0].conversation.expect("its conversation")];
    assert_eq!(conversation.ends[1].to_string(), "10.77.2.1:7777");
    assert!(behind.fragments.incomplete > 0 && report.fragments.incomplete == 0, "{:?}", behind.fragments);
    assert!(kinds(&report).contains(&FindingKind::UdpUnanswered));
    assert!(kinds(&behind).contains(&FindingKind::IncompleteFragments));
}

/// The way to the server has a smaller MTU. A router that says so helps, and one that does not makes a black hole.
#[test]
fn a_small_mtu() {
    let lab = Lab::new();
    lab.inside("router", "ip link set toserver mtu 1200");
    let [report, _] = watch(&lab, "chat(8083, 20000)\n");
    let error = report.icmp_errors.iter().find(|error| error.is_too_big()).expect("fragmentation needed");
    assert_eq!((error.mtu, error.largest), (Some(1200), 1500));
    assert_eq!(error.about.map(|about| about.destination.to_string()), Some("10.77.2.1:8083".into()));
    assert!(error.conversation.is_some());
    assert_eq!(kinds(&report)[0], FindingKind::TooBig);

    let lab = Lab::new();
    lab.inside("router", "ip link set toserver mtu 1200");
    lab.rule("filter hook output priority 0", "icmp type destination-unreachable drop");
    let statements = "
client = connect(8080)
client.sendall(b'a' * 500)
time.sleep(0.3)
client.sendall(b'b' * 1400)
time.sleep(3)
";
    let [report, behind] = watch(&lab, statements);
    let stuck = to_port(&report, 8080)[0].stuck[0].expect("stuck data");
    assert_eq!((stuck.payload, stuck.largest_acknowledged), (1400, 500));
    assert!(stuck.times >= 3, "{stuck:?}");
    assert_eq!(kinds(&report)[0], FindingKind::Stuck);
    assert!(to_port(&behind, 8080)[0].stuck[0].is_none());
}
