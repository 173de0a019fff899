//! The MCP server around a layer. It speaks both generations of the protocol: clients that initialize (2025-11-25 and
//! before) and clients that discover (2026-07-28). It keeps no state for a connection.

mod captures;
mod guides;
#[cfg(test)]
mod tests;

use crate::{
    Backend, Budget, CaptureStore, Deadline, Layer, Node, NodeName, Progress, ReadError, ToolError,
    completion,
    error::{chain, echo},
    evidence::{COVERAGE, EvidenceStore},
    params,
    progress::ProgressReport,
    prompt::Prompt,
    reply::ReplyForm,
    sanitize::clean,
    tool::{Call, SLACK},
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
        CompleteResult, CompletionInfo, ContentBlock, DiscoverResult, GetPromptRequestParams,
        GetPromptResponse, GetPromptResult, GetSkillRequestParams, GetSkillResult, Implementation,
        InitializeRequestParams, InitializeResult, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListSkillsResult, ListToolsResult, PaginatedRequestParams,
        ProgressNotificationParam, PromptMessage, ProtocolVersion, ReadResourceRequestParams,
        ReadResourceResponse, ReadResourceResult, Reference, ResourceContents, Role, ServerCapabilities,
        ServerConfig, Tool as McpTool, ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::{Map, Value};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};

/// An MCP server: a layer and the source that it reads.
#[derive(Clone)]
pub struct Server {
    layer: Arc<Layer>,
    backend: Arc<dyn Backend>,
    budget: Budget,
    evidence: Arc<EvidenceStore>,
    captures: Arc<CaptureStore>,
    /// The permits of the calls that run.
    turns: Arc<Semaphore>,
    /// The permits of the calls that run or wait.
    places: Arc<Semaphore>,
    /// True when the server ends. Each running call holds a receiver.
    stop: Arc<watch::Sender<bool>>,
}

/// The time for which clients may cache the lists, in milliseconds. The lists never change while the server runs, so
/// one hour is safe.
const TTL_MS: u64 = 3_600_000;

/// The number of calls that run at the same time. A call takes memory, a thread and a program on a node, so the calls
/// of a client that sends thousands run in turn.
const AT_ONCE: usize = 64;
/// The number of further calls that may wait until a running call ends.
const WAITING: usize = 448;

/// The prompt argument that core completes for every layer.
const NODE: &str = "node_name";

/// The time limit for dropping the running calls. Dropping a call is quick, unless its thread is busy.
const DROPPED_WITHIN: Duration = Duration::from_secs(1);

/// The time that a connecting client waits until the source is open.
const OPENED_WITHIN: Duration = Duration::from_secs(2);

/// The time limit of a completion. People do not wait longer while they type.
const COMPLETED_WITHIN: Duration = Duration::from_secs(5);

impl Server {
    /// Returns a server that answers from `backend`, with answers of at most the size of `budget`.
    pub fn new(layer: Layer, backend: Arc<dyn Backend>, budget: Budget) -> Self {
        let evidence = Arc::new(EvidenceStore::new(layer.name));
        let captures = Arc::new(CaptureStore::new(layer.name, layer.captures, None));
        Self {
            layer: Arc::new(layer),
            backend,
            budget,
            evidence,
            captures,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            places: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            stop: Arc::new(watch::channel(false).0),
        }
    }

    /// Keeps all captures in a folder.
    pub(crate) fn saving_captures_in(self, folder: PathBuf) -> Self {
        let captures = CaptureStore::new(self.layer.name, self.layer.captures, Some(folder));
        Self { captures: Arc::new(captures), ..self }
    }

    /// Drops the running calls while the backend can still end the programs that the calls started.
    pub(crate) async fn end_calls(&self) {
        self.stop.send_replace(true);
        _ = tokio::time::timeout(DROPPED_WITHIN, self.stop.closed()).await;
    }

    pub(crate) fn layer(&self) -> &Layer {
        &self.layer
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Answers one call with the text of the answer or the text of the error.
    pub(crate) async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        progress: Progress,
    ) -> Result<String, String> {
        self.call_in(ReplyForm::Text, name, arguments, progress).await
    }

