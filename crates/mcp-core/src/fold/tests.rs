use super::*;
use crate::{Fact, RowIdentity};

/// Compares the rows that all nodes were asked for.
fn fold_all(answers: &[(NodeName, Answer)]) -> FoldedAnswers {
    fold(answers, &[], |row| !row.unasked)
}

/// Returns the differences without the texts of the rows.
fn differences(answers: &[(NodeName, Answer)]) -> Vec<String> {
    fold_all(answers).differences.into_iter().map(|difference| difference.text).collect()
}

fn all_keys(of: &[FoldedRow]) -> String {
    format!("{}: {}", count(of.len()), keys(of))
}

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
    let field = |(name, values): &(&str, &[&str])| RowField {
        name: (*name).into(),
        values: values.iter().map(|v| (*v).to_owned()).collect(),
        spanning: true,
    };
    Row::with(
        key,
        RowIdentity { key: key.into(), fields: fields.iter().map(field).collect(), ..RowIdentity::default() },
    )
}

fn local(key: &str) -> Row {
    Row::with(key, RowIdentity { key: key.into(), local: true, ..RowIdentity::default() })
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
    let at = rows.iter().position(|row| row.text == key).expect("the row exists");
    rows.remove(at);
    rows.extend(with);
}

#[test]
fn healthy_zones_do_not_differ() {
    let folded = fold_all(&healthy());
    assert!(folded.differences.is_empty(), "{folded:?}");
    assert_eq!(
        all_keys(&folded.same),
        "5 rows: join; GR_<node>; tstor-<node>; tstor-<peer>; <peer subnet> via <peer transit address>"
    );
    assert_eq!(all_keys(&folded.own), "3 rows: pod-of-2 on a; pod-of-3 on b; pod-of-4 on c");
}

#[test]
fn a_value_that_differs_is_named_with_its_meaning() {
    let mut zones = healthy();
    change(&mut zones, 1, "tstor-a", Some(row("tstor-a", &[("key", &["9"])])));
    assert_eq!(
        differences(&zones),
        ["tstor-<peer>: key differs\n    b for peer a: 9\n    \
             a for peer b, a for peer c, b for peer c, c for peer a, c for peer b: <peer tunnel key>"]
    );
}

#[test]
fn a_nodes_own_value_is_compared_with_what_its_peers_have() {
    let mut zones = healthy();
    // The value that node a has for itself changes, so both others now have a wrong value for it.
    zones[0].1.facts.iter_mut().filter(|f| f.kind == "tunnel key").for_each(|f| f.value = "9".into());
    change(&mut zones, 0, "tstor-a", Some(row("tstor-a", &[("key", &["9"])])));
    let seen = differences(&zones);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].contains("b for peer a, c for peer a: 2"), "{seen:?}");
}

#[test]
fn a_route_to_one_peer_that_is_missing() {
    let mut zones = healthy();
    change(&mut zones, 2, "10.244.3.0/24 via 100.88.0.3", None);
    assert_eq!(
        differences(&zones),
        ["missing on c for peer b (10.244.3.0/24 via 100.88.0.3): <peer subnet> via <peer transit address>"]
    );
}

#[test]
fn with_two_nodes_a_missing_route_is_seen_by_what_the_other_has() {
    let mut zones = healthy();
    zones.truncate(2);
    // Node c is not read. Both other nodes have the same text for it.
    change(&mut zones, 0, "10.244.3.0/24 via 100.88.0.3", None);
    assert_eq!(
        differences(&zones),
        [concat!(
            "missing on a for peer b (10.244.3.0/24 via 100.88.0.3), present on b for peer a ",
            "(10.244.2.0/24 via 100.88.0.2): <peer subnet> via <peer transit address>"
        )]
    );
}

#[test]
fn a_member_of_a_set_that_is_missing_or_extra() {
    let mut zones = healthy();
    change(&mut zones, 0, "join", Some(row("join", &[("members", &["y"])])));
    change(&mut zones, 2, "join", Some(row("join", &[("members", &["x", "y", "z"])])));
    assert_eq!(differences(&zones), ["join: members differs\n    x: missing on a\n    z: only on c"]);
}

