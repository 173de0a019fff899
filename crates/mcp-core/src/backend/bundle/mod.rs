//! Bundles: what was collected from a cluster, in files.
//!
//! A must-gather holds the databases of every node's zone; see [`must_gather`] for its layout. Opening is
//! lazy: a server that starts with a bundle reads nothing of it before the first question.

mod must_gather;
mod tree;

use super::{Backend, Origin, Output, Read, ReadError};
use crate::{Argv, Db, NodeName, Target};
use async_trait::async_trait;
use ovsdb::{Database, Rows, Schema, Select};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;
use tree::Tree;

/// One or more bundles, read as one cluster.
pub struct Bundle {
    name: String,
    paths: Vec<PathBuf>,
    opened: OnceCell<Arc<Opened>>,
}

/// What the first question opens.
struct Opened {
    trees: Vec<Tree>,
    stored: BTreeMap<(NodeName, Db), Stored>,
    /// Files whose node is not known, and why.
    homeless: Vec<String>,
}

/// A database in one of the trees.
struct Stored {
    tree: usize,
    path: String,
    database: Mutex<Option<Arc<Database>>>,
}

impl Bundle {
    /// Bundles at these paths: directories or archives. Nothing is read yet.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let name = |p: &PathBuf| p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned();
        let names: Vec<_> = paths.iter().map(name).collect();
        Self { name: names.join(" + "), paths, opened: OnceCell::new() }
    }

    async fn opened(&self) -> Result<Arc<Opened>, ReadError> {
        let open = || async {
            let paths = self.paths.clone();
            blocking(move || Opened::open(&paths)).await.map(Arc::new)
        };
        self.opened.get_or_try_init(open).await.cloned()
    }

    /// It is not there: with what is there of that node.
    fn not_collected(&self, opened: &Opened, what: String, node: &NodeName) -> ReadError {
        let held = opened.stored.keys().filter(|(n, _)| n == node).map(|(_, db)| db.to_string());
        ReadError::NotCollected {
            what,
            node: node.clone(),
            source_name: self.name.clone(),
            instead: held.collect(),
        }
    }
}

impl Opened {
    fn open(paths: &[PathBuf]) -> Result<Self, ReadError> {
        let mut opened = Self { trees: Vec::new(), stored: BTreeMap::new(), homeless: Vec::new() };
        for (tree, path) in paths.iter().enumerate() {
            let files = Tree::open(path)?;
            let found = must_gather::find(&files);
            if found.databases.is_empty() && found.homeless.is_empty() {
                return Err(ReadError::unreadable(
                    path.display().to_string(),
                    format!(
                        "none of its {} files is a database in network_logs/ovnk_database_store, \
                         as a must-gather of an interconnect cluster has them",
                        files.paths().count()
                    ),
                ));
            }
            for (key, path) in found.databases {
                // The first bundle that has it wins: they are given in the order of the user's trust.
                opened.stored.entry(key).or_insert(Stored { tree, path, database: Mutex::default() });
            }
            opened.homeless.extend(found.homeless);
            opened.trees.push(files);
        }
        Ok(opened)
    }

    fn tree(&self, stored: &Stored) -> &Tree {
        self.trees.get(stored.tree).expect("an index of `trees`")
    }

    fn database(&self, stored: &Stored) -> Result<Arc<Database>, ReadError> {
        // Held while reading: a second question for the same file waits for the first to open it.
        let mut database = stored.database.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &*database {
            return Ok(database.clone());
        }
        let bytes = self.tree(stored).read(&stored.path)?;
        let opened = Database::open(bytes).map_err(|e| ReadError::unreadable(&stored.path, e))?;
        Ok(database.insert(Arc::new(opened)).clone())
    }

    /// One line a file, and one for each that has no home.
    fn coverage(&self) -> Vec<String> {
        let file = |((node, db), stored): (&(NodeName, Db), &Stored)| {
            let state = match self.database(stored) {
                Ok(database) => match database.damage() {
                    Some(damage) => format!("damaged: {damage}"),
                    None => "present".into(),
                },
                Err(e) => crate::error::chain(&e),
            };
            format!("{node}  {db}  {state}  {}", stored.path)
        };
        self.stored.iter().map(file).chain(self.homeless.iter().cloned()).collect()
    }
}

#[async_trait]
impl Backend for Bundle {
    fn name(&self) -> &str {
        &self.name
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        let opened = self.opened().await?;
        let mut nodes: Vec<_> = opened.stored.keys().map(|(node, _)| node.clone()).collect();
        nodes.dedup();
        Ok(nodes)
    }

    async fn coverage(&self) -> Result<Vec<String>, ReadError> {
        let opened = self.opened().await?;
        blocking(move || Ok(opened.coverage())).await
    }

    async fn command(&self, at: &Target, argv: &Argv) -> Result<Read<Output>, ReadError> {
        Err(self.not_collected(&*self.opened().await?, format!("`{argv}`"), &at.node))
    }

    async fn schema(&self, at: &Target, db: Db) -> Result<Arc<Schema>, ReadError> {
        Ok(self.database(at, db).await?.value.schema().clone())
    }

    async fn rows(&self, at: &Target, db: Db, selects: &[Select]) -> Result<Read<Vec<Rows>>, ReadError> {
        let Read { value: database, origin, notes } = self.database(at, db).await?;
        let selects = selects.to_vec();
        let all = move || selects.iter().map(|select| Ok(database.select(select)?)).collect();
        Ok(Read { value: blocking(all).await?, origin, notes })
    }

    async fn database(&self, at: &Target, db: Db) -> Result<Read<Arc<Database>>, ReadError> {
        let opened = self.opened().await?;
        let key = (at.node.clone(), db);
        let Some(stored) = opened.stored.get(&key) else {
            return Err(self.not_collected(&opened, db.to_string(), &at.node));
        };
        // The folders above it have the name of the collection and of an image.
        let what = stored.path.find("network_logs/").and_then(|at| stored.path.get(at..)).unwrap_or(&stored.path);
        let origin = Origin { what: what.into(), when: opened.tree(stored).modified(&stored.path) };
        let opened = opened.clone();
        let open = move || opened.stored.get(&key).map(|stored| opened.database(stored)).expect("it was there");
        let database = blocking(open).await?;
        let notes = database.damage().map(|damage| format!("{} is damaged: {damage}", origin.what));
        Ok(Read { notes: notes.into_iter().collect(), value: database, origin })
    }
}

/// Runs what reads files or computes for long away from the threads that serve.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| ReadError::unreadable("the bundle", e))?
}
