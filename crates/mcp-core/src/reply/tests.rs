use super::*;
use crate::{Origin, evidence::EvidenceStore};

fn node_answer(name: &str, answer: Answer) -> NodeAnswer {
    let origins = vec![Origin::new("file", "2026-11-22T08:35:03Z".parse().ok())];
    NodeAnswer {
        node: name.parse().unwrap(),
        subject: format!("on {name}"),
        result: Ok(answer),
        given: NodeEvidence { node: Some(name.into()), origins, notes: Vec::new() },
    }
}

fn rows(n: usize) -> Answer {
    Answer { rows: (0..n).map(|i| Row::line(format!("row {i}"))).collect(), ..Answer::default() }
}

fn page(offset: usize, limit: Option<usize>) -> Page {
    Page { grep: None, offset, limit }
}

/// Returns the reply to a call whose nodes gave these answers.
fn reply(many: Many, answers: Vec<NodeAnswer>, page: &Page, budget: Budget) -> Result<String, ToolError> {
    let evidence = EvidenceStore::new("mcp-test");
    let record = evidence.record("rows", &serde_json::Map::new());
    let about = ReplyHeader { title: "rows", source: "source", record: &record, form: ReplyForm::Text };
    of_nodes(about, ComparisonContext { many, others: &[] }, answers, page, budget)
}

fn text(answer: Answer, page: &Page, budget: Budget) -> String {
    reply(Many::Compare, vec![node_answer("n", answer)], page, budget).unwrap()
}

/// Returns the reply of several nodes without its first line.
fn of_several(many: Many, answers: Vec<Answer>, grep: Option<&str>) -> String {
    let names = ["a", "b", "c"].into_iter();
    let answers = names.zip(answers).map(|(name, answer)| node_answer(name, answer)).collect();
    let page = Page { grep: grep.map(|grep| Pattern::new(grep).unwrap()), ..Page::default() };
    let text = reply(many, answers, &page, Budget::default()).unwrap();
    text.lines().skip_while(|line| line.starts_with("# ")).map(|line| format!("{line}\n")).collect()
}

fn balancer(backend: &str) -> Row {
    let fields = vec![crate::RowField::one("backend", backend)];
    let identity = crate::RowIdentity { key: "web".into(), fields, ..crate::RowIdentity::default() };
    Row::with(format!("web -> {backend}"), identity)
}

fn of_rows(rows: Vec<Row>) -> Answer {
    Answer { rows, if_empty: "the table is empty".into(), ..Answer::default() }
}

#[test]
fn a_filter_keeps_differing_rows_whole_and_reports_none_as_missing() {
    let answers = || ["10.0.0.1", "10.0.0.1", "10.0.0.9"].map(|ip| of_rows(vec![balancer(ip)])).to_vec();
    let expected = "different: 1 row; compared and equal: 0 rows\nweb: backend differs\n    c: 10.0.0.9\n    a, b: \
                    10.0.0.1\n  on c: web -> 10.0.0.9\n  on a: web -> 10.0.0.1\n";
    for grep in [None, Some("10.0.0.1"), Some("10.0.0.9")] {
        assert_eq!(of_several(Many::Compare, answers(), grep), expected, "{grep:?}");
    }
    // A filter of the tool itself has the same effect.
    let mut marked = answers();
    marked[..2].iter_mut().flat_map(|answer| &mut answer.rows).for_each(|row| row.unasked = true);
    assert_eq!(of_several(Many::Compare, marked, None), expected);
}

#[test]
fn no_match_not_compared_and_equal_are_three_answers() {
    let equal = || vec![of_rows(vec![balancer("10.0.0.1")]); 3];
    assert_eq!(
        of_several(Many::Compare, equal(), Some("web")),
        "compared and equal: 1 row\nequal on all 3 nodes:\nweb -> 10.0.0.1\n"
    );
    assert_eq!(
        of_several(Many::Compare, equal(), Some("absent")),
        "no row matches on any node: grep=absent searched the shown text of 3 rows\n"
    );
    assert_eq!(
        of_several(Many::Compare, vec![of_rows(Vec::new()); 3], None),
        "no row matches on any node: the table is empty\n"
    );
    assert_eq!(
        of_several(Many::Each { because: "each has its own" }, equal(), None),
        "not compared, because each has its own\na:\nweb -> 10.0.0.1\nb:\nweb -> 10.0.0.1\nc:\nweb -> 10.0.0.1\n"
    );
    let mut left_out: Vec<Answer> = vec![of_rows((0..5).map(|n| Row::line(format!("row {n}"))).collect()); 3];
    left_out[0].not_compared.push("column ports (the pods of the node)".into());
    assert_eq!(
        of_several(Many::Compare, left_out, None),
        "compared and equal: 5 rows: row 0; row 1; row 2; row 3; row 4\nnot compared: column ports (the pods of the \
         node)\nno difference in the compared fields\n"
    );
}

