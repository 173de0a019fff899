//! The MCP server around a layer. Both eras of the protocol: clients that initialize (2025-11-25 and before) and
//! those that discover (2026-07-28); no state is kept for a connection.

use crate::{Backend, Budget, Layer, prompt::Prompt, tool::Call};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
        CompleteResult, CompletionInfo, ContentBlock, DiscoverResult, GetPromptRequestParams,
        GetPromptResponse, GetPromptResult, Implementation, ListPromptsResult, ListToolsResult,
        PaginatedRequestParams, PromptMessage, ProtocolVersion, Reference, Role, ServerCapabilities,
        ServerConfig, Tool as McpTool, ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A layer over a source of data.
#[derive(Clone)]
pub struct Server {
    layer: Arc<Layer>,
    backend: Arc<dyn Backend>,
    budget: Budget,
}

/// The lists of a server never change while it runs: an hour, in milliseconds, is a modest promise.
const TTL_MS: u64 = 3_600_000;

/// The argument of a prompt that is completed: what else there is to name would take a reading first.
const COMPLETED: &str = "node_name";

impl Server {
    /// A server.
    pub fn new(layer: Layer, backend: Arc<dyn Backend>, budget: Budget) -> Self {
        Self { layer: Arc::new(layer), backend, budget }
    }

    pub(crate) fn layer(&self) -> &Layer {
        &self.layer
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Answers one call: the text, or the text of the error.
    pub(crate) async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<String, String> {
        let call = Call { backend: &*self.backend, budget: self.budget };
        let result = match self.layer.tool(name) {
            Ok(tool) => tool.call(&call, arguments).await,
            Err(e) => Err(e),
        };
        result.map_err(|e| crate::sanitize::clean(&e.report()))
    }

    fn tools(&self) -> Vec<McpTool> {
        let describe = |tool: &crate::tool::Described| {
            McpTool::new(tool.name, tool.description, tool.schema.clone())
                .with_title(tool.title)
                .with_annotations(
                    ToolAnnotations::new()
                        .read_only(true)
                        .destructive(false)
                        .idempotent(true)
                        .open_world(false),
                )
        };
        self.layer.tools.iter().map(describe).collect()
    }

    fn prompt(&self, name: &str) -> Option<&Prompt> {
        self.layer.prompts.iter().find(|prompt| prompt.name == name)
    }

    /// The nodes whose names begin so. A source that cannot be read has none: the tools will say why.
    async fn nodes_like(&self, begin: &str) -> Vec<String> {
        let nodes = self.backend.nodes().await.unwrap_or_default();
        let names = nodes.iter().map(ToString::to_string).filter(|name| name.starts_with(begin));
        names.take(CompletionInfo::MAX_VALUES).collect()
    }
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
        if layer.prompts.iter().any(|prompt| prompt.asks_for(COMPLETED)) {
            capabilities.completions = Some(Default::default());
        }
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(layer.name, layer.version).with_title(layer.title))
            .with_instructions(layer.instructions)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
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
            // The one error that is the protocol's and not the tool's (MCP, "Tools", error handling).
            return Err(ErrorData::invalid_params(e.report(), None));
        }
        tracing::debug!(tool = %request.name, "call");
        let call = self.call(&request.name, request.arguments.unwrap_or_default());
        let result = tokio::select! {
            result = call => result,
            // Dropping the call kills what it runs. Nobody waits for this answer.
            () = cx.ct.cancelled() => Err("error: cancelled by the client".into()),
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
        let argument = |a: &crate::prompt::PromptArgument| {
            rmcp::model::PromptArgument::new(a.name).with_description(a.description).with_required(a.required)
        };
        let describe = |prompt: &Prompt| {
            let arguments = prompt.arguments.iter().map(argument).collect();
            rmcp::model::Prompt::new(prompt.name, Some(prompt.description), Some(arguments))
                .with_title(prompt.title)
        };
        let list = ListPromptsResult::with_all_items(self.layer.prompts.iter().map(describe).collect());
        Ok(if modern(&cx) { list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public) } else { list })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let Some(prompt) = self.prompt(&request.name) else {
            let known: Vec<&str> = self.layer.prompts.iter().map(|p| p.name).collect();
            let text = format!("there is no prompt `{}`; there are: {}", request.name, known.join(", "));
            return Err(ErrorData::invalid_params(text, None));
        };
        let arguments = request.arguments.unwrap_or_default();
        let given = arguments.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        let text = prompt.fill(given).map_err(|e| ErrorData::invalid_params(e.to_string(), None))?;
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
        let asked = request.argument.name == COMPLETED && prompt.is_some_and(|p| p.asks_for(COMPLETED));
        let values = if asked { self.nodes_like(&request.argument.value).await } else { Vec::new() };
        let values =
            CompletionInfo::with_all_values(values).map_err(|e| ErrorData::internal_error(e, None))?;
        Ok(CompleteResult::new(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Bundle,
        argv::{Allow, PrivateAllow},
        prompt::PromptArgument,
    };
    use std::path::Path;

    fn server(arguments: &'static [PromptArgument]) -> Server {
        let prompt = Prompt { name: "p", title: "P", description: "", arguments, text: "" };
        let layer = Layer {
            name: "mcp-test",
            version: "0",
            title: "Test",
            instructions: "Ask.",
            tools: Vec::new(),
            prompts: vec![prompt],
            allow: Allow(&[]),
            private: PrivateAllow::NONE,
        };
        let capture = "../../testdata/capture/must-gather.tar.xz";
        let bundle = Bundle::new(vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(capture)]);
        Server::new(layer, Arc::new(bundle), Budget::default())
    }

    #[tokio::test]
    async fn names_of_nodes_are_completed_where_a_prompt_asks_for_one() {
        let with = server(&[PromptArgument { name: "node_name", description: "where", required: true }]);
        assert!(with.get_info().capabilities.completions.is_some());
        assert_eq!(with.nodes_like("ovn-worker").await, ["ovn-worker", "ovn-worker2"]);
        assert_eq!(with.nodes_like("x").await, [""; 0]);
        assert!(server(&[]).get_info().capabilities.completions.is_none());
    }
}
