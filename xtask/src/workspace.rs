//! Where things are, and what belongs to the workspace.

use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

/// What a task gives back: nothing, or a text for the one who ran it.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The repository, as cargo sees it.
pub(crate) struct Workspace {
    /// A shell that stands in the root.
    pub(crate) sh: Shell,
    /// The repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds, and where tasks keep what they download: `target`, unless the user says otherwise.
    pub(crate) target: PathBuf,
    /// All crates, in the order of their names.
    pub(crate) crates: Vec<Crate>,
}

/// A crate of the workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crate {
    /// Its name.
    pub(crate) name: String,
    /// Its folder, seen from the root: `crates/mcp-ovn`.
    pub(crate) folder: String,
    /// All that its manifest names, for tests and builds too.
    pub(crate) dependencies: Vec<String>,
    /// What of that a release of it needs: all but what its tests alone name, by path alone.
    pub(crate) released_with: Vec<String>,
    /// Has it a program of its own name?
    pub(crate) has_binary: bool,
}

impl Crate {
    /// A layer is a server: the crates `mcp-*` that make a program. `mcp-core` makes none.
    pub(crate) fn is_layer(&self) -> bool {
        self.has_binary && self.name.starts_with("mcp-")
    }

    /// The layer without its prefix: `ovn`.
    pub(crate) fn layer(&self) -> &str {
        self.name.trim_start_matches("mcp-")
    }
}

/// What is built of all layers: always the same packages together, or what they depend on would be built once more with other
/// features; and not this program, which runs.
pub(crate) const LAYERS: [&str; 5] = ["--workspace", "--exclude", "xtask", "--lib", "--bins"];

impl Workspace {
    /// The workspace that this program was built in, wherever it was called from.
    pub(crate) fn open() -> Result<Self> {
        let root = root()?;
        let sh = Shell::new()?;
        sh.change_dir(&root);
        let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let target =
            metadata.get("target_directory").and_then(Value::as_str).ok_or("cargo metadata: no target")?;
        let packages =
            metadata.get("packages").and_then(Value::as_array).ok_or("cargo metadata: no packages")?;
        let mut crates: Vec<Crate> = packages.iter().map(|package| read_crate(package, &root)).collect();
        crates.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { target: target.into(), sh, root, crates })
    }

    /// The crates that are servers.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|each| each.is_layer())
    }

    /// The server of this name.
    pub(crate) fn layer(&self, name: &str) -> Result<&Crate> {
        self.layers().find(|layer| layer.name == name).ok_or_else(|| format!("there is no {name}").into())
    }

    /// Builds the servers in the profile of the tests, so that what is looked at is what is in the tree.
    pub(crate) fn build_layers(&self) -> Result {
        Ok(cmd!(self.sh, "cargo build --quiet {LAYERS...}").quiet().run()?)
    }

    /// Builds one of them and nothing else. Its dependencies have the features that they have where all are built.
    pub(crate) fn build_layer(&self, layer: &Crate) -> Result {
        let name = &layer.name;
        Ok(cmd!(self.sh, "cargo build --quiet --package {name} --bin {name}").quiet().run()?)
    }

    /// The program of a layer, as [`Self::build_layers`] made it.
    pub(crate) fn binary(&self, layer: &Crate) -> PathBuf {
        self.target.join("debug").join(&layer.name)
    }

    /// A folder for what a task downloads or installs, kept between runs.
    pub(crate) fn cache(&self, name: &str) -> Result<PathBuf> {
        let folder = self.target.join("xtask").join(name);
        Ok(self.sh.create_dir(folder)?)
    }

    /// Where a scenario's data is, as source flags of a server: the bundles that it lists, its must-gather if it has one, else
    /// its recordings.
    pub(crate) fn sources(&self, scenario: &str) -> Vec<String> {
        let testdata = self.root.join("testdata");
        let folder = testdata.join(scenario);
        if let Ok(bundles) = std::fs::read_to_string(folder.join("bundles.txt")) {
            return bundles
                .lines()
                .map(|path| format!("--bundle={}", testdata.join(path).display()))
                .collect();
        }
        let bundle = folder.join("must-gather.tar.xz");
        if bundle.exists() {
            vec![format!("--bundle={}", bundle.display())]
        } else {
            vec![format!("--recorded={}", folder.join("recorded").display())]
        }
    }
}

/// The repository that this program was built in.
pub(crate) fn root() -> Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?.to_owned())
}

fn read_crate(package: &Value, root: &Path) -> Crate {
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let all = |key: &str| package.get(key).and_then(Value::as_array).into_iter().flatten();
    let manifest = PathBuf::from(text(package, "manifest_path"));
    let folder = manifest.parent().unwrap_or(root);
    let is_binary =
        |target: &Value| target.get("kind").is_some_and(|kinds| kinds.to_string().contains("\"bin\""));
    let for_tests = |dependency: &&Value| text(dependency, "kind") == "dev" && text(dependency, "req") == "*";
    Crate {
        name: text(package, "name"),
        folder: folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().into_owned(),
        dependencies: all("dependencies").map(|dependency| text(dependency, "name")).collect(),
        released_with: all("dependencies")
            .filter(|dependency| !for_tests(dependency))
            .map(|dependency| text(dependency, "name"))
            .collect(),
        has_binary: all("targets").any(is_binary),
    }
}
