//! The traits of a tool, and the table of a server's tools.

use crate::{
    Answer, Backend, Budget, CaptureFormat, CaptureStore, ClusterReader, Completion, Deadline, Document,
    Node, NodeName, Progress, ToolError,
    argv::AllowedPrograms,
    error::echo,
    evidence::{CallEvidence, NodeEvidence},
    params::{self, SharedParams},
    progress::AnsweredNodes,
    prompt::Prompt,
    reply::{self, ComparisonContext, NodeAnswer, ReplyForm, ReplyHeader},
    resolve::{self, ResolvedNodes},
    schema,
};
use futures::{StreamExt, future::BoxFuture, stream};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// What happens with the answers of several nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// The answers are compared: differences first, then the rows that are the same on all nodes.
    Compare,
    /// The rows of each node are listed under the name of the node.
    Each {
        /// Why the answers are not compared, as the end of a sentence.
        because: &'static str,
    },
    /// A call may name only one node.
    Refuse {
        /// Why only one node is allowed: a sentence without its full stop.
        because: &'static str,
        /// What to call instead, as a sentence.
        instead: &'static str,
    },
}

/// One read-only question that a model can ask about a node.
///
/// A tool answers for one node at a time. Core adds the parameters `node_name`, `pod`, `grep`, `offset`, `limit`,
/// `bundle` and `timeout_seconds` to every tool, and calls the tool once per node.
pub trait Tool: Send + Sync + 'static {
    /// The name of the tool, after the command that an engineer knows: `ovn_nbctl_show`.
    const NAME: &'static str;
    /// The title for people: `OVN northbound overview`.
    const TITLE: &'static str;
    /// What the tool answers, when to use it and which tool to use next, in at most three sentences.
    const DESCRIPTION: &'static str;
    /// The group of tools that `--toolset` can select.
    const TOOLSET: &'static str;
    /// Whether the tool evaluates `grep` itself, because it reads more than fits in memory. Then `grep` is a parameter
    /// of the tool's own.
    const OWN_GREP: bool = false;
    /// What happens with the answers of several nodes.
    const MANY: Many = Many::Compare;
    /// The parameters that may name a pod as `namespace/name`. If a call names no node, core uses the node of the
    /// first pod that one of these parameters names.
    const NAMES_POD: &'static [&'static str] = &[];
    /// The parameters of the tool, without the shared ones.
    type Params: DeserializeOwned + JsonSchema + Send + Sync;

    /// Returns the title of the answer's first line: `OVN_Northbound show`.
    fn title(params: &Self::Params) -> String;

    /// Returns [`Self::MANY`], or another value if it depends on the parameters.
    fn many(_params: &Self::Params) -> Many {
        Self::MANY
    }

    /// Answers the call for one node.
    fn run(node: &Node<'_>, params: &Self::Params) -> impl Future<Output = Result<Answer, ToolError>> + Send;
}

/// One read-only question that a model can ask about the cluster as a whole: its objects and their logs.
///
/// Core adds the parameters `grep`, `offset`, `limit`, `bundle` and `timeout_seconds` to every such tool.
pub trait ClusterTool: Send + Sync + 'static {
    /// See [`Tool::NAME`].
    const NAME: &'static str;
    /// See [`Tool::TITLE`].
    const TITLE: &'static str;
    /// See [`Tool::DESCRIPTION`].
    const DESCRIPTION: &'static str;
    /// See [`Tool::TOOLSET`].
    const TOOLSET: &'static str;
    /// See [`Tool::OWN_GREP`].
    const OWN_GREP: bool = false;
    /// See [`Tool::Params`].
    type Params: DeserializeOwned + JsonSchema + Send + Sync;

    /// See [`Tool::title`].
    fn title(params: &Self::Params) -> String;

    /// Answers the call for the cluster.
    fn run(
        cluster: &ClusterReader<'_>,
        params: &Self::Params,
    ) -> impl Future<Output = Result<Answer, ToolError>> + Send;
}