#[test]
fn a_row_that_only_one_node_has() {
    let mut zones = healthy();
    zones[1].1.rows.push(row("leftover", &[]));
    assert_eq!(differences(&zones), ["only on b: leftover"]);
}

#[test]
fn a_row_that_a_node_has_twice() {
    let mut zones = healthy();
    zones[1].1.rows.push(row("join", &[("members", &["x", "y"])]));
    assert_eq!(differences(&zones), ["only on b: join (occurrence 2)"]);
}

#[test]
fn a_row_that_is_local_on_one_node_only_is_expected_on_all_nodes() {
    let mut zones = healthy();
    zones[0].1.rows.push(local("layer2-pod"));
    zones[1].1.rows.push(row("layer2-pod", &[]));
    assert_eq!(differences(&zones), ["missing on c: layer2-pod"]);
}

#[test]
fn roles_are_compared_in_their_spanning_fields_only() {
    let port = |role, kind: &str, address: &str| {
        let field = |name: &str, value: &str, spanning| RowField {
            name: name.into(),
            values: vec![value.into()],
            spanning,
        };
        let fields = vec![field("type", kind, false), field("address", address, true)];
        Row::with("port", RowIdentity { key: "port".into(), role, fields, ..RowIdentity::default() })
    };
    let mut zones = healthy();
    for (zone, row) in zones.iter_mut().zip([
        port("own", "", "1"),
        port("remote", "remote", "1"),
        port("remote", "remote", "1"),
    ]) {
        zone.1.rows.push(row);
    }
    assert!(differences(&zones).is_empty());
    zones[2].1.rows.pop();
    zones[2].1.rows.push(port("remote", "", "2"));
    assert_eq!(
        differences(&zones),
        ["port: address differs\n    c: 2\n    a, b: 1\nport: type differs\n    c: \n    b: remote"]
    );
}

#[test]
fn a_row_about_a_peer_has_the_same_role_on_every_node() {
    let mut zones = healthy();
    for row in zones.iter_mut().flat_map(|(_, answer)| &mut answer.rows) {
        if let (true, Some(identity)) = (row.text.starts_with("tstor-"), &mut row.identity) {
            identity.role = "remote";
            identity.fields.push(RowField { spanning: false, ..RowField::one("type", "remote") });
        }
    }
    assert!(differences(&zones).is_empty());
    let identity =
        zones[0].1.rows.iter_mut().find(|row| row.text == "tstor-b").and_then(|row| row.identity.as_mut());
    let identity = identity.unwrap();
    identity.role = "own";
    identity.fields[1].values = vec!["remxte".into()];
    let seen = differences(&zones);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].starts_with("tstor-<peer>: type differs\n    a for peer b: remxte\n"), "{seen:?}");
}

#[test]
fn a_comparison_of_three_hundred_nodes_takes_a_few_lines() {
    let zone = |n: usize| {
        let name = format!("node-{n}");
        let fact = Fact { kind: Fact::NAME.into(), value: name.clone(), field: None };
        let rows = (0..300).map(|peer| row(&format!("tstor-node-{peer}"), &[])).collect();
        (name.parse().unwrap(), Answer { rows, facts: vec![fact], ..Answer::default() })
    };
    let mut zones: Vec<(NodeName, Answer)> = (0..300).map(zone).collect();
    zones[17].1.rows.retain(|row| row.text != "tstor-node-4");
    let folded = fold_all(&zones);
    assert_eq!(differences(&zones), ["missing on node-17 for peer node-4 (tstor-node-4): tstor-<peer>"]);
    assert!(keys(&folded.same).len() < 1_000);
    assert!(
        folded.differences[0].rows.len() + folded.same.iter().map(|of| of.rows.len()).sum::<usize>() < 2_000
    );
}

#[test]
fn the_only_value_of_an_equal_row_is_shown() {
    let zone = |name: &str| {
        let rows = vec![
            row("state", &[("value", &["lags"])]),
            row("long", &[("value", &["x".repeat(50).as_str()])]),
        ];
        (name.parse().unwrap(), Answer { rows, ..Answer::default() })
    };
    assert_eq!(all_keys(&fold_all(&[zone("a"), zone("b")]).same), "2 rows: long; state (lags)");
}

