use super::*;
use crate::{Fact, Identity};

fn facts(name: &str, n: u8) -> Vec<Fact> {
    let fact = |kind: &str, value: String, field| Fact { kind: kind.into(), value, field };
    vec![
        fact(Fact::NAME, name.into(), None),
        fact("subnet", format!("10.244.{n}.0/24"), None),
        fact("transit address", format!("100.88.0.{n}"), None),
        fact("tunnel key", n.to_string(), Some("key")),
    ]
}

fn row(key: &str, fields: &[(&str, &[&str])]) -> Row {
    let field = |(name, values): &(&str, &[&str])| Field {
        name: (*name).into(),
        values: values.iter().map(|v| (*v).to_owned()).collect(),
        spanning: true,
    };
    Row::with(
        key,
        Identity { key: key.into(), fields: fields.iter().map(field).collect(), ..Identity::default() },
    )
}

fn local(key: &str) -> Row {
    Row::with(key, Identity { key: key.into(), local: true, ..Identity::default() })
}

/// The rows of three healthy zones, `a`, `b` and `c`.
fn healthy() -> Vec<(NodeName, Answer)> {
    let names = [("a", 2), ("b", 3), ("c", 4)];
    let zone = |(name, n): (&str, u8)| {
        let mut rows = vec![
            row("join", &[("members", &["x", "y"])]),
            row(&format!("GR_{name}"), &[("address", &[&format!("100.88.0.{n}")])]),
            local(&format!("pod-of-{n}")),
        ];
        for (peer, p) in names {
            rows.push(row(&format!("tstor-{peer}"), &[("key", &[&p.to_string()])]));
            if peer != name {
                rows.push(row(&format!("10.244.{p}.0/24 via 100.88.0.{p}"), &[]));
            }
        }
        (name.parse().unwrap(), Answer { rows, facts: facts(name, n), ..Answer::default() })
    };
    names.into_iter().map(zone).collect()
}

fn change(zones: &mut [(NodeName, Answer)], node: usize, key: &str, with: Option<Row>) {
    let rows = &mut zones[node].1.rows;
    let at = rows.iter().position(|row| row.text == key).expect("there is such a row");
    rows.remove(at);
    rows.extend(with);
}

#[test]
fn healthy_zones_do_not_differ() {
    let folded = fold(&healthy());
    assert_eq!(folded.differences, Vec::<String>::new());
    assert_eq!(
        folded.summary,
        [
            "the same on all 3 nodes: 5 rows: join; GR_<node>; tstor-<node>; tstor-<peer>; <peer subnet> via <peer transit address>",
            "of one node only, as expected: 3 rows: pod-of-2 on a; pod-of-3 on b; pod-of-4 on c",
        ]
    );
}

#[test]
fn a_value_that_differs_is_named_with_its_meaning() {
    let mut zones = healthy();
    change(&mut zones, 1, "tstor-a", Some(row("tstor-a", &[("key", &["9"])])));
    assert_eq!(
        fold(&zones).differences,
        [
            "tstor-<peer>: key differs\n    b about a: 9\n    a about b, a about c, b about c, c about a, c about b: <peer tunnel key>"
        ]
    );
}

#[test]
fn the_owners_own_value_is_compared_with_what_the_others_have() {
    let mut zones = healthy();
    // What node a says of itself changes: now both others are wrong about it.
    zones[0].1.facts.iter_mut().filter(|f| f.kind == "tunnel key").for_each(|f| f.value = "9".into());
    change(&mut zones, 0, "tstor-a", Some(row("tstor-a", &[("key", &["9"])])));
    let seen = fold(&zones).differences;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].contains("b about a, c about a: 2"), "{seen:?}");
}

#[test]
fn a_route_to_one_peer_that_is_missing() {
    let mut zones = healthy();
    change(&mut zones, 2, "10.244.3.0/24 via 100.88.0.3", None);
    assert_eq!(
        fold(&zones).differences,
        ["missing on c about b (10.244.3.0/24 via 100.88.0.3): <peer subnet> via <peer transit address>"]
    );
}

#[test]
fn with_two_nodes_a_missing_route_is_seen_by_what_the_other_has() {
    let mut zones = healthy();
    zones.truncate(2);
    // Node c is not asked: what the others have for it is the same text on both.
    change(&mut zones, 0, "10.244.3.0/24 via 100.88.0.3", None);
    assert_eq!(
        fold(&zones).differences,
        [concat!(
            "missing on a about b (10.244.3.0/24 via 100.88.0.3), there on b about a ",
            "(10.244.2.0/24 via 100.88.0.2): <peer subnet> via <peer transit address>"
        )]
    );
}

