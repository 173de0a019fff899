//! Entries that stay until somebody deletes them. Other connections and neighbours age, so their absence shows nothing;
//! the absence of these entries shows a deletion.

use std::path::{Path, PathBuf};

use xshell::Shell;

use super::state::{NODES, inside};
use crate::workspace::Result;

/// The commands that plant and delete each entry: addresses for documentation (RFC 5737), times longer than any run.
const ENTRIES: &[(&str, &str)] = &[
    (
        "conntrack -I -p tcp -s 192.0.2.1 -d 192.0.2.2 --sport 7 --dport 7 --state ESTABLISHED -u ASSURED -t 1000000",
        "conntrack -D -s 192.0.2.1",
    ),
    (
        "ip neigh replace 192.0.2.9 lladdr 02:00:c0:00:02:09 dev br-ex nud permanent",
        "ip neigh del 192.0.2.9 dev br-ex",
    ),
    ("ovs-appctl fdb/add br-ex eth0 0 02:00:c0:00:02:09", "ovs-appctl fdb/del br-ex 0 02:00:c0:00:02:09"),
];

/// Returns whether a line of a state is about one of these entries.
pub(super) fn is_planted(line: &str) -> bool {
    ["=192.0.2.1 ", " 192.0.2.9 ", "02:00:c0:00:02:09"].iter().any(|mark| line.contains(mark))
}

/// The planted entries, which are deleted when this value is dropped.
pub(super) struct Planted<'a> {
    sh: &'a Shell,
    lab: PathBuf,
}

impl<'a> Planted<'a> {
    pub(super) fn plant(sh: &'a Shell, lab: &Path) -> Result<Self> {
        let planted = Self { sh, lab: lab.to_owned() };
        for node in NODES {
            for (plant, _) in ENTRIES {
                planted.run(node, plant)?;
            }
        }
        Ok(planted)
    }

    fn run(&self, node: &str, words: &str) -> Result {
        Ok(inside(self.sh, &self.lab, node, words).ignore_stdout().run()?)
    }
}

impl Drop for Planted<'_> {
    fn drop(&mut self) {
        for node in NODES {
            for (_, remove) in ENTRIES {
                // An entry that is missing was already reported.
                _ = self.run(node, remove);
            }
        }
    }
}
