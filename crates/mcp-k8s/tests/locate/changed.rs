//! A copy of the capture that tests change.

use mcp_core::{Budget, Bundle};
use mcp_testing::{Capture, Connection, Failed};
use ovsdb::{Condition, Database, Select};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, sync::Arc};

/// A pod of ovn-worker, its logical port, and its address.
pub(crate) const POD: &str = "shop/web-7ddbb54ff6-l6vb8";
pub(crate) const PORT: &str = "shop_web-7ddbb54ff6-l6vb8";
pub(crate) const ADDRESS: &str = "10.244.1.3";
/// The ovnkube-node pod of ovn-worker.
pub(crate) const OVNKUBE: &str = "ovnkube-node-vwrjk";

/// A copy of the capture.
pub(crate) struct Changed(Capture);

impl Changed {
    pub(crate) fn new() -> Result<Self, Failed> {
        Ok(Self(Capture::unpack_to_change()?))
    }

    /// The folder with the collected data of the cluster.
    pub(crate) fn image(&self) -> PathBuf {
        self.0.bundle().join("must-gather.local.4417836294/lab-ovn-kubernetes")
    }

    /// Returns the path of a database, by the name of the node's ovnkube-node pod.
    pub(crate) fn database(&self, pod: &str, db: &str) -> PathBuf {
        self.0.database(pod, db)
    }

    /// The northbound database of ovn-worker.
    pub(crate) fn northbound(&self) -> PathBuf {
        self.database(OVNKUBE, "nbdb")
    }

    /// Changes the northbound database of ovn-worker.
    pub(crate) fn change(&self, operation: &Value) -> Result<(), Failed> {
        Capture::transact(&self.northbound(), "OVN_Northbound", std::slice::from_ref(operation))
    }

    /// Changes the southbound database of ovn-worker.
    pub(crate) fn change_southbound(&self, operation: &Value) -> Result<(), Failed> {
        Capture::transact(&self.database(OVNKUBE, "sbdb"), "OVN_Southbound", std::slice::from_ref(operation))
    }

    /// Returns the UUID of the row with a name in the northbound database of ovn-worker.
    pub(crate) fn uuid(&self, table: &str, name: &str) -> Result<String, Failed> {
        let database = Database::open(fs::read(self.northbound())?)?;
        let rows = database.select(&Select::from(table).filter(Condition::is("name", name)))?;
        Ok(rows.rows.first().ok_or_else(|| format!("{table} has no {name}"))?.uuid.to_string())
    }

    /// Changes the file of an object or of a list of objects.
    pub(crate) fn edit(&self, path: &str, edit: impl FnOnce(&mut Value)) -> Result<(), Failed> {
        let path = self.image().join(path);
        let mut value: Value = serde_saphyr::from_slice(&fs::read(&path)?)?;
        edit(&mut value);
        // JSON is YAML.
        Ok(fs::write(path, format!("{value:#}\n"))?)
    }

