//! Checks the dependencies between crates, and the files that every crate has.

use super::Tree;

/// The crates of this workspace on which a layer may depend.
const SHARED: &[&str] =
    &["capture", "host-net", "mcp-core", "openflow", "ovn-lflow", "ovn-model", "ovn-path", "ovsdb", "packet"];

/// Crates that are useful without MCP.
const BELOW_CORE: &[&str] =
    &["capture", "host-net", "openflow", "ovn-lflow", "ovn-model", "ovn-path", "ovsdb", "packet", "xtask"];

/// Crates that only tests use.
const FOR_TESTS: &[&str] = &["lab-api", "mcp-testing"];

/// Layers depend on the shared crates and on no other layer.
pub(super) fn layers_stand_alone(tree: &Tree) -> Vec<String> {
    let foreign = |name: &&String| {
        tree.crates.iter().any(|c| c.name == **name)
            && !SHARED.contains(&name.as_str())
            && !FOR_TESTS.contains(&name.as_str())
    };
    let problems = tree.layers().flat_map(|layer| {
        layer.dependencies.iter().filter(foreign).map(|other| {
            format!("{} depends on {other}: move what both need to ovn-model or mcp-core", layer.name)
        })
    });
    problems.collect()
}

/// MCP and the Kubernetes client change often, so only one crate follows their changes.
pub(super) fn only_core_speaks_mcp(tree: &Tree) -> Vec<String> {
    let kept = |name: &&String| ["rmcp", "kube", "k8s-openapi"].iter().any(|kept| name.starts_with(kept));
    let others =
        tree.crates.iter().filter(|each| each.name != "mcp-core" && !FOR_TESTS.contains(&each.name.as_str()));
    let problems = others.flat_map(|each| {
        each.dependencies.iter().filter(kept).map(|name| {
            format!("{} depends on {name}: let mcp-core offer the functions that you need", each.name)
        })
    });
    problems.collect()
}

/// A crate can be released without the crates that its tests need.
pub(super) fn tests_alone_use_test_crates(tree: &Tree) -> Vec<String> {
    let released = tree.crates.iter().filter(|each| !FOR_TESTS.contains(&each.name.as_str()));
    let problems = released.flat_map(|each| {
        each.released_with.iter().filter(|name| FOR_TESTS.contains(&name.as_str())).map(|name| {
            format!("{} needs {name} when it is released: name it in [dev-dependencies], by path and without a version", each.name)
        })
    });
    problems.collect()
}

/// Crates below core do not depend on it; xtask runs the programs and depends on no crate of the workspace.
pub(super) fn below_core(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for each in tree.crates.iter().filter(|each| BELOW_CORE.contains(&each.name.as_str())) {
        for name in &each.dependencies {
            let ours = tree.crates.iter().any(|other| other.name == *name);
            if name.starts_with("mcp-") || (each.name == "xtask" && ours) {
                problems.push(format!("{} depends on {name}: remove the dependency", each.name));
            }
        }
    }
    problems
}

/// The fuzz targets are a workspace of their own, so that a build of the servers does not build them. Each target is a
/// program of that workspace, and its README says what the target checks.
pub(super) fn fuzz_targets(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let text = |path| tree.text(path).unwrap_or_default();
    let (manifest, readme) = (text("fuzz/Cargo.toml"), text("fuzz/README.md"));
    let targets = tree.below("fuzz/fuzz_targets").filter_map(|(path, _)| path.strip_suffix(".rs"));
    for target in targets {
        if !manifest.lines().any(|line| line == "[workspace]") {
            problems.push("fuzz/Cargo.toml: add `[workspace]`".to_owned());
        }
        if tree.text("fuzz/Cargo.lock").is_none() {
            problems.push("fuzz/Cargo.lock is missing: add it".to_owned());
        }
        if !manifest.contains(&format!("name = \"{target}\"")) {
            problems.push(format!("fuzz/Cargo.toml: add the target {target}"));
        }
        if !readme.contains(&format!("`{target}`")) {
            problems.push(format!("fuzz/README.md: say what the target `{target}` checks"));
        }
    }
    problems
}