/// The contents of a layer: its tools, the guides to their use, and the commands that the layer may run.
///
/// A layer is built with methods, not as a struct literal, so that a new field does not break layers that are released
/// separately:
///
/// ```
/// use mcp_core::Layer;
/// let layer = Layer::new("mcp-demo", "0.1.0", "A demonstration").instructions("It has no tools.");
/// assert!(layer.tools.is_empty());
/// ```
#[non_exhaustive]
pub struct Layer {
    /// The name of the server: `mcp-ovn`.
    pub name: &'static str,
    /// The version of the server.
    pub version: &'static str,
    /// The title for people.
    pub title: &'static str,
    /// The instructions for the model: what the layer covers and where to start.
    pub instructions: &'static str,
    /// The tools, in the order in which documents list them.
    pub tools: Vec<ToolEntry>,
    /// The prompts. Each prompt is also served as a skill.
    pub prompts: Vec<Prompt>,
    /// The values that prompt arguments can have, except for `node_name`, which core completes.
    pub completions: Vec<Completion>,
    /// The reference tables, served as resources.
    pub documents: Vec<Document>,
    /// Examples of calls, at least one for each tool.
    pub examples: &'static [Example],
    /// The commands that the layer's `commands.rs` allows on nodes.
    pub allow: AllowedPrograms,
    /// How the layer writes a capture into a file, if its tools capture.
    pub captures: Option<CaptureFormat>,
}

/// The description and the code of a tool, without the type of the tool.
pub struct ToolEntry {
    /// [`Tool::NAME`].
    pub name: &'static str,
    /// [`Tool::TITLE`].
    pub title: &'static str,
    /// [`Tool::DESCRIPTION`].
    pub description: &'static str,
    /// [`Tool::TOOLSET`].
    pub toolset: &'static str,
    /// The JSON schema of all parameters, for the check of arguments. Clients get a shorter schema.
    pub schema: Arc<Map<String, Value>>,
    run: ToolFn,
}

/// The function [`run`] of a tool, without the type of the tool.
type ToolFn = Box<dyn for<'a> Fn(&'a Call<'a>, Map<String, Value>) -> ToolFuture<'a> + Send + Sync>;

/// The future of an answer.
type ToolFuture<'a> = BoxFuture<'a, Result<String, ToolError>>;

/// A call and the state that it uses.
pub(crate) struct Call<'a> {
    pub(crate) backend: &'a Arc<dyn Backend>,
    pub(crate) captures: &'a Arc<CaptureStore>,
    pub(crate) budget: Budget,
    pub(crate) progress: Progress,
    pub(crate) record: CallEvidence<'a>,
    pub(crate) form: ReplyForm,
}

impl<'a> Call<'a> {
    /// Describes the reply to this call.
    fn header(&'a self, title: &'a str, source: &'a str) -> ReplyHeader<'a> {
        ReplyHeader { title, source, record: &self.record, form: self.form }
    }
}

/// A call that shows what a tool is for, as a person types it on the command line.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The name of the tool.
    pub tool: &'static str,
    /// The arguments: `table=ACL`.
    pub arguments: &'static [&'static str],
}

impl ToolEntry {
    /// Returns the table entry of a tool that answers for one node at a time.
    pub fn of<T: Tool>() -> Self {
        let mut schema = schema::portable::<T::Params>();
        params::extend_schema(&mut schema, params::Scope::Node, T::OWN_GREP);
        Self {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION,
            toolset: T::TOOLSET,
            schema: Arc::new(schema),
            run: Box::new(|call, arguments| Box::pin(run::<T>(call, arguments))),
        }
    }

    /// Returns the table entry of a tool that answers for the whole cluster.
    pub fn of_cluster<T: ClusterTool>() -> Self {
        let mut schema = schema::portable::<T::Params>();
        params::extend_schema(&mut schema, params::Scope::Cluster, T::OWN_GREP);
        Self {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION,
            toolset: T::TOOLSET,
            schema: Arc::new(schema),
            run: Box::new(|call, arguments| Box::pin(run_on_cluster::<T>(call, arguments))),
        }
    }

    /// Returns the JSON schema that clients get.
    pub(crate) fn listed(&self) -> Map<String, Value> {
        schema::listed(&self.schema)
    }

