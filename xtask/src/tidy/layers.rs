//! What a layer consists of, and that its tools are tested.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Tree;

/// Where a stranger looks for things, in every layer.
const FILES: &[&str] = &["src/main.rs", "src/lib.rs", "src/commands.rs", "src/types.rs", "tests/golden.rs"];
const FOLDERS: &[&str] = &["src/tools", "tests/cases"];

/// Where a layer's tools are: each in a file of its own, and the audit beside its checks.
const TOOLS: &[&str] = &["tools", "checks"];

/// What insta puts between the file of a test and the name of its snapshot; a case's has the name alone.
const OF_A_TEST: &str = "__";

/// A layer has the files of every other layer.
pub(super) fn shape(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for layer in tree.layers() {
        let folder = &layer.folder;
        let files = FILES.iter().filter(|file| tree.text(&format!("{folder}/{file}")).is_none());
        problems.extend(files.map(|file| format!("{folder}/{file} is missing: every layer has one")));
        let folders =
            FOLDERS.iter().filter(|below| tree.below(&format!("{folder}/{below}")).next().is_none());
        problems.extend(
            folders.map(|below| format!("{folder}/{below} is missing or empty: every layer has one")),
        );
    }
    problems
}

/// A tool without a case is a tool that nobody tries.
pub(super) fn tools_have_cases(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for layer in tree.layers() {
        let folder = &layer.folder;
        let asked: BTreeSet<String> =
            cases(tree, folder).filter_map(|(_, case)| text(&case, "tool")).collect();
        for below in TOOLS {
            for (file, source) in tree.below(&format!("{folder}/src/{below}")) {
                for name in names(&source.text).filter(|name| !asked.contains(*name)) {
                    problems.push(format!(
                        "{folder}/src/{below}/{file}: `{name}` has no case: add one to tests/cases"
                    ));
                }
            }
        }
    }
    problems
}

/// The tools of a file.
fn names(source: &str) -> impl Iterator<Item = &str> {
    source.split("const NAME: &'static str = \"").skip(1).filter_map(|rest| rest.split('"').next())
}

/// What begins like a tool's name and is none.
const NO_TOOLS: &[&str] = &[
    "ip_route",
    "node_name",
    "node_not_ready",
    "ovn_cluster_router",
    "ovn_layer2_switch",
    "ovn_localnet_switch",
];

/// How the names of tools begin that are still to come: a layer that has one of them tells of it by itself.
const TO_COME: &[&str] = &["pwru_", "retis_", "tcpdump_"];

/// A prompt, an instruction or a description that names a tool which no layer has sends the model into the void.
pub(super) fn prompts_name_tools(tree: &Tree) -> Vec<String> {
    let of = |folder: String| tree.below(&folder).map(|(_, source)| source).collect::<Vec<_>>();
    let tools: BTreeSet<&str> = tree
        .layers()
        .flat_map(|layer| TOOLS.iter().flat_map(move |below| of(format!("{}/src/{below}", layer.folder))))
        .flat_map(|source| names(&source.text))
        .collect();
    // `ovn_`, `kubectl_`, `ip_`: no other word has these beginnings.
    let beginnings: BTreeSet<&str> = tools
        .iter()
        .filter_map(|name| name.split_inclusive('_').next())
        .filter(|b| b.ends_with('_'))
        .chain(TO_COME.iter().copied())
        .collect();
    let mut problems = Vec::new();
    for layer in tree.layers() {
        let folder = format!("{}/src", layer.folder);
        let prompts =
            tree.below(&folder).filter(|(file, _)| file.starts_with("prompts") || *file == "lib.rs");
        // Its descriptions are in the reference, word by word.
        let reference = format!("{}-tools.md", layer.name.trim_start_matches("mcp-"));
        let described = tree.below("docs/reference").filter(|(file, _)| *file == reference);
        for (_, source) in prompts.chain(described) {
            // Of a table of tools only what the model reads.
            let text = source.text.split_once(".instructions(").map_or(source.text.as_str(), |(_, text)| {
                text.split_once(".tools(vec!").map_or(text, |(instructions, _)| instructions)
            });
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let like_a_tool =
                words.filter(|word| beginnings.iter().any(|beginning| word.starts_with(beginning)));
            let unknown: BTreeSet<&str> = like_a_tool
                .filter(|word| !tools.contains(word) && !NO_TOOLS.contains(word) && !word.ends_with('_'))
                .collect();
            problems.extend(
                unknown
                    .iter()
                    .map(|word| format!("{} names `{word}`, which is no tool of any layer", source.path)),
            );
        }
    }
    problems
}

