//! One tool, and the table of a server's tools.

use crate::{
    Answer, Backend, Budget, Cluster, Completion, Deadline, Document, Node, NodeName, Progress, ReadError,
    ToolError,
    argv::{Allow, PrivateAllow},
    error::echo,
    evidence::{Given, Record},
    params::{self, Common},
    progress::Answered,
    prompt::Prompt,
    reply::{self, About, NodeAnswer, Several},
    resolve::{self, Asked},
    schema,
};
use futures::{StreamExt, future::BoxFuture, stream};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// What becomes of the answers when several nodes are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// They are compared: what is the same once, then what differs.
    Compare,
    /// Each node's rows stand under its name.
    Each {
        /// Why they are not compared, as the end of a sentence.
        because: &'static str,
    },
    /// Only one node can be asked.
    Refuse {
        /// Why, in a sentence without its full stop.
        because: &'static str,
        /// What to ask instead, in a sentence.
        instead: &'static str,
    },
}

/// One read-only question that a model can ask of a node.
///
/// Which nodes, how many rows and how long is core's business: `node_name`, `pod`, `grep`, `offset`, `limit` and
/// `timeout_seconds` are parameters of every tool, and a tool answers for one node at a time.
pub trait Tool: Send + Sync + 'static {
    /// The name, as the engineer knows it from the command line: `ovn_nbctl_show`.
    const NAME: &'static str;
    /// The name for people: `OVN northbound overview`.
    const TITLE: &'static str;
    /// What it answers, when to use it and what to use next, in at most three sentences.
    const DESCRIPTION: &'static str;
    /// The group that `--toolset` can leave out.
    const TOOLSET: &'static str;
    /// Does it look for `grep` itself, because it reads more than anybody may hold? Then that is its own parameter.
    const OWN_GREP: bool = false;
    /// What becomes of the answers of several nodes.
    const MANY: Many = Many::Compare;
    /// The parameters that can name a pod (`namespace/name`): where no node is named, the first of them that does chooses
    /// the node.
    const NAMES_POD: &'static [&'static str] = &[];
    /// What the model gives beside the shared parameters.
    type Params: DeserializeOwned + JsonSchema + Send + Sync;

    /// What the first line of the answer calls it: `OVN_Northbound show`.
    fn title(params: &Self::Params) -> String;

    /// As [`Self::MANY`], where that depends on what is asked.
    fn many(_params: &Self::Params) -> Many {
        Self::MANY
    }

    /// Answers for one node.
    fn run(node: &Node<'_>, params: &Self::Params) -> impl Future<Output = Result<Answer, ToolError>> + Send;
}

/// One read-only question that a model can ask of the cluster as a whole: of its objects and their logs.
///
/// `grep`, `offset`, `limit` and `timeout_seconds` are parameters of every such tool.
pub trait ClusterTool: Send + Sync + 'static {
    /// As [`Tool::NAME`].
    const NAME: &'static str;
    /// As [`Tool::TITLE`].
    const TITLE: &'static str;
    /// As [`Tool::DESCRIPTION`].
    const DESCRIPTION: &'static str;
    /// As [`Tool::TOOLSET`].
    const TOOLSET: &'static str;
    /// As [`Tool::OWN_GREP`].
    const OWN_GREP: bool = false;
    /// As [`Tool::Params`].
    type Params: DeserializeOwned + JsonSchema + Send + Sync;

    /// As [`Tool::title`].
    fn title(params: &Self::Params) -> String;

    /// Answers.
    fn run(
        cluster: &Cluster<'_>,
        params: &Self::Params,
    ) -> impl Future<Output = Result<Answer, ToolError>> + Send;
}

/// What a layer is made of: its tools, what it tells about their use, and the commands that it may run.
///
/// A layer is built, not written as a literal, so that a new field of it breaks no layer that is released on its own:
///
/// ```
/// use mcp_core::Layer;
/// let layer = Layer::new("mcp-demo", "0.1.0", "A demonstration").instructions("It has no tools.");
/// assert!(layer.tools.is_empty());
/// ```
#[non_exhaustive]
pub struct Layer {
    /// The server's name: `mcp-ovn`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What a model is told at the beginning: what the layer covers and where to start.
    pub instructions: &'static str,
    /// The tools, in the order of the documents.
    pub tools: Vec<Described>,
    /// The prompts, which are its skills too.
    pub prompts: Vec<Prompt>,
    /// What the arguments of prompts can be, beside `node_name`.
    pub completions: Vec<Completion>,
    /// The reference tables.
    pub documents: Vec<Document>,
    /// What its `commands.rs` allows on nodes.
    pub allow: Allow,
    /// What its `commands.rs` allows on private copies of a bundle's data.
    pub private: PrivateAllow,
}

