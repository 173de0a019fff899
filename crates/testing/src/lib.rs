//! Golden tests of a layer. A test reads a case file, gets the answer over a real MCP connection, and compares the
//! answer with a snapshot.
//!
//! A case names a scenario (a folder of `testdata`), a tool and its parameters:
//!
//! ```json
//! { "scenario": "capture", "tool": "ovn_nbctl_show", "params": { "node_name": "ovn-worker", "of": "join" } }
//! ```

mod attack;
mod capture;
mod changes;
mod early;
mod examples;
mod generate;
mod http;
mod planted;
mod process;

pub use attack::attack;
pub use capture::Capture;
pub use changes::{RandomChanges, answer_uncut, other_letter, with_line};
pub use early::EarlyGather;
pub use examples::problems_of_examples;
pub use generate::Generator;
pub use http::HttpProcess;
pub use planted::{MARKS, no_secrets, planted_answer};
pub use process::ServerProcess;

use mcp_core::{Backend, Budget, Bundle, Layer, LocalBackend, RecordedBackend, Server};
use rmcp::{
    ClientHandler, RoleClient, ServiceExt,
    model::{
        ArgumentInfo, CallToolRequestParams, CallToolResult, CompleteRequestParams, CompletionContext,
        ContentBlock, ListToolsResult, ProgressNotificationParam, ReadResourceRequestParams, Reference,
        ResourceContents,
    },
    service::NotificationContext,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A call that a golden test makes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The folder of `testdata` that contains the source.
    pub scenario: String,
    /// The name of the tool.
    pub tool: String,
    /// The parameters of the tool.
    pub params: Map<String, Value>,
}

impl Case {
    /// Reads a case file.
    pub fn read(path: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}

/// Any error of a test.
pub type Failed = Box<dyn std::error::Error>;

/// Returns the folder of test data, relative to a crate of this workspace.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Unpacks an archive of the test data (tar with xz) into a directory.
pub fn unpack(archive: &str, into: &Path) -> Result<(), Failed> {
    let file = std::fs::File::open(testdata().join(archive))?;
    tar::Archive::new(liblzma::read::XzDecoder::new(file)).unpack(into)?;
    Ok(())
}

/// Returns the lab of `cargo xtask lab` as a source with two live nodes. `cargo xtask test` runs the tests that need
/// the lab.
pub fn lab() -> Result<Arc<dyn Backend>, Failed> {
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let node = |name: &str| format!("{name}={dir}/{name}/pid").parse();
    Ok(Arc::new(LocalBackend::new(vec![node("ovn-worker")?, node("ovn-worker2")?])))
}

/// Returns the source of a scenario: the bundles that its file `bundles.txt` lists (as paths in the test data), its
/// must-gather, or recorded answers.
pub fn scenario(name: &str) -> Arc<dyn Backend> {
    let folder = testdata().join(name);
    if let Ok(bundles) = std::fs::read_to_string(folder.join("bundles.txt")) {
        return Arc::new(Bundle::new(bundles.lines().map(|path| testdata().join(path)).collect()));
    }
    let bundle = folder.join("must-gather.tar.xz");
    if bundle.exists() {
        Arc::new(Bundle::new(vec![bundle]))
    } else {
        Arc::new(RecordedBackend::new(folder.join("recorded")))
    }
}

/// A client that asks for progress, as every rmcp client does, and records it.
#[derive(Clone, Default)]
struct ProgressClient(Arc<Mutex<Vec<(f64, String)>>>);

impl ClientHandler for ProgressClient {
    async fn on_progress(&self, step: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push((step.progress, step.message.unwrap_or_default()));
    }
}

/// A client of a server in this process.
pub struct Connection(rmcp::service::RunningService<RoleClient, ProgressClient>);

impl Connection {
    /// Connects over a pair of pipes. Only the process boundary differs from a real connection.
    pub async fn open(layer: Layer, backend: Arc<dyn Backend>) -> Result<Self, Failed> {
        Self::open_within(layer, backend, Budget::default()).await
    }

    /// Connects to a server whose answers have this budget.
    pub async fn open_within(
        layer: Layer,
        backend: Arc<dyn Backend>,
        budget: Budget,
    ) -> Result<Self, Failed> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = Server::new(layer, backend, budget);
        tokio::spawn(async move {
            // If the server fails, the client gets an error.
            if let Ok(running) = server.serve(theirs).await {
                _ = running.waiting().await;
            }
        });
        Ok(Self(ProgressClient::default().serve(ours).await?))
    }