/// A case that was never accepted tests nothing; a snapshot that no case makes is never compared.
pub(super) fn cases_and_snapshots(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for layer in tree.layers() {
        let folder = &layer.folder;
        let stems = |below: &str, end: &str| -> BTreeSet<&str> {
            tree.below(&format!("{folder}/tests/{below}"))
                .filter_map(|(file, _)| file.strip_suffix(end))
                .collect()
        };
        let (cases, snapshots) = (stems("cases", ".json"), stems("snapshots", ".snap"));
        for name in cases.difference(&snapshots) {
            problems.push(format!(
                "{folder}/tests/cases/{name}.json has no snapshot: cargo xtask golden --accept"
            ));
        }
        for name in snapshots.difference(&cases).filter(|name| !name.contains(OF_A_TEST)) {
            problems.push(format!("{folder}/tests/snapshots/{name}.snap is of no case: delete it"));
        }
    }
    problems
}

/// Recordings that nobody reads go; a case needs something to read.
pub(super) fn scenarios(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    for layer in tree.layers() {
        for (path, case) in cases(tree, &layer.folder) {
            match text(&case, "scenario") {
                Some(scenario) => _ = named.insert(scenario),
                None => problems.push(format!("{path}: write {{\"scenario\", \"tool\", \"params\"}}")),
            }
        }
    }
    let recorded =
        tree.below("testdata").filter_map(|(file, _)| file.strip_suffix("/scenario.json")).map(str::to_owned);
    for scenario in recorded.filter(|scenario| !named.contains(scenario)) {
        problems.push(format!("testdata/{scenario} is recorded for no case: delete it"));
    }
    problems
}

fn cases<'a>(tree: &'a Tree, folder: &str) -> impl Iterator<Item = (&'a str, Value)> {
    let folder = format!("{folder}/tests/cases/");
    let files = tree.files.iter().filter(move |file| file.path.starts_with(&folder));
    files.map(|file| (file.path.as_str(), serde_json::from_str(&file.text).unwrap_or_default()))
}

fn text(case: &Value, key: &str) -> Option<String> {
    case.get(key)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::example::tree;
    use super::*;

    #[test]
    fn a_layer_without_its_files_is_found() {
        let mut tree = tree();
        tree.remove("crates/mcp-ovn/src/types.rs");
        tree.remove("crates/mcp-ovn/src/tools/show.rs");
        let wanted = [
            "crates/mcp-ovn/src/types.rs is missing: every layer has one",
            "crates/mcp-ovn/src/tools is missing or empty: every layer has one",
        ];
        assert_eq!(shape(&tree), wanted);
    }

    #[test]
    fn a_tool_without_a_case_is_found() {
        let mut tree = tree();
        tree.add("crates/mcp-ovn/src/tools/list.rs", "    const NAME: &'static str = \"list\";\n");
        let wanted = "crates/mcp-ovn/src/tools/list.rs: `list` has no case: add one to tests/cases";
        assert_eq!(tools_have_cases(&tree), [wanted]);
    }

    #[test]
    fn a_tool_that_only_a_prompt_knows_is_found() {
        let mut tree = tree();
        tree.add("crates/mcp-ovn/src/tools/list.rs", "    const NAME: &'static str = \"ovn_list\";\n");
        tree.add(
            "crates/mcp-ovn/src/prompts/triage.md",
            "1. ovn_list of=ovn_cluster_router\n2. ovn_show ovn_\n3. tcpdump of tcpdump_capture",
        );
        tree.add("docs/reference/ovn-tools.md", "ovn_list, then ovn_trace");
        let wanted = [
            "crates/mcp-ovn/src/prompts/triage.md names `ovn_show`, which is no tool of any layer",
            "crates/mcp-ovn/src/prompts/triage.md names `tcpdump_capture`, which is no tool of any layer",
            "docs/reference/ovn-tools.md names `ovn_trace`, which is no tool of any layer",
        ];
        assert_eq!(prompts_name_tools(&tree), wanted);
    }

    #[test]
    fn a_case_or_a_snapshot_alone_is_found() {
        let mut tree = tree();
        tree.remove("crates/mcp-ovn/tests/snapshots/show.snap");
        tree.add("crates/mcp-ovn/tests/snapshots/old.snap", "");
        tree.add("crates/mcp-ovn/tests/snapshots/server__tools_list.snap", "");
        let wanted = [
            "crates/mcp-ovn/tests/cases/show.json has no snapshot: cargo xtask golden --accept",
            "crates/mcp-ovn/tests/snapshots/old.snap is of no case: delete it",
        ];
        assert_eq!(cases_and_snapshots(&tree), wanted);
    }

    #[test]
    fn recordings_that_no_case_reads_are_found() {
        let mut tree = tree();
        tree.add("testdata/old/scenario.json", "{}");
        tree.add("crates/mcp-ovn/tests/cases/show.json", "{}");
        let wanted = [
            "crates/mcp-ovn/tests/cases/show.json: write {\"scenario\", \"tool\", \"params\"}",
            "testdata/lab is recorded for no case: delete it",
            "testdata/old is recorded for no case: delete it",
        ];
        assert_eq!(scenarios(&tree), wanted);
    }
}
