//! `cargo xtask deploy`: the objects that run the servers in a cluster.
//!
//! The Helm chart and the roles in `deploy/rbac` are the source. This task writes the objects of kustomize from them,
//! and checks with the real programs that both ways make the same objects, that the schemas of Kubernetes allow these
//! objects, and that the objects keep the rules of this project.

mod objects;
mod programs;
mod rules;

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::workspace::{Result, Workspace};
use objects::Objects;
use programs::Programs;

/// The folder of everything that is written.
const KUSTOMIZE: &str = "deploy/kustomize";

/// The one object of kustomize that the chart lacks, because Helm needs the namespace before the chart.
const NAMESPACE: &str = "v1 Namespace ovn-troubleshooter";

/// `cargo xtask deploy [--check]`
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// Write nothing; fail if the written objects differ from those of the chart
    #[arg(long)]
    check: bool,
}

/// A choice of the user in both ways.
struct Variant {
    name: &'static str,
    /// The values of the chart.
    values: &'static [&'static str],
    /// The components of kustomize.
    components: &'static [&'static str],
    /// The templates whose objects only this choice has. The first component has the same objects.
    templates: &'static [&'static str],
}

const VARIANTS: &[Variant] = &[
    Variant {
        name: "base",
        values: &[],
        components: &[],
        templates: &["network-policy", "rights", "servers"],
    },
    Variant {
        name: "debug pods",
        values: &["debugPods.enabled=true"],
        components: &["debug-pods"],
        templates: &["debug-pods"],
    },
    Variant {
        name: "exec everywhere",
        values: &["execEverywhere=true"],
        components: &["exec-everywhere"],
        templates: &["exec-everywhere"],
    },
    Variant {
        name: "node logs",
        values: &["nodeLogs=true"],
        components: &["node-logs"],
        templates: &["node-logs"],
    },
    Variant {
        name: "OpenShift",
        values: &["ovnNamespace=openshift-ovn-kubernetes"],
        components: &["openshift"],
        templates: &[],
    },
    Variant {
        name: "everything",
        values: &[
            "debugPods.enabled=true",
            "execEverywhere=true",
            "nodeLogs=true",
            "ovnNamespace=openshift-ovn-kubernetes",
        ],
        components: &["debug-pods", "exec-everywhere", "node-logs", "openshift"],
        templates: &[],
    },
];

/// Writes or checks the objects of kustomize, and checks the objects of both ways.
pub(crate) fn run(deploy: &Deploy) -> Result {
    let workspace = Workspace::open()?;
    let programs = Programs::install(&workspace)?;
    let stale = write(&workspace, &programs, deploy.check)?;
    if !stale.is_empty() {
        return Err(
            format!("out of date: run `cargo xtask deploy`, which writes {}", stale.join(", ")).into()
        );
    }
    let mut problems = Vec::new();
    let mut rendered = Vec::new();
    for variant in VARIANTS {
        let chart = Objects::parse(&programs.chart(variant.values)?)?;
        let (text, file) = programs.kustomize(variant.components)?;
        let kustomize = Objects::parse(&text)?;
        let mut different = kustomize.differences(&chart);
        let without_namespace = format!("{NAMESPACE}: only kustomize has it");
        if !different.contains(&without_namespace) {
            problems.push(format!("{}: the chart has {NAMESPACE}, or kustomize lacks it", variant.name));
        }
        different.retain(|difference| *difference != without_namespace);
        problems.extend(different.iter().map(|difference| format!("{}: {difference}", variant.name)));
        problems.extend(rules::check(&workspace, &kustomize, !variant.components.contains(&"debug-pods")));
        println!("{}: {} objects of the chart and of kustomize", variant.name, kustomize.len());
        rendered.push(file);
    }
    programs.validate(&rendered)?;
    programs.lint()?;
    workspace.build_layers()?;
    problems.extend(rules::options(&workspace, &Objects::parse(&fs::read_to_string(last(&rendered)?)?)?));
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// Returns the file of the variant that has everything.
fn last(files: &[PathBuf]) -> Result<&PathBuf> {
    files.last().ok_or_else(|| "no variant was rendered".into())
}

/// Writes the objects of kustomize, or returns the files that should be written.
fn write(workspace: &Workspace, programs: &Programs, check: bool) -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for variant in VARIANTS {
        for template in variant.templates {
            let folder = match variant.components {
                [] => format!("{KUSTOMIZE}/base"),
                [component, ..] => format!("{KUSTOMIZE}/components/{component}"),
            };
            let name = format!("{folder}/{template}.yaml");
            let path = workspace.root.join(&name);
            let text = programs.template(template, variant.values)?;
            if fs::read_to_string(&path).unwrap_or_default() == text {
                continue;
            }
            if check {
                stale.push(name);
            } else {
                workspace.sh.write_file(&path, &text)?;
                println!("wrote {name}");
            }
        }
    }
    Ok(stale)
}
