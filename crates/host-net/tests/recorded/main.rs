//! Tests that the parsers read the recorded output of real programs without loss.

mod forms;
mod nodes;
mod reports;

use std::{collections::BTreeMap, fs::File, io::Read, path::Path, sync::LazyLock};

/// Returns the files of an archive of the test data by their paths.
fn archive(name: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    let file = File::open(path).expect("an archive of the test data");
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(liblzma::read::XzDecoder::new(file)).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("a file");
            files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    files
}

/// Returns the output of one command on each of the three nodes of the captured cluster.
fn node_files(name: &str) -> Vec<&'static str> {
    static NODES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| archive("capture/nodes.tar.xz"));
    let of = |node: &str| NODES.get(&format!("nodes/{node}/{name}")).expect(name).as_str();
    ["ovn-control-plane", "ovn-worker", "ovn-worker2"].map(of).to_vec()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}