/// A tool without its type.
pub struct Described {
    /// [`Tool::NAME`].
    pub name: &'static str,
    /// [`Tool::TITLE`].
    pub title: &'static str,
    /// [`Tool::DESCRIPTION`].
    pub description: &'static str,
    /// [`Tool::TOOLSET`].
    pub toolset: &'static str,
    /// The schema of all parameters.
    pub schema: Arc<Map<String, Value>>,
    run: Run,
}

/// A tool's [`run`], without its type.
type Run = Box<dyn for<'a> Fn(&'a Call<'a>, Map<String, Value>) -> Running<'a> + Send + Sync>;

/// The answer to a call, in the making.
type Running<'a> = BoxFuture<'a, Result<String, ToolError>>;

/// A call and what it works with.
pub(crate) struct Call<'a> {
    pub(crate) backend: &'a Arc<dyn Backend>,
    pub(crate) budget: Budget,
    pub(crate) progress: Progress,
    pub(crate) record: Record<'a>,
}

impl Described {
    /// A line of a layer's table.
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

    /// A line of a layer's table, for a tool that asks the whole cluster.
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

    /// Checks the arguments of a call, and says how long it may take.
    pub(crate) fn check(&self, arguments: &mut Map<String, Value>) -> Result<Duration, ToolError> {
        params::check(&self.schema, arguments)?;
        Ok(params::within(arguments))
    }

    /// Answers a call whose arguments were checked. The same path for MCP and for the command line.
    pub(crate) async fn call(
        &self,
        call: &Call<'_>,
        arguments: Map<String, Value>,
    ) -> Result<String, ToolError> {
        (self.run)(call, arguments).await
    }
}

/// How many nodes are asked at once.
pub(crate) const AT_ONCE: usize = 16;

async fn run<T: Tool>(call: &Call<'_>, mut arguments: Map<String, Value>) -> Result<String, ToolError> {
    let nodes = params::take_nodes(&mut arguments, T::NAMES_POD)?;
    let common = Common::take(&mut arguments, T::OWN_GREP)?;
    let params: T::Params = own_parameters(arguments, T::DESCRIPTION)?;
    let backend = &*chosen(call, &common).await?;
    let Asked { nodes, others, pod } = resolve::nodes(backend, nodes, left(common.within)).await?;
    let many = T::many(&params);
    if let (Many::Refuse { because, instead }, 2..) = (many, nodes.len()) {
        return Err(ToolError::bad(because, instead));
    }
    let compared = nodes.len() > 1 && many == Many::Compare;
    let (params, pod, answered) = (&params, &pod, &Answered::of(nodes.len()));
    let ask = |(place, name): (usize, NodeName)| async move {
        let within = left(common.within);
        let node = Node::new(backend, name.clone(), pod.clone(), within, call.budget, compared);
        let result = node.bounded(T::run(&node, params)).await;
        let subject = node.subject();
        let (origins, notes) = node.into_read();
        answered.add(&name);
        let given = Given { node: Some(name.to_string()), origins, notes };
        (place, NodeAnswer { node: name, subject, result, given })
    };
    // As they come: a node that is silent keeps no other from being asked.
    let answers = stream::iter(nodes.into_iter().enumerate()).map(ask).buffer_unordered(AT_ONCE);
    let mut answers = call.progress.asking(answers.collect::<Vec<_>>(), answered, common.within).await;
    answers.sort_by_key(|(place, _)| *place);
    let answers = answers.into_iter().map(|(_, answer)| answer).collect();
    let about = About { title: &T::title(params), source: backend.name(), record: &call.record };
    reply::of_nodes(about, Several { many, others: &others }, answers, &common.page, call.budget)
}

