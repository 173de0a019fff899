//! Runs the programs that render and validate objects: helm, kubectl and kubernetes-validate.

use std::fs;
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::installed;
use crate::workspace::{Result, Workspace};

/// The folder and the name of the chart.
const CHART: &str = "deploy/helm/ovn-troubleshooter";

/// The version of Kubernetes whose schemas must allow the objects: the newest that the validator has.
const KUBERNETES: &str = "1.37";

/// A registry that cannot exist (RFC 2606), so that nobody pulls an image from a registry of somebody else.
const REGISTRY: &str = "image.registry=registry.invalid";

/// The installed programs.
pub(super) struct Programs {
    sh: Shell,
    helm: PathBuf,
    kubectl: PathBuf,
    validator: PathBuf,
    /// A copy of `deploy/kustomize`, next to which overlays are written.
    scratch: PathBuf,
    kustomize: PathBuf,
}

impl Programs {
    /// Installs the programs, unless they are installed.
    pub(super) fn install(workspace: &Workspace) -> Result<Self> {
        let scratch = workspace.cache("deploy")?;
        let home = scratch.join("home");
        workspace.sh.create_dir(&home)?;
        let sh = Shell::new()?;
        sh.change_dir(&workspace.root);
        // The programs must not read the configuration of the user.
        sh.set_var("HOME", home);
        Ok(Self {
            sh,
            helm: installed::helm(workspace)?,
            kubectl: installed::of_python(workspace, "kubectl")?.join("kubectl"),
            validator: installed::of_python(workspace, "kubernetes-validate")?.join("kubernetes-validate"),
            kustomize: workspace.root.join(super::KUSTOMIZE),
            scratch,
        })
    }

    /// Returns the objects that the chart makes with these values.
    pub(super) fn chart(&self, values: &[&str]) -> Result<String> {
        self.render(values, None)
    }

    /// Returns the objects that one template of the chart makes, in the form of a file.
    pub(super) fn template(&self, name: &str, values: &[&str]) -> Result<String> {
        let file = format!("templates/{name}.yaml");
        let text = self.render(values, Some(&file))?;
        let mut lines = vec![
            format!("# `cargo xtask deploy` writes this file from {file} of the chart."),
            "# Do not edit it.".to_owned(),
        ];
        // Helm prints a separator and a comment before the first object, and blank lines between objects.
        let own = text.lines().filter(|line| !line.starts_with("# Source: ") && !line.trim().is_empty());
        lines.extend(own.map(ToOwned::to_owned));
        Ok(lines.join("\n") + "\n")
    }

    fn render(&self, values: &[&str], file: Option<&str>) -> Result<String> {
        let helm = &self.helm;
        let name = "ovn-troubleshooter";
        let values = [&[REGISTRY], values].concat().join(",");
        let only = file.map(|file| ["--show-only", file]).into_iter().flatten();
        // Helm says on standard error that the folder `rbac` of the chart is a link.
        let command =
            cmd!(self.sh, "{helm} template {name} {CHART} --namespace {name} --set {values} {only...}");
        let output = command.quiet().ignore_status().output()?;
        if !output.status.success() {
            return Err(format!("helm: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Returns the objects of the base with these components, and the file that has them.
    pub(super) fn kustomize(&self, components: &[&str]) -> Result<(String, PathBuf)> {
        let name = [&["base"], components].concat().join("+");
        let (copy, overlay) = (self.scratch.join("kustomize"), self.scratch.join("overlay").join(&name));
        self.sh.remove_path(&copy)?;
        copy_folder(&self.kustomize, &copy)?;
        let mut lines = vec!["resources:".to_owned(), "  - ../../kustomize/base".to_owned()];
        if !components.is_empty() {
            lines.push("components:".to_owned());
            lines.extend(components.iter().map(|name| format!("  - ../../kustomize/components/{name}")));
        }
        self.sh.write_file(overlay.join("kustomization.yaml"), lines.join("\n") + "\n")?;
        let kubectl = &self.kubectl;
        let text = cmd!(self.sh, "{kubectl} kustomize {overlay}").quiet().read()?;
        let file = self.scratch.join(format!("{name}.yaml"));
        self.sh.write_file(&file, &text)?;
        Ok((text, file))
    }

    /// Checks that Kubernetes knows every field of the objects in these files, with its type.
    pub(super) fn validate(&self, files: &[PathBuf]) -> Result {
        let validator = &self.validator;
        let options = ["--strict", "--quiet", "--kubernetes-version", KUBERNETES];
        cmd!(self.sh, "{validator} {options...} {files...}").quiet().run()?;
        println!("the schemas of Kubernetes {KUBERNETES} allow all objects");
        Ok(())
    }

    /// Checks the form of the chart, and that it refuses wrong values.
    pub(super) fn lint(&self) -> Result {
        let helm = &self.helm;
        let output = cmd!(self.sh, "{helm} lint --strict {CHART} --set {REGISTRY}").quiet().ignore_status();
        let output = output.ignore_stderr().output()?;
        if !output.status.success() {
            return Err(format!("helm lint: {}", String::from_utf8_lossy(&output.stdout)).into());
        }
        for (value, says) in
            [("image.registry=", "/image/registry"), ("servers.ovn.enabled=true", "'ovn' not allowed")]
        {
            let said = match self.render(&[value], None) {
                Err(error) => error.to_string(),
                Ok(_) => String::new(),
            };
            if !said.contains(says) {
                return Err(format!("the chart does not refuse {value} with `{says}`: {said}").into());
            }
        }
        println!("helm lint finds nothing, and the chart refuses wrong values");
        Ok(())
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
