//! Golden tests of a layer: a case file in, the answer over a real MCP connection out, compared with a snapshot.
//!
//! A case names a scenario (a folder of `testdata`), a tool and its parameters:
//!
//! ```json
//! { "scenario": "capture", "tool": "ovn_nbctl_show", "params": { "node_name": "ovn-worker", "of": "join" } }
//! ```

use crate::{Backend, Budget, Bundle, Layer, Local, Recorded, Server};
use rmcp::{
    ClientHandler, ServiceExt,
    model::{CallToolRequestParams, CallToolResult, ContentBlock, ListToolsResult},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// A question that a golden test asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The folder of `testdata` that holds the source.
    pub scenario: String,
    /// The tool.
    pub tool: String,
    /// Its parameters.
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

/// The folder of test data, seen from a crate of this workspace.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Unpacks an archive (tar, xz) of the test data into a directory.
pub fn unpack(archive: &str, into: &Path) -> Result<(), Failed> {
    let file = std::fs::File::open(testdata().join(archive))?;
    tar::Archive::new(liblzma::read::XzDecoder::new(file)).unpack(into)?;
    Ok(())
}

/// The lab of `cargo xtask lab`, as a source: two live nodes. Tests that need it are run by `cargo xtask test`.
pub fn lab() -> Result<Arc<dyn Backend>, Failed> {
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let node = |name: &str| format!("{name}={dir}/{name}/pid").parse();
    Ok(Arc::new(Local::new(vec![node("ovn-worker")?, node("ovn-worker2")?])))
}

/// The source of a scenario: the bundles that its folder lists in `bundles.txt`, by their paths in the test data; the
/// must-gather that it has; else recorded answers.
pub fn scenario(name: &str) -> Arc<dyn Backend> {
    let folder = testdata().join(name);
    if let Ok(bundles) = std::fs::read_to_string(folder.join("bundles.txt")) {
        return Arc::new(Bundle::new(bundles.lines().map(|path| testdata().join(path)).collect()));
    }
    let bundle = folder.join("must-gather.tar.xz");
    if bundle.exists() {
        Arc::new(Bundle::new(vec![bundle]))
    } else {
        Arc::new(Recorded::new(folder.join("recorded")))
    }
}

struct Client;
impl ClientHandler for Client {}

/// A client of a server in this process.
pub struct Connection(rmcp::service::RunningService<rmcp::RoleClient, Client>);

impl Connection {
    /// Connects over a pair of pipes: everything but the process is as in practice.
    pub async fn open(layer: Layer, backend: Arc<dyn Backend>) -> Result<Self, Failed> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = Server::new(layer, backend, Budget::default());
        tokio::spawn(async move {
            // A server that fails shows as an error of the client.
            if let Ok(running) = server.serve(theirs).await {
                _ = running.waiting().await;
            }
        });
        Ok(Self(Client.serve(ours).await?))
    }

    /// The tools.
    pub async fn tools(&self) -> Result<ListToolsResult, Failed> {
        Ok(self.0.list_tools(None).await?)
    }

    /// Calls a tool. The text of its answer or of its error.
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
}

/// Answers a case over a source, in a new server.
pub fn answer(layer: Layer, backend: Arc<dyn Backend>, case: &Case) -> Result<String, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime
        .block_on(async { Connection::open(layer, backend).await?.call(&case.tool, &case.params).await })?;
    Ok(result.unwrap_or_else(|error| error))
}

/// The test of one case file, for `datatest_stable`.
pub fn golden(layer: Layer, path: &Path) -> Result<(), Failed> {
    let case = Case::read(path)?;
    let text = answer(layer, scenario(&case.scenario), &case)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // Absolute: a relative one would be looked for beside this file.
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