    /// Answers one call in this form.
    pub(crate) async fn call_in(
        &self,
        form: ReplyForm,
        name: &str,
        arguments: Map<String, Value>,
        progress: Progress,
    ) -> Result<String, String> {
        let result = self.answer(form, name, arguments, progress).await;
        result.map_err(|e| self.report(&e))
    }

    /// Returns the text of an error, cut to the size of an answer.
    fn report(&self, error: &ToolError) -> String {
        clean(&error.report_within(self.budget.bytes))
    }

    async fn answer(
        &self,
        form: ReplyForm,
        name: &str,
        mut arguments: Map<String, Value>,
        progress: Progress,
    ) -> Result<String, ToolError> {
        // The evidence quotes the arguments as the client sent them.
        let asked = arguments.clone();
        let within = self.layer.tool(name)?.check(&mut arguments)?;
        let deadline = Deadline::within(within);
        let Ok(_place) = self.places.try_acquire() else {
            return Err(ToolError::Busy(format!(
                "the server is busy: {} calls already run or wait",
                AT_ONCE + WAITING
            )));
        };
        let turn = tokio::time::timeout(deadline.left(), self.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| {
            let seconds = within.as_secs();
            ToolError::Busy(format!(
                "the server is busy: {AT_ONCE} calls run at once, and none of them ended within {seconds} s"
            ))
        })?;
        // The thread of the call holds both values, because the programs of the call may run as long as the thread
        // does.
        let held = (self.stop.subscribe(), turn);
        let (server, name) = (self.clone(), name.to_owned());
        let answer = move || async move {
            let _held = held;
            let record = server.evidence.record(&name, &asked);
            let (backend, captures, budget) = (&server.backend, &server.captures, server.budget);
            let call = Call { backend, captures, budget, progress, record, form };
            server.layer.tool(&name)?.call(&call, arguments).await
        };
        let late = |_| ReadError::TooLate { what: "the whole call".into(), seconds: within.as_secs() };
        deadline.run(SLACK, answer).await.map_err(late)?
    }

    /// Returns the instructions that a client gets when it connects: what the layer covers, which source the server
    /// reads, what that source lacks, and the parameters that all tools share. A large bundle takes longer to open
    /// than a client waits, and the text then says that the bundle is still being opened.
    async fn instructions(&self) -> String {
        let opened = tokio::time::timeout(OPENED_WITHIN, self.backend.open(&Progress::default())).await;
        let about = match opened {
            Ok(Err(e)) => format!("{}, which cannot be read: {}", self.backend.name(), chain(&e)),
            _ => self.backend.about().await,
        };
        let (about, coverage) = (clean(&about), self.evidence.uri(COVERAGE));
        format!(
            "{} This server reads {about}. The resource {coverage} lists the data that exists for each node. {}",
            self.layer.instructions,
            params::SHARED
        )
    }

    fn tools(&self) -> Vec<McpTool> {
        let describe = |tool: &crate::tool::ToolEntry| {
            McpTool::new(tool.name, tool.description, tool.listed())
                .with_title(tool.title)
                // The other hints mean something only for tools that write (MCP schema, `ToolAnnotations`).
                .with_annotations(ToolAnnotations::new().read_only(true).open_world(false))
        };
        self.layer.tools.iter().map(describe).collect()
    }

    /// Returns the contents of a resource on where answers come from, or `None` if `uri` names no such resource.
    pub(crate) async fn told(&self, uri: &str) -> Option<Result<String, String>> {
        if uri != self.evidence.uri(COVERAGE) {
            return self.evidence.read(uri).map(Ok);
        }
        let coverage = self.backend.coverage().await;
        Some(coverage.map(|coverage| clean(&coverage.to_string())).map_err(|e| clean(&chain(&e))))
    }

    fn prompt(&self, name: &str) -> Option<&Prompt> {
        self.layer.prompts.iter().find(|prompt| prompt.name == name)
    }

    /// Whether the server completes an argument of this name.
    fn completes(&self, argument: &str) -> bool {
        argument == NODE || self.layer.completions.iter().any(|completion| completion.argument == argument)
    }

