//! Tests that missing data causes no findings: each input of the tools is removed, emptied or truncated, and no finding
//! may appear that did not exist before.

use crate::changed::{Changed, OVNKUBE, POD, findings, locate};
use mcp_testing::{Connection, Failed};
use std::{collections::BTreeSet, fs, path::PathBuf};

/// A target for each path through `ovnkube_locate`.
const QUESTIONS: [&str; 12] = [
    "ovn-worker",
    POD,
    "blue/blue-app-6cf57b6ccc-ccpnr",
    "clients/client-v58hz",
    "clients/bad-image",
    "shop/web",
    "shop/web-nodeport",
    "shop/no-backends",
    "10.244.1.3",
    "10.244.1.77",
    "172.18.0.101",
    "172.18.0.3:30080",
];

/// The inputs of the tools. Each entry has parts of the paths of the files that are lost together.
const INPUTS: [&[&str]; 13] = [
    &["/core/nodes/"],
    &["/core/pods.yaml"],
    &["/pods/ovnkube-node-"],
    &["/core/services.yaml"],
    &["/discovery.k8s.io/endpointslices.yaml"],
    &["/k8s.ovn.org/egressips/"],
    &["/namespaces/clients/clients.yaml"],
    &["/k8s.ovn.org/userdefinednetworks.yaml"],
    &["/core/configmaps.yaml"],
    &["/apiextensions.k8s.io/customresourcedefinitions/"],
    &["/ovnk_database_store/ovnkube-node-vwrjk_nbdb"],
    &["/ovnk_database_store/ovnkube-node-vwrjk_sbdb"],
    &["/ovnk_database_store/"],
];

/// The ways in which a file is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    Removed,
    Emptied,
    /// Truncated in the middle of a line.
    Halved,
    /// Truncated at the end of a line after a percentage of the file, so that the rest may still be well-formed.
    AtALine(usize),
    /// Replaced by the error text of a program that failed.
    Replaced,
}

/// Returns the content of a file after the loss, or `None` if the file is removed.
fn after(loss: Loss, content: &[u8]) -> Option<Vec<u8>> {
    let half = content.len() / 2;
    let head = |end: usize| content.get(..end).unwrap_or_default().to_vec();
    match loss {
        Loss::Removed => None,
        Loss::Emptied => Some(Vec::new()),
        Loss::Halved => {
            let mut end = half;
            while end > 0 && content.get(end - 1) == Some(&b'\n') {
                end -= 1;
            }
            Some(head(end))
        }
        Loss::AtALine(hundredths) => {
            let line = content
                .iter()
                .take(content.len() * hundredths / 100)
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            Some(head(line))
        }
        Loss::Replaced => Some(b"error: the server doesn't have a resource type\n".to_vec()),
    }
}

/// Checks whether a file belongs to an input. Logs are excluded, because no finding depends on a log.
fn is_hit(path: &str, input: &[&str]) -> bool {
    !path.ends_with(".log") && input.iter().any(|part| path.contains(part))
}

fn files(folder: PathBuf, found: &mut Vec<PathBuf>) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files(path, found)? } else { found.push(path) }
    }
    Ok(())
}

/// Returns all findings with their targets.
async fn all_findings(connection: &Connection) -> Result<BTreeSet<(String, String)>, Failed> {
    let mut all = BTreeSet::new();
    for question in QUESTIONS {
        let answer = locate(connection, question).await?;
        all.extend(findings(&answer).into_iter().map(|finding| (question.to_owned(), finding)));
    }
    let overview = connection.call("cluster_overview", &serde_json::Map::new()).await?;
    let overview = overview.unwrap_or_else(|error| error);
    all.extend(findings(&overview).into_iter().map(|finding| ("overview".to_owned(), finding)));
    Ok(all)
}

#[tokio::test]
async fn missing_data_causes_no_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let before = all_findings(&capture.connection().await?).await?;
    assert!(before.iter().any(|(question, _)| question == "shop/no-backends"), "{before:?}");
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    files(capture.image(), &mut all)?;
    assert!(all.contains(&capture.database(OVNKUBE, "nbdb")));
    for input in INPUTS {
        let hit: Vec<&PathBuf> = all.iter().filter(|path| is_hit(&path.to_string_lossy(), input)).collect();
        assert!(!hit.is_empty(), "{input:?}");
        let kept: Vec<Vec<u8>> = hit.iter().map(fs::read).collect::<Result<_, _>>()?;
        for loss in [Loss::Removed, Loss::Emptied, Loss::Halved, Loss::AtALine(50), Loss::Replaced] {
            for (path, content) in hit.iter().zip(&kept) {
                match after(loss, content) {
                    None => fs::remove_file(path)?,
                    Some(rest) => fs::write(path, rest)?,
                }
            }
            let now = all_findings(&capture.connection().await?).await?;
            wrong.extend(now.difference(&before).map(|found| format!("{input:?} {loss:?}: {found:?}")));
            for (path, content) in hit.iter().zip(&kept) {
                fs::write(path, content)?;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