    /// Checks the arguments of a call and returns the time limit of the call.
    pub(crate) fn check(&self, arguments: &mut Map<String, Value>) -> Result<Duration, ToolError> {
        params::check(&self.schema, arguments)?;
        Ok(params::within(arguments))
    }

    /// Answers a call whose arguments were checked. MCP and the command line both use this function.
    pub(crate) async fn call(
        &self,
        call: &Call<'_>,
        arguments: Map<String, Value>,
    ) -> Result<String, ToolError> {
        (self.run)(call, arguments).await
    }
}

/// The number of nodes that are read at the same time.
pub(crate) const AT_ONCE: usize = 16;

async fn run<T: Tool>(call: &Call<'_>, mut arguments: Map<String, Value>) -> Result<String, ToolError> {
    let nodes = params::take_nodes(&mut arguments, T::NAMES_POD)?;
    let common = SharedParams::take(&mut arguments, T::OWN_GREP)?;
    let params: T::Params = own_parameters(arguments, T::DESCRIPTION)?;
    let backend = &*chosen(call, &common).await?;
    let ResolvedNodes { nodes, others, pod } = resolve::nodes(backend, nodes, left(common.within)).await?;
    let many = T::many(&params);
    if let (Many::Refuse { because, instead }, 2..) = (many, nodes.len()) {
        return Err(ToolError::bad(because, instead));
    }
    let compared = nodes.len() > 1 && many == Many::Compare;
    let (params, pod, answered) = (&params, &pod, &AnsweredNodes::of(nodes.len()));
    let ask = |(place, name): (usize, NodeName)| async move {
        let within = left(common.within);
        let node =
            Node::new(backend, name.clone(), pod.clone(), within, call.budget, compared).in_form(call.form);
        let result = node.bounded(T::run(&node, params)).await;
        let subject = node.subject();
        let (origins, notes) = node.into_read();
        answered.add(&name);
        let given = NodeEvidence { node: Some(name.to_string()), origins, notes };
        (place, NodeAnswer { node: name, subject, result, given })
    };
    // The answers are collected in any order, so that a silent node does not delay the others.
    let answers = stream::iter(nodes.into_iter().enumerate()).map(ask).buffer_unordered(AT_ONCE);
    let mut answers = call.progress.asking(answers.collect::<Vec<_>>(), answered, common.within).await;
    answers.sort_by_key(|(place, _)| *place);
    let answers = answers.into_iter().map(|(_, answer)| answer).collect();
    let title = T::title(params);
    let about = call.header(&title, backend.name());
    reply::of_nodes(about, ComparisonContext { many, others: &others }, answers, &common.page, call.budget)
}

async fn run_on_cluster<T: ClusterTool>(
    call: &Call<'_>,
    mut arguments: Map<String, Value>,
) -> Result<String, ToolError> {
    let common = SharedParams::take(&mut arguments, T::OWN_GREP)?;
    let params: T::Params = own_parameters(arguments, T::DESCRIPTION)?;
    let backend = &*chosen(call, &common).await?;
    let cluster = ClusterReader::new(backend, left(common.within), call.budget).with_captures(call.captures);
    let late = |_| Deadline::current().over().stopped(T::NAME);
    let within = Deadline::current().left().min(common.within) + SLACK / 2;
    let answer = tokio::time::timeout(within, T::run(&cluster, &params));
    let answer = call.progress.asking(answer, &AnsweredNodes::of(0), common.within).await.map_err(late)?;
    Deadline::current().check_whole().map_err(|over| over.stopped(T::NAME))?;
    let answer = answer?;
    let (origins, notes) = cluster.into_read();
    let title = T::title(&params);
    let about = call.header(&title, backend.name());
    let given = NodeEvidence { node: None, origins, notes };
    reply::of_cluster(about, answer, given, &common.page, call.budget)
}

