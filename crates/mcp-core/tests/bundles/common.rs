//! Builds bundles for tests: a must-gather of one node, and damaged variants of it.

use mcp_core::{Backend, Bundle, CommandTarget, Db, NodeName};
use ovsdb::Select;
use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};
use tar::{Builder, EntryType, Header};

/// The folder of the bundle's files, as `oc adm must-gather` names it.
pub(crate) const TOP: &str = "must-gather.local.1/image";
pub(crate) const STORE: &str = "must-gather.local.1/image/network_logs/ovnk_database_store";
/// A text in files outside every bundle, which must never be read.
pub(crate) const SECRET: &str = "outside-of-the-bundle";

pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

/// A small real database.
pub(crate) fn database() -> Vec<u8> {
    fs::read(testdata("ovsdb/example.db")).expect("test data")
}

pub(crate) fn pod() -> Vec<u8> {
    b"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p1\nspec:\n  nodeName: node-1\n".to_vec()
}

/// Builds a tar archive member by member.
pub(crate) struct Tar(Builder<Vec<u8>>);

impl Tar {
    pub(crate) fn empty() -> Self {
        Self(Builder::new(Vec::new()))
    }

    /// An archive with the pod and the northbound database of node-1.
    pub(crate) fn good() -> Self {
        Self::empty()
            .file(&format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml"), &pod())
            .file(&format!("{STORE}/p1_nbdb"), &database())
    }

    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.raw(name.as_bytes(), EntryType::Regular, bytes.len() as u64, bytes)
    }

    pub(crate) fn link(mut self, name: &str, kind: EntryType, to: &str) -> Self {
        let mut header = header(kind, 0);
        self.0.append_link(&mut header, name, to).expect("in memory");
        self
    }

    /// Adds a member whose name and size are not checked.
    pub(crate) fn raw(mut self, name: &[u8], kind: EntryType, size: u64, bytes: &[u8]) -> Self {
        if name.len() > 100 {
            // GNU tar writes a long name in this form.
            let mut long = header(EntryType::GNULongName, name.len() as u64 + 1);
            long.as_gnu_mut().expect("it is GNU").name[..13].copy_from_slice(b"././@LongLink");
            long.set_cksum();
            self.0.append(&long, [name, b"\0"].concat().as_slice()).expect("in memory");
        }
        let mut header = header(kind, size);
        let field = &mut header.as_gnu_mut().expect("it is GNU").name;
        let n = name.len().min(field.len());
        field[..n].copy_from_slice(&name[..n]);
        header.set_cksum();
        self.0.append(&header, bytes).expect("in memory");
        self
    }

    /// Adds a member `etc/x` without content and with an unusual header.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Header)) -> Self {
        let mut header = header(EntryType::Regular, 0);
        header.as_gnu_mut().expect("it is GNU").name[..5].copy_from_slice(b"etc/x");
        change(&mut header);
        header.set_cksum();
        self.0.append(&header, &b""[..]).expect("in memory");
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("in memory")
    }

    pub(crate) fn gz(self) -> Vec<u8> {
        gz(&self.bytes())
    }

    pub(crate) fn xz(self) -> Vec<u8> {
        xz(&self.bytes())
    }

    pub(crate) fn zst(self) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(
            self.bytes().as_slice(),
            ruzstd::encoding::CompressionLevel::Fastest,
        )
    }
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(1_795_336_840);
    header.set_cksum();
    header
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("in memory");
    packed.finish().expect("in memory")
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = liblzma::write::XzEncoder::new(Vec::new(), 1);
    packed.write_all(bytes).expect("in memory");
    packed.finish().expect("in memory")
}

/// Builds a zip archive of these files.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("in memory");
        zip.write_all(bytes).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

/// Writes files into a directory.
pub(crate) fn unpacked(dir: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("below")).expect("a temporary directory");
        fs::write(path, bytes).expect("a temporary directory");
    }
}

/// Returns the coverage of these bundles, or the error; and the row count of node-1's database, or the error.
pub(crate) fn said(paths: Vec<PathBuf>) -> (String, Result<usize, String>) {
    let bundle = Bundle::new(paths);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let text = match bundle.coverage().await {
            Ok(coverage) => coverage.to_string(),
            Err(e) => chain(&e),
        };
        (text, rows(&bundle, "node-1", Db::Nb, "Logical_Switch").await)
    })
}

/// The number of rows of a table, or the error.
pub(crate) async fn rows(bundle: &Bundle, node: &str, db: Db, table: &str) -> Result<usize, String> {
    let read = bundle.rows(&at(node, db), db, &[Select::from(table)]).await.map_err(|e| chain(&e))?;
    Ok(read.value.iter().map(|rows| rows.rows.len()).sum())
}

pub(crate) fn at(node: &str, db: Db) -> CommandTarget {
    let node: NodeName = node.parse().expect("a node's name");
    CommandTarget::new(node, db.place(), Duration::from_secs(60))
}

/// Formats an error and its causes as a reply does.
pub(crate) fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
