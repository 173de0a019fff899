//! Databases and logs that lie in no must-gather and no sosreport: what `kind export logs` and upstream's CI leave,
//! and files that somebody copied by hand.
//!
//! `contrib/export-kind-logs.sh` makes a directory a node, with `kubelet.log` in it; the end-to-end tests add
//! `e2e-dbs/<test>/{<node>-conf.db,ovnnb_db.db,ovnsb_db.db}`, and the workflow `<node>_ovn{n,s}b_db.db`.

use super::{Contents, Identity, Stored, identity, wanted::database};
use crate::{Db, NodeName, backend::bundle::files::Files};
use std::collections::{BTreeMap, BTreeSet};

/// Finds what the other scans have not claimed.
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
        contents.node(&node, Identity::default());
        contents.hosts.push((node, folder));
    }
}

fn add(files: &Files, contents: &mut Contents, path: &str, db: Db, node: Option<NodeName>) {
    match node {
        Some(node) => {
            contents.node(&node, Identity::default());
            let (path, when) = (path.to_owned(), files.modified(path));
            contents.databases.push(Stored { node, db, shown: path.clone(), path, when });
        }
        None => {
            let why = "no node's name is in it, in its path or beside it";
            contents.unknown(files, path, db, path.to_owned(), why);
        }
    }
}

/// Directories of nodes, with the slash, and their names.
fn kind_nodes(files: &Files) -> BTreeMap<String, NodeName> {
    let folder = |path: &str| {
        let folder =
            path.strip_suffix("/kubelet.log").or_else(|| path.strip_suffix("/kubernetes-version.txt"))?;
        let name = folder.rsplit('/').next()?;
        Some((format!("{folder}/"), name.parse().ok()?))
    };
    files.paths().filter_map(folder).collect()
}

/// The node that the database itself names, or the northbound one beside it; else the folder's name.
fn node_in(files: &Files, path: &str, db: Db, folder: &str) -> Option<NodeName> {
    let open = |path: &str| super::open(files.read(path).ok()?).ok();
    let own = open(path).and_then(|database| identity::node_of(db, &database));
    let beside = || {
        let northbound = path.replace("sb", "nb");
        (db == Db::Sb && files.has(&northbound))
            .then(|| identity::node_of(Db::Nb, &open(&northbound)?))
            .flatten()
    };
    own.or_else(beside).or_else(|| folder.rsplit('/').next()?.parse().ok())
}
