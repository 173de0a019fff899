//! Reads any file of a bundle by its path, for files that no other method reads.
//!
//! A file of Kubernetes objects is parsed and written again, because only parsed objects can be redacted reliably. A
//! database is refused, because tools show the rows of its tables.

use super::{BundledCluster, blocking, cluster::OpenBundle, logs, objects};
use crate::{
    Deadline, LogStream,
    backend::{BundleFile, FileVisitor, Origin, ReadError, ReadValue},
    kubernetes::{ObjectKind, redact, yaml_lines},
};
use memchr::memmem;
use regex::bytes::Regex;
use std::{
    io::{self, Read as _},
    sync::{Arc, LazyLock},
};

/// How much of a file is read to recognize its content, in bytes.
const HEAD: u64 = 64 << 10;

/// How much of a compressed file of objects is read, in bytes after decompression.
const UNPACKED: u64 = 64 << 20;

/// The kind of a file's content, recognized by its beginning.
#[derive(Debug, PartialEq, Eq)]
enum TextForm {
    Text,
    Objects,
    Database,
    Binary,
}

/// The files whose paths contain a text, sorted by bundle and path.
pub(super) fn list(cluster: &BundledCluster, contains: &str) -> Vec<BundleFile> {
    let of = |one: &Arc<OpenBundle>| {
        let file = |path: &str| BundleFile {
            bundle: one.files.name.clone(),
            path: path.to_owned(),
            size: one.files.size(path).unwrap_or_default(),
            modified: one.files.modified(path),
            is_packed: one.files.is_packed(path),
        };
        one.files.paths().filter(|path| path.contains(contains)).map(file).collect::<Vec<_>>()
    };
    cluster.bundles.iter().flat_map(of).collect()
}

/// Opens a file as a stream.
pub(super) async fn open(
    cluster: Arc<BundledCluster>,
    source: &str,
    bundle: &str,
    path: &str,
) -> Result<ReadValue<LogStream>, ReadError> {
    let shown = format!("{path} in {bundle}");
    let (one, at) = bundle_of(&cluster, source, bundle, path)?;
    let (of, head_of) = (one.clone(), path.to_owned());
    let head = blocking(move || head(&of, &head_of)).await?;
    let value = match TextForm::of(&head) {
        TextForm::Text => logs::file(&cluster, at, path.to_owned()),
        TextForm::Objects => written_again(one.clone(), path.to_owned()),
        TextForm::Database => {
            let why = "the file is a database; read the rows of its tables instead";
            return Err(ReadError::unreadable(shown, why));
        }
        TextForm::Binary => return Err(ReadError::unreadable(shown, "the file is not a text file")),
    };
    let origin = Origin::new(path, one.files.modified(path).or_else(|| one.when())).in_bundle(bundle);
    let notes = one.files.cut(path).into_iter().chain(cluster.notes.iter().cloned()).collect();
    Ok(ReadValue { value, origin, notes })
}

/// Passes the content of a file that is no text to `read`.
pub(super) async fn binary(
    cluster: Arc<BundledCluster>,
    source: &str,
    bundle: &str,
    path: &str,
    read: FileVisitor,
) -> Result<ReadValue<()>, ReadError> {
    let (one, _) = bundle_of(&cluster, source, bundle, path)?;
    let shown = format!("{path} in {bundle}");
    let origin = Origin::new(path, one.files.modified(path).or_else(|| one.when())).in_bundle(bundle);
    let notes = one.files.cut(path).into_iter().chain(cluster.notes.iter().cloned()).collect();
    let of = path.to_owned();
    let read = move || one.files.pour_plain(&of, read).map_err(|e| ReadError::unreadable(shown, e));
    blocking(read).await?;
    Ok(ReadValue { value: (), origin, notes })
}

/// Returns a bundle that has a file, and its place among the bundles.
fn bundle_of(
    cluster: &BundledCluster,
    source: &str,
    bundle: &str,
    path: &str,
) -> Result<(Arc<OpenBundle>, usize), ReadError> {
    let at = cluster.bundles.iter().position(|one| one.files.name == bundle);
    let Some((at, one)) = at.and_then(|at| Some((at, cluster.bundles.get(at)?.clone()))) else {
        return Err(ReadError::not_held(format!("the bundle {bundle}"), source));
    };
    if !one.files.has(path) {
        return Err(ReadError::not_held(format!("{path} in {bundle}"), source));
    }
    Ok((one, at))
}

