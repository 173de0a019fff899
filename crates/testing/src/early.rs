//! A must-gather in the layout of OpenShift 4.5 to 4.9. No real one was available, so this one has real outputs
//! (`testdata/forms`) under the names that `gather_network_logs` of those releases used.

use super::{Connection, Failed, unpack};
use mcp_core::{Bundle, Layer};
use serde_json::Value;
use std::{fs, path::PathBuf, sync::Arc};

/// A must-gather of the single node `ovn-worker`, which is removed when the value is dropped.
pub struct EarlyGather {
    dir: tempfile::TempDir,
}

impl EarlyGather {
    /// The pod from which the node's data was collected.
    pub const POD: &str = "ovnkube-node-k7xwd";

    /// Creates a must-gather with the node, its pod, and these outputs, each given by its name in `testdata/forms` and
    /// its name in `network_logs`.
    pub fn with(outputs: &[(&str, &str)]) -> Result<Self, Failed> {
        let gather = Self { dir: tempfile::tempdir()? };
        unpack("forms/outputs.tar.xz", gather.dir.path())?;
        gather.object(
            "cluster-scoped-resources/core/nodes",
            "ovn-worker",
            "kind: Node\napiVersion: v1\nmetadata:\n  name: ovn-worker\nstatus:\n  addresses: []\n",
        )?;
        let pod = Self::POD;
        gather.object(
            &format!("namespaces/openshift-ovn-kubernetes/pods/{pod}"),
            pod,
            &format!(
                "kind: Pod\nmetadata:\n  name: {pod}\n  namespace: openshift-ovn-kubernetes\nspec:\n  nodeName: ovn-worker\n"
            ),
        )?;
        fs::create_dir_all(gather.image().join("network_logs"))?;
        for (output, name) in outputs {
            fs::copy(gather.dir.path().join("outputs").join(output), gather.log(name))?;
        }
        Ok(gather)
    }

    /// Returns the path of a file in `network_logs`.
    pub fn log(&self, name: &str) -> PathBuf {
        self.image().join("network_logs").join(name)
    }

    /// Returns the answer of a tool about the node, followed by the evidence that its first line names.
    pub fn ask(&self, layer: Layer, tool: &str, params: Value) -> Result<String, Failed> {
        let mut params = params.as_object().cloned().ok_or("the parameters are not a JSON object")?;
        params.insert("node_name".into(), "ovn-worker".into());
        let backend = Arc::new(Bundle::new(vec![self.dir.path().join("must-gather.local.1")]));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(async {
            let connection = Connection::open(layer, backend).await?;
            match connection.call(tool, &params).await? {
                Ok(text) => Ok(format!("{text}\n{}", connection.evidence(&text).await?)),
                Err(error) => Ok(error),
            }
        })
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("must-gather.local.1/quay-io-must-gather")
    }

    fn object(&self, folder: &str, name: &str, text: &str) -> Result<(), Failed> {
        let folder = self.image().join(folder);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(format!("{name}.yaml")), text)?)
    }
}
