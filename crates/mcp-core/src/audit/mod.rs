//! Audits: a layer's table of checks as one tool.
//!
//! A [`Check`] looks at one thing on all nodes and says what it found, what it looked at, and what it could not look at
//! and why. Core makes one tool of a layer's checks ([`Described::of_audit`]): it runs them, each bounded by itself, and
//! puts what they say into one short answer. `docs/adding-a-check.md` shows how to write one.

mod finding;
mod run;
mod text;

pub use finding::{Certainty, Finding, Outcome, Severity, Source};
pub use run::CheckEntry;

use crate::{Answer, Cluster, ClusterTool, Described, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::marker::PhantomData;

/// One thing that can be wrong, and how to see whether it is.
pub trait Check: Send + Sync + 'static {
    /// Its name, as findings and the parameter `check` give it: `node-subnets`.
    const ID: &'static str;
    /// What is right if it finds nothing, as a sentence without its full stop.
    const TITLE: &'static str;
    /// What it reads, in words: `Node objects; Chassis and Encap of each zone's southbound database`.
    const READS: &'static str;
    /// Where the fault is described, and in which versions it occurs.
    const SOURCES: &'static [Source] = &[];

    /// Looks.
    ///
    /// # Errors
    /// When nothing could be looked at: the answer says that the check could not be made, and why. What could not be
    /// read of some nodes only is [`Outcome::unread`].
    fn run(cluster: &Cluster<'_>) -> impl Future<Output = Result<Outcome, ToolError>> + Send;
}

/// The checks of a layer, as one tool.
pub trait Audit: Send + Sync + 'static {
    /// As [`crate::Tool::NAME`]: `ovn_audit`.
    const NAME: &'static str;
    /// As [`crate::Tool::TITLE`].
    const TITLE: &'static str;
    /// As [`crate::Tool::DESCRIPTION`].
    const DESCRIPTION: &'static str;
    /// As [`crate::Tool::TOOLSET`].
    const TOOLSET: &'static str;

    /// The checks, in the order of the documents.
    fn checks() -> Vec<CheckEntry>;
}

/// What an audit is asked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Params {
    /// Only findings about this object or node: its name, or namespace/name.
    about: Option<String>,
    /// Only this check, by its id.
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

    async fn run(cluster: &Cluster<'_>, params: &Params) -> Result<Answer, ToolError> {
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

impl Described {
    /// A line of a layer's table: the audit that its checks make.
    pub fn of_audit<A: Audit>() -> Self {
        Self::of_cluster::<AuditTool<A>>()
    }
}
