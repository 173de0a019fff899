//! The recorded outputs of Open vSwitch.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

pub(crate) type Failed = Box<dyn std::error::Error>;

pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Returns the wanted files of an archive of the test data, by their paths.
pub(crate) fn archive(name: &str, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, String>, Failed> {
    let mut outputs = BTreeMap::new();
    let file = File::open(testdata().join(name))?;
    for entry in tar::Archive::new(liblzma::read::XzDecoder::new(file)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        if entry.header().entry_type().is_file() && wanted(&path) {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            outputs.insert(path, text);
        }
    }
    Ok(outputs)
}