    /// Returns the values that an argument can have on the named node or else on the first node. It returns nothing if
    /// the source cannot be read, because the tools report that error.
    async fn values(&self, argument: &str, node: Option<&str>) -> Vec<String> {
        let nodes = self.backend.nodes().await.unwrap_or_default();
        if argument == NODE {
            return nodes.iter().map(ToString::to_string).collect();
        }
        let named = nodes.iter().find(|name| Some(name.as_str()) == node);
        let completion = self.layer.completions.iter().find(|completion| completion.argument == argument);
        let (Some(name), Some(completion)) = (named.or(nodes.first()), completion) else { return Vec::new() };
        let node =
            Node::new(&*self.backend, NodeName::clone(name), None, COMPLETED_WITHIN, self.budget, false);
        (completion.values)(&node).await.unwrap_or_default()
    }
}

/// Returns the contents of a resource that clients must not cache, because the next call may change it.
fn uncached(contents: ResourceContents, cx: &RequestContext<RoleServer>) -> ReadResourceResponse {
    let result = ReadResourceResult::new(vec![contents]);
    let result =
        if modern(cx) { result.with_ttl_ms(0).with_cache_scope(CacheScope::Private) } else { result };
    result.into()
}

fn modern(cx: &RequestContext<RoleServer>) -> bool {
    cx.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let layer = &self.layer;
        let mut capabilities = ServerCapabilities::builder().enable_tools().build();
        if !layer.prompts.is_empty() {
            capabilities.prompts = Some(Default::default());
        }
        let mut arguments = layer.prompts.iter().flat_map(|prompt| prompt.arguments);
        if arguments.any(|argument| self.completes(argument.name)) {
            capabilities.completions = Some(Default::default());
        }
        capabilities.resources = Some(Default::default());
        if !layer.prompts.is_empty() {
            capabilities.extensions = ServerCapabilities::builder().enable_skills().build().extensions;
        }
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(layer.name, layer.version).with_title(layer.title))
            .with_instructions(format!("{} {}", layer.instructions, params::SHARED))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        cx.peer.set_peer_info(request.clone());
        let mut result = self.negotiate_initialize(&request)?;
        result.instructions = Some(self.instructions().await);
        Ok(result)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let info = self.get_info().with_instructions(self.instructions().await);
        Ok(DiscoverResult::from_server_info(versions, info)
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let list = ListToolsResult::with_all_items(self.tools());
        Ok(if modern(&cx) { list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public) } else { list })
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Err(e) = self.layer.tool(&request.name) {
            // An unknown tool is the only error that belongs to the protocol and not to the tool (MCP, "Tools", error
            // handling).
            return Err(ErrorData::invalid_params(self.report(&e), None));
        }
        tracing::debug!(tool = %request.name, "call");
        let (progress, heard) = match cx.meta.get_progress_token() {
            Some(token) => {
                let (progress, heard) = Progress::asked();
                (progress, Some((token, heard)))
            }
            None => (Progress::default(), None),
        };
        let mut stop = self.stop.subscribe();
        let call = self.call(&request.name, request.arguments.unwrap_or_default(), progress);
        let told = async {
            if let Some((token, mut heard)) = heard {
                while let Some(ProgressReport { percent, message }) = heard.recv().await {
                    let step = ProgressNotificationParam::new(token.clone(), percent);
                    // A failed notification is not an error: the client either gets the answer or is gone.
                    _ = cx.peer.notify_progress(step.with_total(100.0).with_message(message)).await;
                }
            }
            std::future::pending().await
        };
        let result = tokio::select! {
            result = call => result,
            never = told => never,
            // Dropping the call ends the programs that it started. Nobody waits for this answer.
            () = cx.ct.cancelled() => Err("error: the client cancelled the call".into()),
            _ = stop.wait_for(|stop| *stop) => Err("error: the server is shutting down".into()),
        };
        Ok(match result {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
        }
        .into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let list = ListPromptsResult::with_all_items(self.layer.prompts.iter().map(guides::prompt).collect());
        Ok(if modern(&cx) { list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public) } else { list })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let Some(prompt) = self.prompt(&request.name) else {
            let known: Vec<&str> = self.layer.prompts.iter().map(|p| p.name).collect();
            let text = format!(
                "there is no prompt `{}`; the prompts are: {}",
                echo(&request.name),
                known.join(", ")
            );
            return Err(ErrorData::invalid_params(text, None));
        };
        let arguments = request.arguments.unwrap_or_default();
        let given = arguments.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        let text = prompt
            .fill(given)
            .map_err(|e| ErrorData::invalid_params(echo(&e.to_string()).into_owned(), None))?;
        let message = PromptMessage::new_text(Role::User, text);
        Ok(GetPromptResult::new(vec![message]).with_description(prompt.description).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let prompt = match &request.r#ref {
            Reference::Prompt(reference) => self.prompt(&reference.name),
            _ => None,
        };
        let (argument, typed) = (&request.argument.name, &request.argument.value);
        let mut values = Vec::new();
        if prompt.is_some_and(|prompt| prompt.asks_for(argument)) {
            let given = request.context.and_then(|context| context.arguments).unwrap_or_default();
            let all = self.values(argument, given.get(NODE).map(String::as_str));
            let all = tokio::time::timeout(COMPLETED_WITHIN, all).await.unwrap_or_default();
            values = completion::fitting(all, typed);
        }
        let (all, more) = (values.len(), values.len() > CompletionInfo::MAX_VALUES);
        values.truncate(CompletionInfo::MAX_VALUES);
        let values: Vec<String> = values.iter().map(|value| crate::sanitize::clean(value)).collect();
        CompletionInfo::with_pagination(values, u32::try_from(all).ok(), more)
            .map(CompleteResult::new)
            .map_err(|e| ErrorData::internal_error(e, None))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut resources = guides::resources(&self.layer, &self.evidence);
        resources.extend(captures::resources(&self.captures));
        let list = ListResourcesResult::with_all_items(resources);
        Ok(match modern(&cx) {
            // The next call may add a capture.
            true if self.layer.captures.is_some() => {
                list.with_ttl_ms(0).with_cache_scope(CacheScope::Private)
            }
            true => list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public),
            false => list,
        })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if let Some(told) = self.told(&request.uri).await {
            let text = told.map_err(|e| ErrorData::internal_error(e, None))?;
            let contents = ResourceContents::text(text, &request.uri).with_mime_type(guides::PLAIN);
            return Ok(uncached(contents, &cx));
        }
        if let Some(capture) = self.captures.of_uri(&request.uri) {
            let contents = capture
                .map_err(|e| self.report(&e))
                .and_then(|capture| captures::contents(&self.captures, &capture));
            let contents = contents.map_err(|text| ErrorData::resource_not_found(text, None))?;
            return Ok(uncached(contents, &cx));
        }
        let contents = guides::contents(&self.layer, &request.uri).ok_or_else(|| {
            let known = guides::resources(&self.layer, &self.evidence).into_iter().map(|r| r.uri);
            let known: Vec<String> = known.collect();
            let text = format!(
                "there is no resource `{}`; the resources are: {}; and the evidence of recent calls, which the first line \
                 of each answer names",
                echo(&request.uri),
                known.join(", ")
            );
            ErrorData::resource_not_found(text, None)
        })?;
        let result = ReadResourceResult::new(vec![contents]);
        let result = if modern(&cx) {
            result.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public)
        } else {
            result
        };
        Ok(result.into())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let list = ListResourceTemplatesResult::with_all_items(vec![guides::template(&self.evidence)]);
        Ok(if modern(&cx) { list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public) } else { list })
    }

    async fn list_skills(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListSkillsResult, ErrorData> {
        let layer = &self.layer;
        let skills = layer.prompts.iter().map(|prompt| guides::skill(layer, prompt)).collect();
        let list = ListSkillsResult::with_all_items(skills);
        Ok(list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public))
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetSkillResult, ErrorData> {
        let layer = &self.layer;
        let found = layer.prompts.iter().find(|prompt| prompt.uri(layer.name) == request.uri);
        let skill = found.ok_or_else(|| {
            let known: Vec<String> = layer.prompts.iter().map(|prompt| prompt.uri(layer.name)).collect();
            let text =
                format!("there is no skill `{}`; the skills are: {}", echo(&request.uri), known.join(", "));
            ErrorData::invalid_params(text, None)
        })?;
        let result = GetSkillResult::new(guides::skill(layer, skill));
        Ok(result.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public))
    }
}
