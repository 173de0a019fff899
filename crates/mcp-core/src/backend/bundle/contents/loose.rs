//! Finds databases and logs outside must-gathers and sosreports: the exports of `kind export logs` and upstream's CI,
//! and files that somebody copied by hand.
//!
//! `contrib/export-kind-logs.sh` writes one directory per node, which contains `kubelet.log`. The end-to-end tests add
//! `e2e-dbs/<test>/{<node>-conf.db,ovnnb_db.db,ovnsb_db.db}`, and the workflow adds `<node>_ovn{n,s}b_db.db`.

use super::{Contents, NodeIdentity, StoredDatabase, identity, wanted::database};
use crate::{Db, NodeName, backend::bundle::files::Files};
use std::collections::{BTreeMap, BTreeSet};

/// Finds the files that the other scans did not claim.
pub(super) fn scan(files: &Files, contents: &mut Contents) {
    let claimed: BTreeSet<String> = contents.databases.iter().map(|stored| stored.path.clone()).collect();
    let reports: Vec<String> = contents.reports.iter().map(|report| report.root.clone()).collect();
    let folders = kind_nodes(files);
    let of_kind = |path: &str| {
        let above = folders.range(..path.to_owned()).next_back();
        above.filter(|(folder, _)| path.starts_with(folder.as_str())).map(|(_, node)| node.clone())
    };
    for path in files.paths() {
        if claimed.contains(path)
            || path.contains("network_logs/")
            || reports.iter().any(|root| path.starts_with(root))
        {
            continue;
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some((db, before)) = database(name) {
            let node =
                before.parse().ok().or_else(|| of_kind(path)).or_else(|| node_in(files, path, db, folder));
            add(files, contents, path, db, node);
        } else if let Some(node) = of_kind(path).filter(|_| name.ends_with(".log")) {
            contents.logs.entry(node).or_default().push(path.to_owned());
        }
    }
    for (folder, node) in folders {
        contents.objects.insert(node.clone());
        contents.node(&node, NodeIdentity::default());
        contents.hosts.push((node, folder));
    }
}

fn add(files: &Files, contents: &mut Contents, path: &str, db: Db, node: Option<NodeName>) {
    match node {
        Some(node) => {
            contents.node(&node, NodeIdentity::default());
            let (path, when) = (path.to_owned(), files.modified(path));
            contents.databases.push(StoredDatabase { node, db, shown: path.clone(), path, when });
        }
        None => {
            let why = "neither the file, nor its path, nor a file next to it names a node";
            contents.unknown(files, path, db, path.to_owned(), why);
        }
    }
}

/// The directories of nodes, with a trailing slash, and the names of the nodes.
fn kind_nodes(files: &Files) -> BTreeMap<String, NodeName> {
    let folder = |path: &str| {
        let folder =
            path.strip_suffix("/kubelet.log").or_else(|| path.strip_suffix("/kubernetes-version.txt"))?;
        let name = folder.rsplit('/').next()?;
        Some((format!("{folder}/"), name.parse().ok()?))
    };
    files.paths().filter_map(folder).collect()
}

/// Finds the node that the database or the northbound database next to it names, or else the folder.
fn node_in(files: &Files, path: &str, db: Db, folder: &str) -> Option<NodeName> {
    let open = |path: &str| super::open(files.read(path).ok()?).ok();
    let own = open(path).and_then(|database| identity::node_of(db, &database));
    let beside = || {
        let (folder, file) =
            path.rsplit_once('/').map_or(("", path), |(folder, _)| path.split_at(folder.len() + 1));
        let northbound = format!("{folder}{}", file.replace("sb", "nb"));
        (db == Db::Sb && files.has(&northbound))
            .then(|| identity::node_of(Db::Nb, &open(&northbound)?))
            .flatten()
    };
    own.or_else(beside).or_else(|| folder.rsplit('/').next()?.parse().ok())
}