async fn run_on_cluster<T: ClusterTool>(
    call: &Call<'_>,
    mut arguments: Map<String, Value>,
) -> Result<String, ToolError> {
    let common = Common::take(&mut arguments, T::OWN_GREP)?;
    let params: T::Params = own_parameters(arguments, T::DESCRIPTION)?;
    let backend = &*chosen(call, &common).await?;
    let cluster = Cluster::new(backend, left(common.within), call.budget);
    let late = |_| ReadError::OutOfTime { what: T::NAME.into() };
    let within = Deadline::current().left().min(common.within) + SLACK / 2;
    let answer = tokio::time::timeout(within, T::run(&cluster, &params));
    let answer = call.progress.asking(answer, &Answered::of(0), common.within).await.map_err(late)??;
    let (origins, notes) = cluster.into_read();
    let about = About { title: &T::title(&params), source: backend.name(), record: &call.record };
    let given = Given { node: None, origins, notes };
    reply::of_cluster(about, answer, given, &common.page, call.budget)
}

/// Makes the source ready, as far as the call's time allows. What takes longer goes on, for the next call.
async fn open(call: &Call<'_>) -> Result<(), ToolError> {
    let late = |_| ReadError::OutOfTime {
        what: format!("opening {}, which goes on and is done once for all calls,", call.backend.name()),
    };
    let opened = tokio::time::timeout(Deadline::current().left(), call.backend.open(&call.progress));
    Ok(opened.await.map_err(late)??)
}

/// What a call has left of its time, in whole seconds, so that an error names what was asked for.
fn left(within: Duration) -> Duration {
    let left = Deadline::current().left();
    within.min(Duration::from_secs(left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0))))
}

/// The source of a call, ready to answer: all of it, or the one bundle that the call names.
async fn chosen(call: &Call<'_>, common: &Common) -> Result<Arc<dyn Backend>, ToolError> {
    open(call).await?;
    match &common.bundle {
        Some(bundle) => Ok(call.backend.only(bundle).await?),
        None => Ok(call.backend.clone()),
    }
}

/// For what takes longer than its own time-out to say so.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

fn own_parameters<P: DeserializeOwned>(arguments: Map<String, Value>, hint: &str) -> Result<P, ToolError> {
    serde_json::from_value(arguments.into()).map_err(|e| {
        ToolError::bad(format!("the parameters do not fit together: {}", echo(&e.to_string())), hint)
    })
}

/// Builds a layer: its names first, then what it has. What is not set is empty.
impl Layer {
    /// A layer of this name and version, which people call by this title.
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
            allow: Allow(&[]),
            private: PrivateAllow::NONE,
        }
    }

    /// Sets [`Self::instructions`].
    #[must_use]
    pub fn instructions(self, instructions: &'static str) -> Self {
        Self { instructions, ..self }
    }

    /// Sets [`Self::tools`].
    #[must_use]
    pub fn tools(self, tools: Vec<Described>) -> Self {
        Self { tools, ..self }
    }

    /// Sets [`Self::prompts`].
    #[must_use]
    pub fn prompts(self, prompts: Vec<Prompt>) -> Self {
        Self { prompts, ..self }
    }

    /// Sets [`Self::completions`].
    #[must_use]
    pub fn completions(self, completions: Vec<Completion>) -> Self {
        Self { completions, ..self }
    }

    /// Sets [`Self::documents`].
    #[must_use]
    pub fn documents(self, documents: Vec<Document>) -> Self {
        Self { documents, ..self }
    }

    /// Sets [`Self::allow`].
    #[must_use]
    pub fn allow(self, allow: Allow) -> Self {
        Self { allow, ..self }
    }

    /// Sets [`Self::private`].
    #[must_use]
    pub fn private(self, private: PrivateAllow) -> Self {
        Self { private, ..self }
    }
}

impl Layer {
    /// Leaves out the tools that are neither named nor in a named toolset.
    ///
    /// # Errors
    /// The first name that is neither, with what there is: a typing error must not serve less than was meant.
    pub fn keep(&mut self, names: &[String]) -> Result<(), ToolError> {
        let known: BTreeSet<&str> = self.tools.iter().flat_map(|t| [t.name, t.toolset]).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(name.as_str())) {
            return Err(ToolError::not_found("tool or toolset", name, known));
        }
        self.tools.retain(|tool| names.iter().any(|name| name == tool.name || name == tool.toolset));
        Ok(())
    }

    /// A tool by name.
    pub(crate) fn tool(&self, name: &str) -> Result<&Described, ToolError> {
        let found = self.tools.iter().find(|tool| tool.name == name);
        found.ok_or_else(|| ToolError::not_found("tool", name, self.tools.iter().map(|tool| tool.name)))
    }
}
