//! The data of the tests: the databases of the recorded capture.

use ovn_lflow::{Semantics, Zone};
use ovsdb::{Database, Rows};
use std::{collections::BTreeMap, io::Read as _, path::Path};

/// Returns the files of an archive in `testdata/capture`, by path.
pub(crate) fn archive(name: &str, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/capture").join(name);
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = tar::Archive::new(liblzma::read::XzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() && wanted(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("the whole file");
            files.insert(path, bytes);
        }
    }
    files
}

/// Returns the rows of the three southbound databases, by pod.
pub(crate) fn zones() -> BTreeMap<String, Vec<Rows>> {
    let files = archive("must-gather.tar.xz", |path| path.ends_with("_sbdb"));
    let zones: BTreeMap<_, _> = files
        .into_iter()
        .filter_map(|(path, bytes)| {
            let pod = path.rsplit('/').next()?.strip_suffix("_sbdb")?.to_owned();
            let database = Database::open(bytes).expect("a database");
            let select = |select| database.select(select).expect("its rows");
            Some((pod, Zone::selects(database.schema()).iter().map(select).collect()))
        })
        .collect();
    assert_eq!(zones.len(), 3, "{:?}", zones.keys());
    zones
}

/// Compiles the rows of one database.
pub(crate) fn zone(rows: &[Rows], semantics: Semantics) -> Zone {
    let zone = Zone::new(rows, semantics);
    assert_eq!(zone.findings, [], "every flow of the capture comes into force");
    zone
}
