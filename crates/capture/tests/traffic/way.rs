//! The way of real packets over four points, with a translation of addresses and with loss.

use capture::{
    join::{Change, Join, JoinReport, Options, PointInfo, Translation},
    tuple::{End, Protocol, Tuple},
};

use crate::{
    lab::Lab,
    programs::{SERVER, client},
    tshark::{count, frames},
};

/// The points: the client, both sides of the router, the server.
const POINTS: [(&str, &str); 4] =
    [("client", "eth0"), ("router", "toclient"), ("router", "toserver"), ("server", "eth0")];

/// Captures at all points while `statements` run at the client. Returns the report, and the packets that tshark counts
/// for a filter at each point.
fn watch(
    lab: &Lab,
    statements: &str,
    translations: Vec<Translation>,
    filter: &str,
) -> (JoinReport, Vec<u64>) {
    let server = lab.serve("server", SERVER);
    let captures = POINTS.map(|(name, device)| lab.capture(name, device));
    lab.send("client", &client(statements));
    let files = captures.map(|capture| capture.stop().0);
    drop(server);
    let points = vec![PointInfo { kernel_drops: Some(0), ..PointInfo::default() }; POINTS.len()];
    let mut join = Join::new(points, translations, Options::default());
    for (point, file) in files.iter().enumerate() {
        frames(file, |nanos, _, _, frame| join.add(point, nanos, frame));
    }
    (join.finish(), files.iter().map(|file| count(file, filter)).collect())
}

/// The router loses each third echo request, and the join finds each of them there.
#[test]
fn a_loss_in_the_router() {
    let lab = Lab::new();
    lab.rule("filter hook forward priority 0", "icmp type echo-request numgen inc mod 3 0 drop");
    let statements = "
import subprocess
# The captures begin before the first request.
transfer(8080, 10)
time.sleep(0.5)
subprocess.run(['ping', '-c', '12', '-i', '0.2', '-W', '1', SERVER])
time.sleep(1)
subprocess.run(['ping', '-c', '6', '-i', '0.2', '-W', '1', '10.77.1.2'])
transfer(8080, 10)
";
    let (report, counts) = watch(&lab, statements, Vec::new(), "icmp.type == 8 && ip.dst == 10.77.2.1");
    assert_eq!(counts, [12, 12, 8, 8], "tshark");
    let conversation = report
        .conversations
        .iter()
        .find(|found| {
            found.tuples[0].protocol == Protocol::Icmp
                && found.tuples[0].destination.address.to_string() == "10.77.2.1"
        })
        .expect("the echo requests");
    let [requests, replies] = &conversation.directions;
    assert_eq!(requests.stations.iter().map(|station| station.point).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(replies.stations.iter().map(|station| station.point).collect::<Vec<_>>(), [3, 2, 1, 0]);
    assert_eq!(requests.stations.iter().map(|station| station.packets).collect::<Vec<_>>(), counts);
    // The captures at the server's side end with the transfer, so that even the last request counts.
    let losses: Vec<_> = requests.losses.iter().map(|loss| (loss.after, loss.before, loss.packets)).collect();
    assert_eq!(losses, [(1, 2, 4)], "{requests:#?}");
    assert!(replies.losses.is_empty() && replies.unknown.is_empty(), "{replies:#?}");
    let changes = requests.stations[2].changes_since(&requests.stations[1]);
    assert_eq!(changes, [Change::TimeToLive(64, 63)]);
}

/// The router translates a service address. The join follows the packets with the translation and without it.
#[test]
fn a_translation() {
    for known in [true, false] {
        let lab = Lab::new();
        lab.rule(
            "nat hook prerouting priority -100",
            "ip daddr 10.77.1.2 tcp dport 80 dnat to 10.77.2.1:8080",
        );
        let statements = "
SERVER = '10.77.1.2'
transfer(80, 50000, source=44444)
";
        let end =
            |address: &str, port| End { address: address.parse().expect("an address"), port: Some(port) };
        let tuple =
            |destination| Tuple { protocol: Protocol::Tcp, source: end("10.77.1.1", 44444), destination };
        let before = tuple(end("10.77.1.2", 80));
        let after = tuple(end("10.77.2.1", 8080));
        let translations = if known { vec![Translation { before, after }] } else { Vec::new() };
        let (report, _) = watch(&lab, statements, translations, "tcp");
        let found: Vec<_> =
            report.conversations.iter().filter(|found| found.tuples[0].protocol == Protocol::Tcp).collect();
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].tuples, [before, after]);
        assert_eq!(found[0].inferred, !known);
        for direction in &found[0].directions {
            assert_eq!(direction.stations.len(), 4, "{direction:#?}");
            assert!(direction.losses.is_empty(), "{direction:#?}");
            assert!(direction.stations.iter().all(|station| station.packets == direction.packets));
        }
        let [forward, _] = &found[0].directions;
        let changes = forward.stations[2].changes_since(&forward.stations[1]);
        assert_eq!(changes[0], Change::Destination(before.destination, after.destination));
    }
}
