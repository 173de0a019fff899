//! The folders and crates of the workspace.

use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

/// The result of a task: nothing, or an error text for the user.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The repository in the form that cargo describes.
pub(crate) struct Workspace {
    /// A shell whose working directory is the root.
    pub(crate) sh: Shell,
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// The folder for cargo's builds and for files that tasks download: `target`, unless the user sets another.
    pub(crate) target: PathBuf,
    /// All crates, sorted by name.
    pub(crate) crates: Vec<Crate>,
}

/// A crate of the workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crate {
    /// The name of the crate.
    pub(crate) name: String,
    /// The folder of the crate, relative to the root: `crates/mcp-ovn`.
    pub(crate) folder: String,
    /// All dependencies in the manifest, including those of tests and builds.
    pub(crate) dependencies: Vec<String>,
    /// The dependencies that a release needs: all except those that only tests name, by path and without a version.
    pub(crate) released_with: Vec<String>,
    /// Whether the crate has a program of its own name.
    pub(crate) has_binary: bool,
}

impl Crate {
    /// Returns whether the crate is a layer, which is a server: a crate `mcp-*` with a program. `mcp-core` has no
    /// program.
    pub(crate) fn is_layer(&self) -> bool {
        self.has_binary && self.name.starts_with("mcp-")
    }

    /// Returns the name of the layer without its prefix: `ovn`.
    pub(crate) fn layer(&self) -> &str {
        self.name.trim_start_matches("mcp-")
    }
}

/// The packages that are built for the layers. They are always the same packages, because cargo would otherwise build
/// their dependencies again with other features. This program is left out, because it runs.
pub(crate) const LAYERS: [&str; 5] = ["--workspace", "--exclude", "xtask", "--lib", "--bins"];

impl Workspace {
    /// Opens the workspace in which this program was built, wherever it was called from.
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

    /// Returns the crates that are servers.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|each| each.is_layer())
    }

    /// Returns the server of this name.
    pub(crate) fn layer(&self, name: &str) -> Result<&Crate> {
        self.layers().find(|layer| layer.name == name).ok_or_else(|| format!("there is no {name}").into())
    }

    /// Builds the servers in the profile of the tests, so that a task always uses the servers of the current source
    /// tree.
    pub(crate) fn build_layers(&self) -> Result {
        Ok(cmd!(self.sh, "cargo build --quiet {LAYERS...}").quiet().run()?)
    }

    /// Builds one server and nothing else. Its dependencies get the features that they have in a build of all servers.
    pub(crate) fn build_layer(&self, layer: &Crate) -> Result {
        let name = &layer.name;
        Ok(cmd!(self.sh, "cargo build --quiet --package {name} --bin {name}").quiet().run()?)
    }

    /// Returns the program of a layer that [`Self::build_layers`] built.
    pub(crate) fn binary(&self, layer: &Crate) -> PathBuf {
        self.target.join("debug").join(&layer.name)
    }

    /// Returns a folder for files that a task downloads or installs. The folder is kept between runs.
    pub(crate) fn cache(&self, name: &str) -> Result<PathBuf> {
        let folder = self.target.join("xtask").join(name);
        Ok(self.sh.create_dir(folder)?)
    }

    /// Returns the source flags of a server for a scenario: the bundles that the scenario lists, otherwise its
    /// must-gather, otherwise its recordings.
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

/// Returns the root of the repository in which this program was built.
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