    /// Lists the tools.
    pub async fn tools(&self) -> Result<ListToolsResult, Failed> {
        Ok(self.0.list_tools(None).await?)
    }

    /// Calls a tool, and returns the text of its answer or of its error.
    pub async fn call(
        &self,
        tool: &str,
        params: &Map<String, Value>,
    ) -> Result<Result<String, String>, Failed> {
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(params.clone());
        let result: CallToolResult = self.0.call_tool(request).await?;
        let text = result.content.iter().filter_map(ContentBlock::as_text).map(|t| t.text.as_str()).collect();
        Ok(if result.is_error == Some(true) { Err(text) } else { Ok(text) })
    }

    /// Returns the evidence of an answer: the resource that the first line of the answer names.
    pub async fn evidence(&self, answer: &str) -> Result<String, Failed> {
        let first = answer.lines().next().unwrap_or_default();
        self.resource(first.rsplit(' ').next().unwrap_or_default()).await
    }

    /// Returns the text of a resource.
    pub async fn resource(&self, uri: &str) -> Result<String, Failed> {
        let read = self.0.read_resource(ReadResourceRequestParams::new(uri)).await?;
        let text = read.contents.into_iter().filter_map(|contents| match contents {
            ResourceContents::TextResourceContents { text, .. } => Some(text),
            _ => None,
        });
        Ok(text.collect())
    }

    /// Reads a resource that is no text, as base64.
    pub async fn blob(&self, uri: &str) -> Result<String, Failed> {
        let read = self.0.read_resource(ReadResourceRequestParams::new(uri)).await?;
        match read.contents.first() {
            Some(ResourceContents::BlobResourceContents { blob, .. }) => Ok(blob.clone()),
            other => Err(format!("{uri} is no blob: {other:?}").into()),
        }
    }

    /// Lists the addresses of the resources.
    pub async fn resources(&self) -> Result<Vec<String>, Failed> {
        let list = self.0.list_resources(None).await?;
        Ok(list.resources.into_iter().map(|resource| resource.uri).collect())
    }

    /// Returns the progress reports of all calls so far: percentages and texts.
    pub fn progress(&self) -> Vec<(f64, String)> {
        self.0.service().0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the completions of a prompt argument, given the typed text and the other arguments.
    pub async fn complete(
        &self,
        prompt: &str,
        argument: &str,
        typed: &str,
        given: &[(&str, &str)],
    ) -> Result<Vec<String>, Failed> {
        let argument = ArgumentInfo::new(argument, typed);
        let given = given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let request = CompleteRequestParams::new(Reference::for_prompt(prompt), argument)
            .with_context(CompletionContext::with_arguments(given));
        Ok(self.0.complete(request).await?.completion.values)
    }
}

/// Returns the problems of a layer's prompts: a parameter that a tool of this layer does not have, a placeholder that
/// is missing in the text, or a text that calls no tool of the layer. `cargo xtask tidy` checks that all named tools
/// exist, including those of other layers.
pub fn problems_of_prompts(layer: &Layer) -> Vec<String> {
    let mut problems = Vec::new();
    for prompt in &layer.prompts {
        let blanks = prompt.arguments.iter().filter(|a| !prompt.text.contains(&format!("{{{}}}", a.name)));
        problems
            .extend(blanks.map(|a| format!("{}: the text has no placeholder {{{}}}", prompt.name, a.name)));
        let (mut tool, mut asked) = (None, 0);
        for word in prompt.text.split_whitespace() {
            let word = word.trim_start_matches('(');
            let name = word.trim_end_matches([',', '.', ';', ':', ')', '`']);
            if let Some(found) = layer.tools.iter().find(|tool| tool.name == name) {
                (tool, asked) = (Some(found), asked + 1);
            } else if let (Some(tool), Some((parameter, _))) = (tool, word.split_once('='))
                && parameter.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                && tool.schema.get("properties").and_then(|all| all.get(parameter)).is_none()
            {
                problems.push(format!("{}: {} has no parameter {parameter}", prompt.name, tool.name));
            }
        }
        if asked == 0 && !layer.tools.is_empty() {
            problems.push(format!("{}: the text names no tool of this layer", prompt.name));
        }
    }
    problems
}

/// Answers a case over a source, in a new server.
pub fn answer(layer: Layer, backend: Arc<dyn Backend>, case: &Case) -> Result<String, Failed> {
    answer_within(layer, backend, case, Budget::default())
}

/// Answers a case with a budget for the answer.
pub fn answer_within(
    layer: Layer,
    backend: Arc<dyn Backend>,
    case: &Case,
    budget: Budget,
) -> Result<String, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime.block_on(async {
        Connection::open_within(layer, backend, budget).await?.call(&case.tool, &case.params).await
    })?;
    Ok(result.unwrap_or_else(|error| error))
}

