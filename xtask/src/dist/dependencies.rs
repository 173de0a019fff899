//! The crates that are in a program, in the form that `cargo metadata` describes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use xshell::cmd;

use crate::workspace::{Result, Workspace};

/// A crate.
#[derive(Clone, Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// The licence as an expression of SPDX, if the crate names one.
    pub(super) licence: Option<String>,
    pub(super) repository: Option<String>,
    /// The folder of its sources.
    pub(super) folder: PathBuf,
    /// Whether it is a crate of this workspace.
    pub(super) ours: bool,
    /// The SHA-256 of the package in its registry.
    pub(super) checksum: Option<String>,
}

/// All crates by their identifiers, and which of them each needs.
#[derive(Default)]
pub(super) struct Dependencies {
    all: BTreeMap<String, Package>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Dependencies {
    /// Reads the crates that a build for this target may use.
    pub(super) fn read(workspace: &Workspace, target: &str) -> Result<Self> {
        let sh = &workspace.sh;
        let text = cmd!(sh, "cargo metadata --locked --format-version 1 --filter-platform {target}")
            .quiet()
            .read()?;
        let lock = sh.read_file(workspace.root.join("Cargo.lock"))?;
        Ok(Self::parse(&serde_json::from_str(&text)?, &lock))
    }

    fn parse(metadata: &Value, lock: &str) -> Self {
        let checksums = checksums(lock);
        let list =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        let mut all = BTreeMap::new();
        for package in list(metadata, "packages") {
            let named = |key: &str| text(&package, key).unwrap_or_default();
            let (name, version) = (named("name"), named("version"));
            let mut folder = PathBuf::from(named("manifest_path"));
            folder.pop();
            let checksum = checksums.get(&(name.clone(), version.clone())).cloned();
            let ours = text(&package, "source").is_none();
            // Old crates separate the licences among which a user may choose by a slash.
            let licence = text(&package, "license").map(|it| it.replace('/', " OR "));
            let repository = text(&package, "repository");
            all.insert(named("id"), Package { name, version, licence, repository, folder, ours, checksum });
        }
        let mut needs = BTreeMap::new();
        for node in metadata.get("resolve").map(|resolve| list(resolve, "nodes")).unwrap_or_default() {
            let in_program = |dependency: &&Value| {
                list(dependency, "dep_kinds").iter().any(|kind| kind.get("kind").is_some_and(Value::is_null))
            };
            let deps = list(&node, "deps");
            let used = deps.iter().filter(in_program).filter_map(|dependency| text(dependency, "pkg"));
            needs.insert(text(&node, "id").unwrap_or_default(), used.collect());
        }
        Self { all, needs }
    }

    /// Returns the version of a crate of this workspace.
    pub(super) fn version(&self, name: &str) -> Result<String> {
        Ok(self.package(&self.id(name)?).version.clone())
    }

    /// Returns the identifier of a crate of this workspace.
    pub(super) fn id(&self, name: &str) -> Result<String> {
        let found = self.all.iter().find(|(_, package)| package.ours && package.name == name);
        found.map(|(id, _)| id.clone()).ok_or_else(|| format!("the workspace has no crate {name}").into())
    }

    /// Returns the identifiers of all crates in the program of this crate, without the crate itself. Crates that only
    /// tests and build scripts need are left out. Procedural macros are listed, although only the compiler runs them.
    pub(super) fn of(&self, name: &str) -> Result<BTreeSet<String>> {
        let root = self.id(name)?;
        let (mut found, mut next) = (BTreeSet::from([root.clone()]), vec![root.clone()]);
        while let Some(id) = next.pop() {
            for needed in self.needs(&id) {
                if found.insert(needed.clone()) {
                    next.push(needed.clone());
                }
            }
        }
        found.remove(&root);
        Ok(found)
    }

    /// Returns the identifiers of the crates that a crate needs itself.
    pub(super) fn needs(&self, id: &str) -> impl Iterator<Item = &String> {
        self.needs.get(id).into_iter().flatten()
    }

    /// Returns a crate by its identifier.
    pub(super) fn package(&self, id: &str) -> Package {
        self.all.get(id).cloned().unwrap_or_default()
    }

    /// Returns the crates of other projects among these, sorted by name.
    pub(super) fn packages(&self, ids: &BTreeSet<String>) -> Vec<Package> {
        let mut all: Vec<Package> =
            ids.iter().map(|id| self.package(id)).filter(|package| !package.ours).collect();
        all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        all
    }
}

/// Returns the checksums of a lock file by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut all = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
            line.and_then(|rest| rest.strip_suffix('"')).map(ToOwned::to_owned)
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (value("name"), value("version"), value("checksum"))
        {
            all.insert((name, version), checksum);
        }
    }
    all
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// Returns a server that needs `serde` through `core`, a macro, and crates for tests and builds.
    pub(in super::super) fn example() -> Dependencies {
        let package = |name: &str, source: Option<&str>, licence: &str| {
            json!({
                "id": format!("id of {name}"), "name": name, "version": "1.0.0", "source": source, "license": licence,
                "manifest_path": format!("/sources/{name}/Cargo.toml"), "repository": "https://code.example/it",
            })
        };
        let needs = |name: &str, needed: &[(&str, Value)]| {
            let deps: Vec<Value> = needed
                .iter()
                .map(|(name, kinds)| json!({ "pkg": format!("id of {name}"), "dep_kinds": kinds }))
                .collect();
            json!({ "id": format!("id of {name}"), "deps": deps })
        };
        let normal = json!([{ "kind": null }]);
        let metadata = json!({
            "packages": [
                package("server", None, "Apache-2.0"), package("core", None, "Apache-2.0"),
                package("serde", Some("registry"), "MIT/Apache-2.0"), package("proptest", Some("registry"), "MIT"),
                package("cc", Some("registry"), "MIT"),
            ],
            "resolve": { "nodes": [
                needs("server", &[("core", normal.clone()), ("proptest", json!([{ "kind": "dev" }]))]),
                needs("core", &[("serde", json!([{ "kind": "dev" }, { "kind": null }])), ("cc", json!([{ "kind": "build" }]))]),
                needs("serde", &[]),
            ] },
        });
        let lock = "version = 4\n\n[[package]]\nname = \"core\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"serde\"\n\
                    version = \"1.0.0\"\nsource = \"registry\"\nchecksum = \"abc\"\n";
        Dependencies::parse(&metadata, lock)
    }

    #[test]
    fn crates_for_tests_and_builds_are_left_out() {
        let all = example();
        assert_eq!(all.of("server").unwrap(), ["id of core", "id of serde"].map(String::from).into());
        assert_eq!(all.of("other").unwrap_err().to_string(), "the workspace has no crate other");
    }

    #[test]
    fn crates_of_others_have_a_checksum_and_a_licence_in_spdx() {
        let all = example();
        let packages = all.packages(&all.of("server").unwrap());
        let [serde] = packages.as_slice() else { panic!("{packages:?}") };
        assert_eq!((serde.name.as_str(), serde.checksum.as_deref()), ("serde", Some("abc")));
        assert_eq!(serde.licence.as_deref(), Some("MIT OR Apache-2.0"));
        assert_eq!(all.package("id of core").checksum, None);
    }
}
