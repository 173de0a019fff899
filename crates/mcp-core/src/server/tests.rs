//! Tests of what a client gets apart from answers: completions and progress.

use super::*;
use crate::{
    Answer, Argv, Bundle, CommandTarget, Coverage, Db, NodeName, Output, ReadError, ReadValue, Row, Tool,
    ToolEntry, ToolError, commands, prompt::PromptArgument,
};
use async_trait::async_trait;
use rmcp::{
    ClientHandler, RoleClient, ServiceExt, model::ProgressNotificationParam, service::NotificationContext,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::Path;
use tokio::sync::{Notify, mpsc};

fn layer(tools: Vec<crate::ToolEntry>, arguments: &'static [PromptArgument]) -> Layer {
    Layer::new("mcp-test", "0", "Test").instructions("Ask.").tools(tools).prompts(vec![Prompt {
        name: "p",
        title: "P",
        description: "",
        arguments,
        text: "",
    }])
}

fn server(arguments: &'static [PromptArgument]) -> Server {
    let capture = "../../testdata/capture/must-gather.tar.xz";
    let bundle = Bundle::new(vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(capture)]);
    Server::new(layer(Vec::new(), arguments), Arc::new(bundle), Budget::default())
}

#[tokio::test]
async fn node_names_are_completed_if_a_prompt_has_that_argument() {
    let with = server(&[PromptArgument { name: "node_name", description: "where", required: true }]);
    assert!(with.get_info().capabilities.completions.is_some());
    assert_eq!(with.values(NODE, None).await, ["ovn-control-plane", "ovn-worker", "ovn-worker2"]);
    assert!(with.values("since", None).await.is_empty());
    assert!(server(&[]).get_info().capabilities.completions.is_none());
}

/// A tool that runs one command on its node.
struct Ask;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

impl Tool for Ask {
    const NAME: &'static str = "ask";
    const TITLE: &'static str = "Ask";
    const DESCRIPTION: &'static str = "Asks.";
    const TOOLSET: &'static str = "test";
    type Params = Nothing;

    fn title(_: &Nothing) -> String {
        "ask".into()
    }

    async fn run(node: &Node<'_>, _: &Nothing) -> Result<Answer, ToolError> {
        let output = node.command(Db::Nb.place(), &commands::get_schema(Db::Nb)).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Answer { rows: vec![Row::line(text)], ..Answer::default() })
    }
}

/// A source of three nodes. The node `quick` answers at once, the others when the test notifies them.
struct ThreeNodes(Arc<Notify>);

#[async_trait]
impl Backend for ThreeNodes {
    fn name(&self) -> &str {
        "nodes"
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        Ok(["a", "b", "quick"].map(|name| name.parse().unwrap()).to_vec())
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        unreachable!()
    }

    async fn command(&self, at: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError> {
        if at.node.as_str() != "quick" {
            self.0.notified().await;
        }
        let origin = crate::Origin::new(argv.to_string(), None);
        let output = Output { stdout: b"it answered".to_vec(), ..Output::default() };
        Ok(ReadValue { value: output, origin, notes: Vec::new() })
    }

    async fn schema(&self, _: &CommandTarget, _: Db) -> Result<Arc<ovsdb::Schema>, ReadError> {
        unreachable!()
    }

    async fn rows(
        &self,
        _: &CommandTarget,
        _: Db,
        _: &[ovsdb::Select],
    ) -> Result<ReadValue<Vec<ovsdb::Rows>>, ReadError> {
        unreachable!()
    }

    async fn database(&self, _: &CommandTarget, _: Db) -> Result<ReadValue<Arc<ovsdb::Database>>, ReadError> {
        unreachable!()
    }
}

/// A client that passes on the progress that it receives.
struct Client(mpsc::UnboundedSender<(f64, String)>);

impl ClientHandler for Client {
    async fn on_progress(&self, step: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        _ = self.0.send((step.progress, step.message.unwrap_or_default()));
    }
}

#[tokio::test]
async fn the_progress_of_a_call_counts_the_nodes_that_answered() {
    let go = Arc::new(Notify::new());
    let nodes = Arc::new(ThreeNodes(go.clone()));
    let server = Server::new(layer(vec![ToolEntry::of::<Ask>()], &[]), nodes, Budget::default());
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move { server.serve(theirs).await.unwrap().waiting().await.unwrap() });
    let (steps, mut heard) = mpsc::unbounded_channel();
    let client = Client(steps).serve(ours).await.unwrap();
    let arguments = serde_json::json!({ "node_name": "all" }).as_object().cloned().unwrap();
    let request = CallToolRequestParams::new("ask").with_arguments(arguments);
    let peer = client.peer().clone();
    let call = tokio::spawn(async move { peer.call_tool(request).await });

    let mut last = 0.0;
    for expected in ["1 of 3 nodes have answered, quick last; ", "2 of 3 nodes have answered, "] {
        loop {
            let (percent, message) = heard.recv().await.unwrap();
            assert!(percent > last && percent <= 100.0, "{percent} after {last}");
            last = percent;
            if message.starts_with(expected) {
                break;
            }
        }
        go.notify_one();
    }
    let result = call.await.unwrap().unwrap();
    let text = result.content.first().and_then(ContentBlock::as_text).map(|text| text.text.clone());
    assert!(text.as_ref().is_some_and(|text| text.contains("it answered")), "{text:?}");
}