/// The limit of the `tools/list` of one server in bytes. A client sends the list to its model.
pub const SCHEMA_BYTES: usize = 16_000;
/// The limit of the lists of all servers together in bytes.
pub const ALL_SCHEMA_BYTES: usize = 56_000;
/// The page that documents both limits.
const SCHEMA_RULES: &str = "docs/adding-a-tool.md, \"What a schema may cost\"";

/// Returns the exceeded limits, given the name of each server and the size of its `tools/list`.
pub fn problems_of_sizes<'a>(lists: impl IntoIterator<Item = (&'a str, usize)>) -> Vec<String> {
    let (mut problems, mut all) = (Vec::new(), 0);
    for (server, bytes) in lists {
        all += bytes;
        if bytes > SCHEMA_BYTES {
            problems.push(format!(
                "tools/list of {server} has {bytes} bytes; the limit of one server is {SCHEMA_BYTES} ({SCHEMA_RULES})"
            ));
        }
    }
    if all > ALL_SCHEMA_BYTES {
        problems.push(format!(
            "tools/list of all servers has {all} bytes; the limit of all together is {ALL_SCHEMA_BYTES} ({SCHEMA_RULES})"
        ));
    }
    problems
}

/// Tests a layer's list of tools. It checks the annotations and the size, and that each parameter has a description. A
/// snapshot shows every changed description or parameter to the reviewer.
pub fn tools_list(layer: Layer) -> Result<(), Failed> {
    let name = layer.name;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tools = runtime.block_on(async {
        Ok::<_, Failed>(Connection::open(layer, scenario("capture")).await?.tools().await?.tools)
    })?;
    let bytes = serde_json::to_string(&tools)?.len();
    assert_eq!(problems_of_sizes([(name, bytes)]), [""; 0]);
    for tool in &tools {
        let hints = tool.annotations.as_ref().ok_or("no annotations")?;
        assert_eq!(hints.read_only_hint, Some(true), "{}", tool.name);
        assert_ne!(hints.destructive_hint, Some(true), "{}", tool.name);
        let description = tool.description.as_deref().ok_or("no description")?;
        let sentences = description.matches(". ").count() + description.matches("? ").count() + 1;
        assert!(sentences <= 3 && description.len() < 700, "{}: {sentences} sentences", tool.name);
        let properties = tool.input_schema.get("properties").and_then(Value::as_object);
        let bare = properties.into_iter().flatten().filter(|(_, schema)| schema.get("description").is_none());
        let bare: Vec<&str> = bare.map(|(name, _)| name.as_str()).collect();
        assert_eq!(bare, [""; 0], "{}: these parameters have no doc comment ({SCHEMA_RULES})", tool.name);
    }
    let shown = serde_json::to_string_pretty(&tools)?;
    insta::with_settings!({
        snapshot_path => std::env::current_dir()?.join("tests/snapshots"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("server__tools_list", shown);
    });
    Ok(())
}

/// Replaces the identifiers of captures, which are random.
fn without_capture_ids(text: &str) -> String {
    const BEFORE: &str = "capture=";
    let mut pieces = text.split(BEFORE);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        text + BEFORE + if rest.len() < piece.len() { "ID" } else { "" } + rest
    })
}

/// Tests one case file, for `datatest_stable`.
pub fn golden(layer: Layer, path: &Path) -> Result<(), Failed> {
    let case = Case::read(path)?;
    let text = without_capture_ids(&answer(layer, scenario(&case.scenario), &case)?);
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // The path is absolute, because insta would resolve a relative path from this file.
    let snapshots = std::env::current_dir()?.join(path.parent().unwrap_or(path)).join("../snapshots");
    let asked = format!("{} {} over {}", case.tool, Value::Object(case.params), case.scenario);
    insta::with_settings!({
        snapshot_path => snapshots,
        prepend_module_to_snapshot => false,
        omit_expression => true,
        description => asked,
    }, {
        insta::assert_snapshot!(name, text);
    });
    Ok(())
}