/// Opens the source within the time limit of the call. If opening takes longer, it continues in the background for the
/// next call.
async fn open(call: &Call<'_>) -> Result<(), ToolError> {
    let late = |_| {
        let source = call.backend.name();
        Deadline::current()
            .over()
            .stopped(format!("opening {source} (it continues in the background, once for all calls)"))
    };
    let opened = tokio::time::timeout(Deadline::current().left(), call.backend.open(&call.progress));
    Ok(opened.await.map_err(late)??)
}

/// Returns the time that the call has left, rounded up to whole seconds, so that an error names the limit that the
/// caller asked for.
fn left(within: Duration) -> Duration {
    let left = Deadline::current().left();
    within.min(Duration::from_secs(left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0))))
}

/// Returns the opened source of a call: the whole source, or the one bundle that the call names.
async fn chosen(call: &Call<'_>, common: &SharedParams) -> Result<Arc<dyn Backend>, ToolError> {
    open(call).await?;
    match &common.bundle {
        Some(bundle) => Ok(call.backend.only(bundle).await?),
        None => Ok(call.backend.clone()),
    }
}

/// The extra time after a time limit, in which an operation that has its own time limit can report its own error.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

fn own_parameters<P: DeserializeOwned>(arguments: Map<String, Value>, hint: &str) -> Result<P, ToolError> {
    serde_json::from_value(arguments.into())
        .map_err(|e| ToolError::bad(format!("invalid parameters: {}", echo(&e.to_string())), hint))
}

/// Builds a layer. Fields that are not set are empty.
impl Layer {
    /// Returns an empty layer with a name, a version and a title for people.
    pub fn new(name: &'static str, version: &'static str, title: &'static str) -> Self {
        Self {
            name,
            version,
            title,
            instructions: "",
            tools: Vec::new(),
            prompts: Vec::new(),
            completions: Vec::new(),
            documents: Vec::new(),
            examples: &[],
            allow: AllowedPrograms(&[]),
            captures: None,
        }
    }

    /// Sets the instructions.
    #[must_use]
    pub fn instructions(self, instructions: &'static str) -> Self {
        Self { instructions, ..self }
    }

    /// Sets the tools.
    #[must_use]
    pub fn tools(self, tools: Vec<ToolEntry>) -> Self {
        Self { tools, ..self }
    }

    /// Sets the prompts.
    #[must_use]
    pub fn prompts(self, prompts: Vec<Prompt>) -> Self {
        Self { prompts, ..self }
    }

    /// Sets the completions.
    #[must_use]
    pub fn completions(self, completions: Vec<Completion>) -> Self {
        Self { completions, ..self }
    }

    /// Sets the documents.
    #[must_use]
    pub fn documents(self, documents: Vec<Document>) -> Self {
        Self { documents, ..self }
    }

    /// Sets the examples of calls.
    #[must_use]
    pub fn examples(self, examples: &'static [Example]) -> Self {
        Self { examples, ..self }
    }

    /// Sets how captures are written into a file.
    #[must_use]
    pub fn captures(self, format: CaptureFormat) -> Self {
        Self { captures: Some(format), ..self }
    }

    /// Sets the allowed commands.
    #[must_use]
    pub fn allow(self, allow: AllowedPrograms) -> Self {
        Self { allow, ..self }
    }
}

impl Layer {
    /// Keeps only the tools that `names` lists by their name or by their toolset.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError::NotFound`] for the first name that is neither a tool nor a toolset, so that a typing error
    /// does not silently remove tools.
    pub fn keep(&mut self, names: &[String]) -> Result<(), ToolError> {
        let known: BTreeSet<&str> = self.tools.iter().flat_map(|t| [t.name, t.toolset]).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(name.as_str())) {
            return Err(ToolError::not_found("tool or toolset", name, known));
        }
        self.tools.retain(|tool| names.iter().any(|name| name == tool.name || name == tool.toolset));
        Ok(())
    }

    /// Returns the tool of this name.
    pub(crate) fn tool(&self, name: &str) -> Result<&ToolEntry, ToolError> {
        let found = self.tools.iter().find(|tool| tool.name == name);
        found.ok_or_else(|| ToolError::not_found("tool", name, self.tools.iter().map(|tool| tool.name)))
    }
}