#[test]
fn a_difference_is_reported_if_the_filter_matches_any_of_its_rows() {
    let mut zones = healthy();
    change(
        &mut zones,
        1,
        "join",
        Some(Row { text: "join with z".into(), ..row("join", &[("members", &["x", "z"])]) }),
    );
    for asked in ["z", "join"] {
        let folded = fold(&zones, &[], |row| row.text.contains(asked));
        assert_eq!(
            folded.differences.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(),
            ["join: members differs\n    y: missing on b\n    z: only on b"],
            "asked for {asked}"
        );
        assert_eq!(folded.differences[0].rows, "\n  on b: join with z");
    }
    assert!(fold(&zones, &[], |row| row.text.contains("pod-of-2")).differences.is_empty());
}

#[test]
fn the_text_of_equal_rows_is_kept() {
    let mut zones = healthy();
    for (node, (name, zone)) in zones.iter_mut().enumerate() {
        let text = format!("rule on {name}\n  hits {}", node / 2);
        zone.rows.push(Row { text, ..row("rule", &[]) });
        zone.rows.push(Row { text: "equal\n  in two lines".into(), ..row("equal", &[]) });
    }
    let folded = fold_all(&zones);
    let rows = |key: &str| folded.same.iter().find(|it| it.key == key).unwrap().rows.clone();
    assert_eq!(rows("equal"), "equal\n  in two lines");
    assert_eq!(
        rows("rule"),
        "rule\n  on a: rule on a\n    hits 0\n  on b: rule on b\n    hits 0\n  on c: rule on c\n    hits 1"
    );
}

#[test]
fn a_dependent_row_is_missing_only_on_nodes_that_have_its_dependency() {
    let mut zones = healthy();
    let of_group = || {
        let identity =
            RowIdentity { key: "flow".into(), needs: Some("group".into()), ..RowIdentity::default() };
        Row::with("flow", identity)
    };
    zones[0].1.rows.push(of_group());
    zones[0].1.has.insert("group".into());
    assert!(differences(&zones).is_empty());
    // The row was compared with no other row, so it does not count as equal.
    let folded = fold_all(&zones);
    assert!(folded.own.iter().any(|row| row.key == "flow on a"), "{:?}", folded.own);
    assert!(folded.same.iter().all(|row| row.key != "flow"), "{:?}", folded.same);
    zones[1].1.has.insert("group".into());
    assert_eq!(differences(&zones), ["missing on b: flow"]);
}

#[test]
fn a_changed_order_of_a_list_is_reported() {
    let rule = |text: &str| {
        let identity =
            RowIdentity { key: text.into(), sequence: Some("chain c".into()), ..RowIdentity::default() };
        Row::with(text, identity)
    };
    let chain = |rules: &[&str]| rules.iter().copied().map(rule).collect::<Vec<_>>();
    let mut zones = healthy();
    zones[0].1.rows.extend(chain(&["accept web", "drop all", "return"]));
    zones[1].1.rows.extend(chain(&["drop all", "accept web", "return"]));
    // An extra rule is an extra row and does not change the order.
    zones[2].1.rows.extend(chain(&["accept web", "log", "drop all", "return"]));
    let folded = fold_all(&zones);
    let texts: Vec<_> = folded.differences.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["only on c: log", "chain c: the order of its rows differs on b"]);
    assert_eq!(
        folded.differences[1].rows,
        "\n  on b:\n    drop all\n    accept web\n  on a, c:\n    accept web\n    drop all"
    );
}

#[test]
fn redacted_values_are_not_compared() {
    let zone = |name: &str| {
        let rows = vec![row("tunnel", &[("options:psk", &["[redacted]"]), ("type", &["geneve"])])];
        (name.parse().unwrap(), Answer { rows, ..Answer::default() })
    };
    let folded = fold_all(&[zone("a"), zone("b")]);
    assert!(folded.differences.is_empty());
    assert_eq!(folded.hidden.into_iter().collect::<Vec<_>>(), ["options:psk"]);
}
