//! Checks the files of a layer, and that its tools are tested.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Tree;

/// The files that every layer has, so that a new contributor finds the same structure in each.
const FILES: &[&str] = &["src/main.rs", "src/lib.rs", "src/commands.rs", "src/types.rs", "tests/golden.rs"];
const FOLDERS: &[&str] = &["src/tools", "tests/cases"];

/// The folders of a layer's tools: each tool in its own file, and the audit next to its checks.
const TOOLS: &[&str] = &["tools", "checks"];

/// The separator that insta puts between the file of a test and the name of its snapshot; the snapshot of a case has
/// the name alone.
const TEST_SEPARATOR: &str = "__";

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

/// A tool without a case is not tested.
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

/// Returns the names of the tools in a file.
fn names(source: &str) -> impl Iterator<Item = &str> {
    source.split("const NAME: &'static str = \"").skip(1).filter_map(|rest| rest.split('"').next())
}

/// Words that begin like the name of a tool and name something else.
const NOT_TOOLS: &[&str] = &[
    "ip_route",
    "node_name",
    "node_not_ready",
    "ovn_cluster_router",
    "ovn_layer2_switch",
    "ovn_localnet_switch",
];

/// The beginnings of the names of planned tools: a layer that has one of them describes it itself.
const PLANNED_TOOLS: &[&str] = &["pwru_", "retis_", "tcpdump_"];

/// A prompt, an instruction or a description that names a missing tool misleads the model.
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
        .chain(PLANNED_TOOLS.iter().copied())
        .collect();
    let mut problems = Vec::new();
    for layer in tree.layers() {
        let folder = format!("{}/src", layer.folder);
        let prompts =
            tree.below(&folder).filter(|(file, _)| file.starts_with("prompts") || *file == "lib.rs");
        // The reference contains the layer's descriptions, word by word.
        let reference = format!("{}-tools.md", layer.name.trim_start_matches("mcp-"));
        let described = tree.below("docs/reference").filter(|(file, _)| *file == reference);
        for (_, source) in prompts.chain(described) {
            // Only the instructions reach the model, and not the rest of the table of tools.
            let text = source.text.split_once(".instructions(").map_or(source.text.as_str(), |(_, text)| {
                text.split_once(".tools(vec!").map_or(text, |(instructions, _)| instructions)
            });
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let like_a_tool =
                words.filter(|word| beginnings.iter().any(|beginning| word.starts_with(beginning)));
            let unknown: BTreeSet<&str> = like_a_tool
                .filter(|word| !tools.contains(word) && !NOT_TOOLS.contains(word) && !word.ends_with('_'))
                .collect();
            problems.extend(
                unknown
                    .iter()
                    .map(|word| format!("{} names `{word}`, but no layer has such a tool", source.path)),
            );
        }
    }
    problems
}

/// A case that was never accepted tests nothing; a snapshot without a case is never compared.
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
        for name in snapshots.difference(&cases).filter(|name| !name.contains(TEST_SEPARATOR)) {
            problems.push(format!("{folder}/tests/snapshots/{name}.snap has no case: delete it"));
        }
    }
    problems
}

/// Recordings that no case reads must be deleted, and a case needs a recording.
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
        problems.push(format!("testdata/{scenario} has no case that reads it: delete it"));
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
            "crates/mcp-ovn/src/prompts/triage.md names `ovn_show`, but no layer has such a tool",
            "crates/mcp-ovn/src/prompts/triage.md names `tcpdump_capture`, but no layer has such a tool",
            "docs/reference/ovn-tools.md names `ovn_trace`, but no layer has such a tool",
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
            "crates/mcp-ovn/tests/snapshots/old.snap has no case: delete it",
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
            "testdata/lab has no case that reads it: delete it",
            "testdata/old has no case that reads it: delete it",
        ];
        assert_eq!(scenarios(&tree), wanted);
    }
}