/// Lints are set once, for all crates.
pub(super) fn lints(tree: &Tree) -> Vec<String> {
    let missing = |folder: &&String| {
        let manifest = tree.text(&format!("{folder}/Cargo.toml")).unwrap_or_default();
        let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
        !lines.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true")
    };
    let folders = tree.crates.iter().map(|each| &each.folder).filter(missing);
    folders.map(|folder| format!("{folder}/Cargo.toml: add `[lints]` with `workspace = true`")).collect()
}

/// A crate has a README that says what it is for, and a changelog.
pub(super) fn readme_and_changelog(tree: &Tree) -> Vec<String> {
    let published = tree.crates.iter().filter(|each| each.name != "xtask");
    let wanted = published
        .flat_map(|each| ["README.md", "CHANGELOG.md"].map(|file| format!("{}/{file}", each.folder)));
    wanted
        .filter(|path| tree.text(path).is_none())
        .map(|path| format!("{path} is missing: write it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::example::tree;
    use super::*;

    #[test]
    fn a_layer_on_a_layer_is_found() {
        let mut tree = tree();
        let other = super::super::Crate { name: "mcp-ovs".into(), has_binary: true, ..Default::default() };
        tree.crates.push(other);
        assert_eq!(layers_stand_alone(&tree), Vec::<String>::new());
        tree.depend("mcp-ovn", "mcp-ovs");
        assert_eq!(
            layers_stand_alone(&tree),
            ["mcp-ovn depends on mcp-ovs: move what both need to ovn-model or mcp-core"]
        );
    }

    #[test]
    fn a_second_crate_that_speaks_mcp_is_found() {
        for name in ["rmcp", "kube", "kube-runtime", "k8s-openapi"] {
            let mut tree = tree();
            tree.depend("mcp-ovn", name);
            assert_eq!(only_core_speaks_mcp(&tree).len(), 1, "{name}");
        }
    }

    #[test]
    fn a_test_crate_in_a_release_is_found() {
        let mut tree = tree();
        tree.depend("mcp-ovn", "lab-api");
        assert_eq!(tests_alone_use_test_crates(&tree), Vec::<String>::new());
        let layer = tree.crates.iter_mut().find(|each| each.name == "mcp-ovn").unwrap();
        layer.released_with.push("lab-api".into());
        let wanted = "mcp-ovn needs lab-api when it is released: name it in [dev-dependencies], by path and without a version";
        assert_eq!(tests_alone_use_test_crates(&tree), [wanted]);
    }

    #[test]
    fn a_dependency_upwards_is_found() {
        let mut tree = tree();
        tree.depend("ovsdb", "mcp-core");
        assert_eq!(below_core(&tree), ["ovsdb depends on mcp-core: remove the dependency"]);

        let xtask = super::super::Crate {
            name: "xtask".into(),
            dependencies: vec!["ovsdb".into(), "clap".into()],
            ..Default::default()
        };
        let mut tree = super::super::example::tree();
        tree.crates.push(xtask);
        assert_eq!(below_core(&tree), ["xtask depends on ovsdb: remove the dependency"]);
    }

    #[test]
    fn a_fuzz_target_that_nobody_describes_is_found() {
        let mut tree = tree();
        assert_eq!(fuzz_targets(&tree), Vec::<String>::new());
        tree.add("fuzz/fuzz_targets/flows.rs", "//! Reads flows.\n");
        let wanted =
            ["fuzz/Cargo.toml: add the target flows", "fuzz/README.md: say what the target `flows` checks"];
        assert_eq!(fuzz_targets(&tree), wanted);
    }

    #[test]
    fn lints_of_its_own_are_found() {
        for manifest in
            ["[package]\n", "[lints]\n[package]\nworkspace = true\n", "[lints.rust]\nworkspace = true\n"]
        {
            let mut tree = tree();
            tree.add("crates/ovsdb/Cargo.toml", manifest);
            assert_eq!(
                lints(&tree),
                ["crates/ovsdb/Cargo.toml: add `[lints]` with `workspace = true`"],
                "{manifest}"
            );
        }
    }

    #[test]
    fn a_crate_without_a_page_is_found() {
        let mut tree = tree();
        tree.remove("crates/ovsdb/README.md");
        tree.remove("crates/mcp-ovn/CHANGELOG.md");
        let wanted = [
            "crates/mcp-ovn/CHANGELOG.md is missing: write it",
            "crates/ovsdb/README.md is missing: write it",
        ];
        assert_eq!(readme_and_changelog(&tree), wanted);
    }
}
