//! Audits: the checks of a layer are one tool.
//!
//! A [`Check`] looks at one thing on all nodes. It returns what it found, what it looked at, and what it could not
//! read. [`ToolEntry::of_audit`] makes one tool of all checks of a layer: it runs the checks, each with its own time
//! limit, and writes one short answer. `docs/adding-a-check.md` shows how to write a check.

mod collected;
mod finding;
mod run;
mod text;

pub use collected::CollectedKind;
pub use finding::{Certainty, CheckOutcome, Finding, Severity, Source};
pub use run::CheckEntry;

use crate::{Answer, ClusterReader, ClusterTool, ToolEntry, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::marker::PhantomData;

/// Looks for one kind of fault.
pub trait Check: Send + Sync + 'static {
    /// The name in findings and in the parameter `check`: `node-subnets`.
    const ID: &'static str;
    /// What is true if the check finds no fault: a sentence without a full stop.
    const TITLE: &'static str;
    /// What the check reads: `Node objects; Chassis and Encap of each zone's southbound database`.
    const READS: &'static str;
    /// Which documents describe the fault, and which versions have it.
    const SOURCES: &'static [Source] = &[];

    /// Runs the check.
    ///
    /// # Errors
    /// If the check could read nothing at all. What it could not read of some nodes belongs in
    /// [`CheckOutcome::unread`].
    fn run(cluster: &ClusterReader<'_>) -> impl Future<Output = Result<CheckOutcome, ToolError>> + Send;
}

/// The checks of a layer, which are one tool.
pub trait Audit: Send + Sync + 'static {
    /// As [`crate::Tool::NAME`]: `ovn_audit`.
    const NAME: &'static str;
    /// As [`crate::Tool::TITLE`].
    const TITLE: &'static str;
    /// As [`crate::Tool::DESCRIPTION`].
    const DESCRIPTION: &'static str;
    /// As [`crate::Tool::TOOLSET`].
    const TOOLSET: &'static str;

    /// The checks. Findings of equal severity have the order of this list.
    fn checks() -> Vec<CheckEntry>;
}

/// The parameters of an audit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Params {
    /// Show only findings about this object or node.
    about: Option<String>,
    /// Run only this check.
    check: Option<String>,
}

struct AuditTool<A>(PhantomData<A>);

impl<A: Audit> ClusterTool for AuditTool<A> {
    const NAME: &'static str = A::NAME;
    const TITLE: &'static str = A::TITLE;
    const DESCRIPTION: &'static str = A::DESCRIPTION;
    const TOOLSET: &'static str = A::TOOLSET;
    type Params = Params;

    fn title(params: &Params) -> String {
        let about = params.about.as_ref().map(|about| format!(" about {about}")).unwrap_or_default();
        format!("{}{about}", A::TITLE)
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        let mut checks = A::checks();
        if let Some(id) = &params.check {
            let known: Vec<&str> = checks.iter().map(|check| check.id).collect();
            if !known.contains(&id.as_str()) {
                return Err(ToolError::not_found("check", id, known));
            }
            checks.retain(|check| check.id == id);
        }
        let results = run::all(cluster, &checks).await;
        Ok(text::answer(results, params.about.as_deref()))
    }
}

impl ToolEntry {
    /// The audit of a layer, as a line in the layer's table of tools.
    pub fn of_audit<A: Audit>() -> Self {
        Self::of_cluster::<AuditTool<A>>()
    }
}