fn head(one: &OpenBundle, path: &str) -> Result<Vec<u8>, ReadError> {
    let mut head = Vec::new();
    let read = one
        .files
        .pour(path, &mut |content| logs::plain(content)?.take(HEAD).read_to_end(&mut head).map(drop));
    read.map_err(|e| ReadError::unreadable(format!("{path} in {}", one.files.name), e))?;
    Ok(head)
}

impl TextForm {
    fn of(head: &[u8]) -> Self {
        /// Matches YAML or JSON whose first key belongs to a Kubernetes object or a list of objects.
        static OBJECT: LazyLock<Regex> = LazyLock::new(|| {
            let first = r#"\A\s*(?:#[^\n]*\n\s*)*(?:---\s*)?[{\[\s]*(?:-\s+)?"?(?:apiVersion|kind|items|metadata|data|stringData)"?\s*:"#;
            Regex::new(first).expect("a literal")
        });
        match head {
            _ if head.starts_with(b"OVSDB ") => Self::Database,
            _ if head.contains(&0) => Self::Binary,
            _ if OBJECT.is_match(head) => Self::Objects,
            _ => Self::Text,
        }
    }
}

/// Streams the objects of a file as YAML documents without secrets.
fn written_again(one: Arc<OpenBundle>, path: String) -> LogStream {
    let (sender, stream) = LogStream::channel();
    let deadline = Deadline::current();
    let write = move || {
        let Some(bytes) = one.files.read_small(&path) else {
            let why =
                "the file is too large to show as a whole; read its objects by kind and namespace instead";
            _ = sender.blocking_send(Err(io::Error::other(why)));
            return;
        };
        let (mut text, mut raw) = (Vec::new(), bytes.as_slice());
        let unpacked = logs::plain(&mut raw).and_then(|all| all.take(UNPACKED).read_to_end(&mut text));
        if let Err(e) = unpacked {
            _ = sender.blocking_send(Err(e));
            return;
        }
        // The items of a list have no kind of their own, and the kind of the list can follow its items.
        let of_secrets = path.split(['/', '.']).any(|part| part == "secrets");
        let is_secret = of_secrets || memmem::find(&text, b"SecretList").is_some();
        let kind = ObjectKind {
            kind: if is_secret { "Secret".into() } else { String::new() },
            ..ObjectKind::default()
        };
        let parsed = objects::each(&text, |mut object| {
            redact(&kind, &mut object);
            let lines = yaml_lines(&object).join("\n");
            _ = sender.blocking_send(Ok(format!("---\n{lines}\n").into()));
        });
        if let Err(e) = parsed {
            _ = sender.blocking_send(Err(io::Error::other(e)));
        }
    };
    tokio::task::spawn_blocking(move || deadline.during(write));
    stream
}

#[cfg(test)]
mod tests {
    use super::TextForm;

    #[test]
    fn the_first_bytes_decide_what_a_file_is() {
        for (head, form) in [
            ("OVSDB JSON 12 0123\n{}", TextForm::Database),
            ("OVSDB CLUSTER 12 0123\n{}", TextForm::Database),
            ("\u{7f}ELF\0\0", TextForm::Binary),
            ("---\napiVersion: v1\nkind: Pod\n", TextForm::Objects),
            ("# comment\n- apiVersion: v1\n", TextForm::Objects),
            ("{\n  \"kind\": \"SecretList\", \"apiVersion\": \"v1\"", TextForm::Objects),
            ("data:\n  password: aHVudGVyMg==\nkind: Secret\n", TextForm::Objects),
            ("default via 10.0.0.1 dev eth0\n", TextForm::Text),
            ("I1122 08:00:00 kind: Secret apiVersion: v1\n", TextForm::Text),
            ("", TextForm::Text),
        ] {
            assert_eq!(TextForm::of(head.as_bytes()), form, "{head:?}");
        }
    }
}