#[test]
fn each_node_has_an_equal_share_of_the_room() {
    let answers = ["a", "b", "c"].map(|name| node_answer(name, rows(1000))).into();
    let many = Many::Each { because: "so" };
    let text = reply(many, answers, &Page::default(), Budget::default()).unwrap();
    for node in ["a", "b", "c"] {
        assert!(text.contains(&format!("\n{node}:\nrow 0\n")), "{text}");
        assert!(
            text.contains(&format!("  … 869 rows left out: pass node_name={node} to list them\n")),
            "{text}"
        );
    }
}

#[test]
fn the_first_line_names_the_source_and_the_last_line_says_what_was_cut() {
    let text = text(rows(5), &page(1, Some(2)), Budget::default());
    assert_eq!(
        text,
        "# rows on n, from source, 2026-11-22T08:35:03Z; evidence://mcp-test/e2631532\nrow 1\nrow 2\nnote: rows 2 to 3 of 5; offset=3 shows the next rows\n"
    );
}

#[test]
fn every_answer_is_bounded_and_paging_reaches_every_row() {
    let budget = Budget { lines: 400, bytes: 2_000 };
    let (mut offset, mut seen) = (0, 0);
    while offset < 1000 {
        let text = text(rows(1000), &page(offset, None), budget);
        assert!(text.len() <= budget.bytes, "{}", text.len());
        let shown = text.lines().filter(|line| line.starts_with("row ")).count();
        assert!(shown > 0);
        (offset, seen) = (offset + shown, seen + shown);
    }
    assert_eq!(seen, 1000);
    let lines =
        text(rows(1000), &page(0, None), Budget::default()).lines().filter(|l| l.starts_with("row ")).count();
    assert_eq!(lines, 400);
}

#[test]
fn a_row_larger_than_the_budget_is_cut_with_a_note() {
    let answer = Answer { rows: vec![Row::line("é".repeat(5_000)), Row::line("next")], ..Answer::default() };
    let text = text(answer, &page(0, None), Budget { lines: 400, bytes: 2_000 });
    assert!(text.len() <= 2_000, "{}", text.len());
    assert!(text.contains("note: this row was cut; the full row has 10000 bytes"), "{text}");
    assert!(text.contains("rows 1 to 1 of 2; offset=1"), "{text}");
}

#[test]
fn no_rows_a_page_past_the_end_and_no_match_are_three_answers() {
    let empty = Answer { if_empty: "table X is empty".into(), ..Answer::default() };
    assert!(text(empty, &page(0, None), Budget::default()).ends_with("table X is empty\n"));
    assert!(
        text(rows(3), &page(7, None), Budget::default())
            .ends_with("note: offset=7 is past the end: there are only 3 rows\n")
    );
    let grep = Page { grep: Pattern::new("absent").ok(), ..Page::default() };
    let answer = Answer { if_empty: "table X is empty".into(), ..rows(3) };
    assert!(
        text(answer, &grep, Budget::default())
            .ends_with("none of the 3 rows matches grep=absent; grep searches the text that is shown\n")
    );
}

#[test]
fn grep_does_not_search_secrets() {
    let found = |grep: &str| {
        let grep = Page { grep: Pattern::new(grep).ok(), ..Page::default() };
        let rows = vec![Row::line("options: {psk=hunter2}")];
        !text(Answer { rows, ..Answer::default() }, &grep, Budget::default())
            .contains("none of the 1 rows matches")
    };
    assert!(found("psk"));
    assert!(!found("hunter"));
    let (right, wrong) = (r"psk=(hunter2|\[redacted)", r"psk=(hunter3|\[redacted)");
    assert_eq!(found(right), found(wrong));
}

#[test]
fn grep_stops_when_its_call_ends() {
    let grep = Page { grep: Pattern::new("row").ok(), ..Page::default() };
    let search = || reply(Many::Compare, vec![node_answer("n", rows(3))], &grep, Budget::default());
    assert!(search().unwrap().contains("row 2"));
    let error = Deadline::within(std::time::Duration::ZERO).during(search).unwrap_err();
    assert!(error.report().contains("grep in 3 rows"), "{}", error.report());
}