    /// Returns the files with single objects of a list. These files take precedence over the list.
    fn singles(&self, list: &str) -> Result<Vec<PathBuf>, Failed> {
        let list = self.image().join(list);
        let namespace = list.ancestors().nth(2).ok_or("a namespace")?;
        let mut found = Vec::new();
        let pods = if list.ends_with("core/pods.yaml") { Some(namespace.join("pods")) } else { None };
        for folder in
            [Some(list.with_extension("")), pods].into_iter().flatten().filter(|folder| folder.is_dir())
        {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let own = path.join(path.file_name().unwrap_or_default()).with_extension("yaml");
                // The name of a pod may have a dot.
                let own = if own.exists() { own } else { path };
                found.extend(own.is_file().then_some(own));
            }
        }
        Ok(found)
    }

    /// Removes a list and the files of its objects.
    pub(crate) fn remove_list(&self, list: &str) -> Result<(), Failed> {
        for path in self.singles(list)? {
            fs::remove_file(path)?;
        }
        self.remove(list)
    }

    /// Changes the objects whose names begin with a prefix, in a list and in the files of single objects. At least one
    /// must exist.
    pub(crate) fn edit_named(
        &self,
        path: &str,
        name: &str,
        mut edit: impl FnMut(&mut Value),
    ) -> Result<(), Failed> {
        for single in self.singles(path)? {
            if single.file_name().is_some_and(|own| own.to_string_lossy().starts_with(name)) {
                self.edit(&single.to_string_lossy(), &mut edit)?;
            }
        }
        let mut found = 0;
        self.edit(path, |list| {
            for object in list["items"].as_array_mut().into_iter().flatten() {
                if object["metadata"]["name"].as_str().is_some_and(|own| own.starts_with(name)) {
                    edit(object);
                    found += 1;
                }
            }
        })?;
        assert!(found > 0, "{path} has no {name}");
        Ok(())
    }

    /// Adds a file.
    pub(crate) fn add(&self, path: &str, object: &Value) -> Result<(), Failed> {
        let path = self.image().join(path);
        fs::create_dir_all(path.parent().ok_or("a folder")?)?;
        Ok(fs::write(path, format!("{object:#}\n"))?)
    }

    /// Removes a file or folder.
    pub(crate) fn remove(&self, path: &str) -> Result<(), Failed> {
        let path = self.image().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path)?
        } else {
            fs::remove_file(path)?
        }
        Ok(())
    }

    /// Removes the databases of the other nodes.
    pub(crate) fn only_ovn_worker(&self) -> Result<(), Failed> {
        for (_, pod) in Capture::NODES.iter().filter(|(_, pod)| *pod != OVNKUBE) {
            fs::remove_file(self.database(pod, "nbdb"))?;
            fs::remove_file(self.database(pod, "sbdb"))?;
        }
        Ok(())
    }

    pub(crate) async fn connection(&self) -> Result<Connection, Failed> {
        self.connection_within(Budget::default()).await
    }

    /// Connects to a server whose answers have this budget.
    pub(crate) async fn connection_within(&self, budget: Budget) -> Result<Connection, Failed> {
        let backend = Arc::new(Bundle::new(vec![self.0.bundle()]));
        Connection::open_within(mcp_k8s::layer(), backend, budget).await
    }

    /// Returns the answer or the error of `ovnkube_locate`.
    pub(crate) async fn locate(&self, what: &str) -> Result<String, Failed> {
        locate(&self.connection().await?, what).await
    }

    pub(crate) async fn findings(&self, what: &str) -> Result<Vec<String>, Failed> {
        Ok(findings(&self.locate(what).await?))
    }

    /// Returns the answer of `k8s_audit`.
    pub(crate) async fn audit(&self) -> Result<String, Failed> {
        let called = self.connection().await?.call("k8s_audit", &serde_json::Map::new()).await?;
        Ok(called.unwrap_or_else(|error| error))
    }

    pub(crate) async fn overview(&self) -> Result<String, Failed> {
        let called = self.connection().await?.call("cluster_overview", &serde_json::Map::new()).await?;
        Ok(called.unwrap_or_else(|error| error))
    }
}

pub(crate) async fn locate(connection: &Connection, what: &str) -> Result<String, Failed> {
    let params = json!({ "what": what }).as_object().cloned().unwrap_or_default();
    let text = connection.call("ovnkube_locate", &params).await?.unwrap_or_else(|error| error);
    // Notes on damaged files are bounded with the answer.
    assert!(text.len() < 24_000, "{what}: {} bytes", text.len());
    Ok(text)
}

/// Returns the findings of an answer, without the UUIDs of rows.
pub(crate) fn findings(answer: &str) -> Vec<String> {
    let found = answer.lines().filter_map(|line| line.trim_start().strip_prefix("FINDING: "));
    found.map(without_uuids).collect()
}

/// Removes each ` (_uuid …)` from a line.
fn without_uuids(line: &str) -> String {
    let mut parts = line.split(" (_uuid ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or(part, |(_, rest)| rest))
}

pub(crate) fn by_name(name: &str) -> Value {
    json!([["name", "==", name]])
}
