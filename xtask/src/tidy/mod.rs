//! `cargo xtask tidy`: the rules of structure and language that neither rustc nor clippy checks.
//!
//! A check is a function from the tree to its problems. Each problem is a sentence that says what to do. A check reads
//! only a [`Tree`], so that every check has a test in which it fails.

mod clients;
mod comments;
mod files;
mod layers;
mod manifests;
mod prose;
mod words;

use std::fs;

use xshell::cmd;

use crate::workspace::{Crate, Result, Workspace};

/// The input of the checks.
#[derive(Default)]
struct Tree {
    /// Every text file that is or will be tracked, with its path from the root.
    files: Vec<SourceFile>,
    /// The crates of the workspace.
    crates: Vec<Crate>,
}

/// A text file, with its path from the root.
struct SourceFile {
    path: String,
    text: String,
}

impl Tree {
    fn read(workspace: Workspace) -> Result<Self> {
        let list =
            cmd!(workspace.sh, "git ls-files -z --cached --others --exclude-standard").quiet().read()?;
        let read = |path: &str| {
            let text = fs::read_to_string(workspace.root.join(path)).ok()?;
            Some(SourceFile { path: path.into(), text })
        };
        // A file that cannot be read as text is a capture or was just deleted; no check concerns either.
        let files = list.split_terminator('\0').filter_map(read).collect();
        Ok(Self { files, crates: workspace.crates })
    }

    /// Returns the text of a file, if there is one.
    fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Returns the files below a folder, with the rest of their paths.
    fn below(&self, folder: &str) -> impl Iterator<Item = (&str, &SourceFile)> {
        self.files
            .iter()
            .filter_map(move |file| Some((file.path.strip_prefix(folder)?.strip_prefix('/')?, file)))
    }

    fn layers(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|each| each.is_layer())
    }
}

type Check = fn(&Tree) -> Vec<String>;

/// All checks, each with the rule that it checks.
const CHECKS: &[(&str, Check)] = &[
    ("layers depend on the shared crates and not on each other", manifests::layers_stand_alone),
    ("only mcp-core and its tests depend on rmcp and kube", manifests::only_core_speaks_mcp),
    ("crates below core do not depend on MCP, and xtask depends on no crate", manifests::below_core),
    ("released crates need no crate for tests", manifests::tests_alone_use_test_crates),
    ("fuzz targets are built alone and described", manifests::fuzz_targets),
    ("every crate takes the workspace's lints", manifests::lints),
    ("every crate has a README and a changelog", manifests::readme_and_changelog),
    ("every layer has the same files", layers::shape),
    ("every tool has a case", layers::tools_have_cases),
    ("every tool that a prompt names exists", layers::prompts_name_tools),
    ("every case has a snapshot, and every snapshot has a case", layers::cases_and_snapshots),
    ("every case names a scenario, and every recording has a case", layers::scenarios),
    ("the configurations of clients run every layer", clients::run_all_layers),
    ("only argv! makes commands", files::argv),
    ("files are short", files::length),
    ("nothing is left unfinished", files::unfinished),
    ("no file contains a path of one machine", files::machine_paths),
    ("no file names a registry", files::registries),
    ("programs that are installed are pinned by hash", files::installs_are_pinned),
    ("prose is plain English", words::plain_english),
    ("types have names that say what they are", words::type_names),
    ("public items begin with a sentence", comments::first_sentences),
    ("lines of prose have at most 120 columns", comments::columns),
];

/// Runs every check and prints which rules hold.
pub(crate) fn run() -> Result {
    let tree = Tree::read(Workspace::open()?)?;
    let mut problems = 0;
    for (promise, check) in CHECKS {
        let found = check(&tree);
        println!("{} {promise}", if found.is_empty() { "ok  " } else { "FAIL" });
        for problem in &found {
            println!("       {problem}");
        }
        problems += found.len();
    }
    if problems == 0 { Ok(()) } else { Err(format!("tidy: {problems} problems").into()) }
}

#[cfg(test)]
mod example {
    //! A small tree in which every check holds; each test breaks one rule.

    use super::*;

    pub(super) fn tree() -> Tree {
        let named = |name: &str, dependencies: &[&str], has_binary| Crate {
            name: name.into(),
            folder: format!("crates/{name}"),
            dependencies: dependencies.iter().map(|name| (*name).into()).collect(),
            has_binary,
            ..Crate::default()
        };
        let mut tree = Tree {
            crates: vec![
                named("mcp-core", &["rmcp", "kube", "ovsdb"], false),
                named("mcp-ovn", &["mcp-core", "ovsdb", "serde"], true),
                named("ovsdb", &["serde"], false),
            ],
            ..Tree::default()
        };
        for each in tree.crates.clone() {
            tree.add(&format!("{}/Cargo.toml", each.folder), "[lints]\nworkspace = true\n");
            tree.add(&format!("{}/README.md", each.folder), "A crate.\n");
            tree.add(&format!("{}/CHANGELOG.md", each.folder), "# Changes\n");
        }
        for file in ["src/main.rs", "src/lib.rs", "src/commands.rs", "src/types.rs", "tests/golden.rs"] {
            tree.add(&format!("crates/mcp-ovn/{file}"), "//! One file of a layer.\n");
        }
        let tool = "impl Tool for Show {\n    const NAME: &'static str = \"show\";\n}\n";
        tree.add("crates/mcp-ovn/src/tools/show.rs", tool);
        let case = r#"{ "scenario": "lab", "tool": "show", "params": {} }"#;
        tree.add("crates/mcp-ovn/tests/cases/show.json", case);
        tree.add("crates/mcp-ovn/tests/snapshots/show.snap", "an answer\n");
        tree.add("testdata/lab/scenario.json", "{}\n");
        tree.add("fuzz/Cargo.toml", "[workspace]\n\n[[bin]]\nname = \"logs\"\n");
        tree.add("fuzz/Cargo.lock", "version = 4\n");
        tree.add("fuzz/README.md", "The target `logs` reads logs.\n");
        tree.add("fuzz/fuzz_targets/logs.rs", "//! Reads logs.\n");
        tree
    }

    /// Returns what a check finds if one file is added to the tree.
    pub(super) fn problems(check: Check, path: &str, text: &str) -> Vec<String> {
        let mut tree = tree();
        tree.add(path, text);
        check(&tree)
    }

    impl Tree {
        /// Adds a file, or replaces it.
        pub(super) fn add(&mut self, path: &str, text: &str) {
            self.remove(path);
            self.files.push(SourceFile { path: path.into(), text: text.into() });
        }

        pub(super) fn remove(&mut self, path: &str) {
            self.files.retain(|file| file.path != path);
        }

        /// Makes a crate depend on another crate.
        pub(super) fn depend(&mut self, name: &str, on: &str) {
            let wanted = self.crates.iter_mut().filter(|each| each.name == name);
            wanted.for_each(|each| each.dependencies.push(on.into()));
        }
    }

    #[test]
    fn every_check_holds_in_the_example() {
        for (promise, check) in CHECKS {
            assert_eq!(check(&tree()), Vec::<String>::new(), "{promise}");
        }
    }
}