#[test]
fn a_node_that_fails_is_named_and_the_others_are_compared() {
    let mut answers: Vec<NodeAnswer> = ["a", "b", "c"].map(|name| node_answer(name, rows(2))).into();
    answers[1].result = Err(ToolError::bad("it is broken", "mend it"));
    answers[0].given.notes.push("odd".into());
    let text = reply(Many::Compare, answers, &Page::default(), Budget::default()).unwrap();
    assert!(text.contains("compared and equal: 2 rows\nequal on all 2 nodes:\nrow 0\nrow 1\n"), "{text}");
    assert!(
        text.contains("note: b gave no answer and is not compared: it is broken\nnote: a: odd\n"),
        "{text}"
    );
    let failed = ["a", "b"].map(|name| NodeAnswer {
        result: Err(ToolError::bad(format!("{name} is broken"), "mend it")),
        ..node_answer(name, rows(0))
    });
    let error = reply(Many::Compare, failed.into(), &Page::default(), Budget::default()).unwrap_err();
    assert!(
        error
            .report()
            .starts_with("error: none of the 2 nodes answered\n  a: a is broken\n  b: b is broken\nhint: ")
    );
}

/// The newest lines of a log come last, so a reply of several nodes leaves out the oldest ones.
#[test]
fn the_last_rows_of_each_node_are_kept_if_the_end_matters() {
    let answer = || Answer { ends_matter: true, ..rows(1_000) };
    let many = Many::Each { because: "a test" };
    let text = of_several(many, vec![answer(), answer()], None);
    for node in ["a", "b"] {
        let of_node = text.split(&format!("{node}:\n")).nth(1).unwrap();
        let first = of_node.lines().next().unwrap();
        assert!(
            first.ends_with(&format!("rows before these left out: pass node_name={node} to list them")),
            "{first}"
        );
        assert!(of_node.split("b:\n").next().unwrap().contains("row 998\nrow 999\n"), "{of_node}");
        assert!(!of_node.contains("row 0\n"), "{of_node}");
    }
    let few = Answer { ends_matter: true, ..rows(3) };
    assert_eq!(
        of_several(many, vec![few, rows(1)], None),
        "not compared, because a test\na:\nrow 0\nrow 1\nrow 2\nb:\nrow 0\n"
    );
    let first = of_several(many, vec![rows(1_000), rows(1)], None);
    assert!(first.contains("a:\nrow 0\n") && first.contains("rows left out: pass node_name=a"), "{first}");
}

#[test]
fn headings_without_a_matching_row_are_named() {
    let row = |text: &str, heading: &str| Row::line(text).under(&heading.into());
    let all = of_rows(vec![row("x", "pods:\nNAME"), row("y", "services:\nNAME"), row("x y", "nodes:\nNAME")]);
    let page = Page { grep: Some(Pattern::new("x").unwrap()), ..Page::default() };
    let shown = text(all, &page, Budget::default());
    assert!(
        shown.ends_with("pods:\nNAME\nx\nnodes:\nNAME\nx y\nnote: grep=x matches no row under services\n"),
        "{shown}"
    );
}

#[test]
fn the_names_in_the_shown_rows_are_explained() {
    let meanings = BTreeMap::from([
        ("@a1".to_owned(), "Namespace:shop".to_owned()),
        ("$a1".to_owned(), "Namespace:shop:v4".to_owned()),
        ("@a12".to_owned(), "Namespace:other".to_owned()),
    ]);
    let rows = ["outport == @a1 && ip4.src == {$a1}", "ip4", "outport == @a12"].map(Row::line).to_vec();
    let answer = || Answer { rows: rows.clone(), meanings: meanings.clone(), ..Answer::default() };
    let first = text(answer(), &page(0, Some(1)), Budget::default());
    assert!(first.ends_with("note: @a1 is Namespace:shop; $a1 is Namespace:shop:v4\n"), "{first}");
    let second = text(answer(), &page(1, Some(1)), Budget::default());
    assert!(!second.contains(" is "), "{second}");
    let several = of_several(Many::Compare, vec![answer(), answer()], None);
    assert!(several.ends_with("$a1 is Namespace:shop:v4; @a12 is Namespace:other\n"), "{several}");
    let many: BTreeMap<String, String> =
        (0..100).map(|n| (format!("@a{n}"), format!("NetworkPolicy:shop:{n}:Ingress"))).collect();
    let row = Row::line(many.keys().cloned().collect::<Vec<_>>().join(" "));
    let cut = text(
        Answer { rows: vec![row], meanings: many, ..Answer::default() },
        &page(0, None),
        Budget::default(),
    );
    assert!(cut.trim_end().ends_with("more names are not explained"), "{cut}");
}