#[test]
fn a_member_of_a_set_that_is_missing_or_extra() {
    let mut zones = healthy();
    change(&mut zones, 0, "join", Some(row("join", &[("members", &["y"])])));
    change(&mut zones, 2, "join", Some(row("join", &[("members", &["x", "y", "z"])])));
    assert_eq!(fold(&zones).differences, ["join: members differs\n    x: missing on a\n    z: only on c"]);
}

#[test]
fn a_row_that_only_one_node_has() {
    let mut zones = healthy();
    zones[1].1.rows.push(row("leftover", &[]));
    assert_eq!(fold(&zones).differences, ["only on b: leftover"]);
}

#[test]
fn a_row_that_a_node_has_twice() {
    let mut zones = healthy();
    zones[1].1.rows.push(row("join", &[("members", &["x", "y"])]));
    assert_eq!(fold(&zones).differences, ["only on b: join (occurrence 2)"]);
}

#[test]
fn what_is_local_on_its_node_and_elsewhere_not_is_expected_everywhere() {
    let mut zones = healthy();
    zones[0].1.rows.push(local("layer2-pod"));
    zones[1].1.rows.push(row("layer2-pod", &[]));
    assert_eq!(fold(&zones).differences, ["missing on c: layer2-pod"]);
}

#[test]
fn roles_are_compared_in_their_spanning_fields_only() {
    let port = |role, kind: &str, address: &str| {
        let field = |name: &str, value: &str, spanning| Field {
            name: name.into(),
            values: vec![value.into()],
            spanning,
        };
        let fields = vec![field("type", kind, false), field("address", address, true)];
        Row::with("port", Identity { key: "port".into(), role, fields, ..Identity::default() })
    };
    let mut zones = healthy();
    for (zone, row) in zones.iter_mut().zip([
        port("own", "", "1"),
        port("remote", "remote", "1"),
        port("remote", "remote", "1"),
    ]) {
        zone.1.rows.push(row);
    }
    assert!(fold(&zones).differences.is_empty());
    zones[2].1.rows.pop();
    zones[2].1.rows.push(port("remote", "", "2"));
    assert_eq!(
        fold(&zones).differences,
        ["port: address differs\n    c: 2\n    a, b: 1", "port: type differs\n    c: \n    b: remote"]
    );
}

#[test]
fn three_hundred_nodes_are_folded_into_a_few_lines() {
    let zone = |n: usize| {
        let name = format!("node-{n}");
        let fact = Fact { kind: Fact::NAME.into(), value: name.clone(), field: None };
        let rows = (0..300).map(|peer| row(&format!("tstor-node-{peer}"), &[])).collect();
        (name.parse().unwrap(), Answer { rows, facts: vec![fact], ..Answer::default() })
    };
    let mut zones: Vec<(NodeName, Answer)> = (0..300).map(zone).collect();
    zones[17].1.rows.retain(|row| row.text != "tstor-node-4");
    let folded = fold(&zones);
    assert_eq!(folded.differences, ["missing on node-17 about node-4 (tstor-node-4): tstor-<peer>"]);
    assert!(folded.summary.iter().map(String::len).sum::<usize>() < 1_000);
}

#[test]
fn a_value_that_is_all_of_a_row_is_shown_when_it_is_the_same() {
    let zone = |name: &str| {
        let rows = vec![
            row("state", &[("value", &["lags"])]),
            row("long", &[("value", &["x".repeat(50).as_str()])]),
        ];
        (name.parse().unwrap(), Answer { rows, ..Answer::default() })
    };
    assert_eq!(
        fold(&[zone("a"), zone("b")]).summary,
        ["the same on all 2 nodes: 2 rows: long; state (lags)"]
    );
}

#[test]
fn secrets_are_not_said_to_be_the_same() {
    let zone = |name: &str| {
        let rows = vec![row("tunnel", &[("options:psk", &["[redacted]"]), ("type", &["geneve"])])];
        (name.parse().unwrap(), Answer { rows, ..Answer::default() })
    };
    let folded = fold(&[zone("a"), zone("b")]);
    assert_eq!(folded.differences, Vec::<String>::new());
    assert_eq!(
        folded.summary,
        [
            "the same on all 2 nodes: 1 row: tunnel",
            "not compared, because the values are redacted: options:psk"
        ]
    );
}
