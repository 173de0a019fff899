//! Any file of a bundle, by its path: for what no other method of a source reads.
//!
//! A file of Kubernetes objects is parsed and written again, because only parsed objects can be redacted reliably. A
//! database is refused: the rows of its tables are what a tool shows.

use super::{Cluster, blocking, cluster::One, logs, objects};
use crate::{
    Deadline, LogStream,
    backend::{BundleFile, Origin, Read, ReadError},
    kubernetes::{Kind, redact, yaml_lines},
};
use memchr::memmem;
use regex::bytes::Regex;
use std::{
    io::{self, Read as _},
    sync::{Arc, LazyLock},
};

/// How much of a file decides what it is, in bytes.
const HEAD: u64 = 64 << 10;

/// How much of a packed file of objects is read, in bytes.
const UNPACKED: u64 = 64 << 20;

/// What a file is, by its beginning.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Text,
    Objects,
    Database,
    Binary,
}

/// The files whose paths contain a text, by bundle and path.
pub(super) fn list(cluster: &Cluster, contains: &str) -> Vec<BundleFile> {
    let of = |one: &Arc<One>| {
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

/// Opens a file. Its text comes while it is read.
pub(super) async fn open(
    cluster: Arc<Cluster>,
    source: &str,
    bundle: &str,
    path: &str,
) -> Result<Read<LogStream>, ReadError> {
    let shown = format!("{path} in {bundle}");
    let at = cluster.bundles.iter().position(|one| one.files.name == bundle);
    let Some((at, one)) = at.and_then(|at| Some((at, cluster.bundles.get(at)?.clone()))) else {
        return Err(ReadError::not_held(format!("the bundle {bundle}"), source));
    };
    if !one.files.has(path) {
        return Err(ReadError::not_held(shown, source));
    }
    let (of, head_of) = (one.clone(), path.to_owned());
    let head = blocking(move || head(&of, &head_of)).await?;
    let value = match Form::of(&head) {
        Form::Text => logs::file(&cluster, at, path.to_owned()),
        Form::Objects => written_again(one.clone(), path.to_owned()),
        Form::Database => {
            let why = "it is a database; ask for the rows of its tables";
            return Err(ReadError::unreadable(shown, why));
        }
        Form::Binary => return Err(ReadError::unreadable(shown, "it is not a text file")),
    };
    let origin = Origin::new(path, one.files.modified(path).or_else(|| one.when())).in_bundle(bundle);
    let notes = one.files.cut(path).into_iter().chain(cluster.notes.iter().cloned()).collect();
    Ok(Read { value, origin, notes })
}

fn head(one: &One, path: &str) -> Result<Vec<u8>, ReadError> {
    let mut head = Vec::new();
    let read = one
        .files
        .pour(path, &mut |content| logs::plain(content)?.take(HEAD).read_to_end(&mut head).map(drop));
    read.map_err(|e| ReadError::unreadable(format!("{path} in {}", one.files.name), e))?;
    Ok(head)
}

impl Form {
    fn of(head: &[u8]) -> Self {
        /// YAML or JSON whose first key is one of a Kubernetes object or of a list of them.
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

/// The objects of a file without secrets, as YAML documents.
fn written_again(one: Arc<One>, path: String) -> LogStream {
    let (sender, stream) = LogStream::channel();
    let deadline = Deadline::current();
    let write = move || {
        let Some(bytes) = one.files.read_small(&path) else {
            let why = "it is too large to be read as a file of objects; ask for its objects";
            _ = sender.blocking_send(Err(io::Error::other(why)));
            return;
        };
        let (mut text, mut raw) = (Vec::new(), bytes.as_slice());
        let unpacked = logs::plain(&mut raw).and_then(|all| all.take(UNPACKED).read_to_end(&mut text));
        if let Err(e) = unpacked {
            _ = sender.blocking_send(Err(e));
            return;
        }
        // The items of a list have no kind of their own, and the kind of the list can stand behind them.
        let of_secrets = path.split(['/', '.']).any(|part| part == "secrets");
        let is_secret = of_secrets || memmem::find(&text, b"SecretList").is_some();
        let kind = Kind { kind: if is_secret { "Secret".into() } else { String::new() }, ..Kind::default() };
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
    use super::Form;

    #[test]
    fn the_beginning_decides() {
        for (head, form) in [
            ("OVSDB JSON 12 0123\n{}", Form::Database),
            ("OVSDB CLUSTER 12 0123\n{}", Form::Database),
            ("\u{7f}ELF\0\0", Form::Binary),
            ("---\napiVersion: v1\nkind: Pod\n", Form::Objects),
            ("# comment\n- apiVersion: v1\n", Form::Objects),
            ("{\n  \"kind\": \"SecretList\", \"apiVersion\": \"v1\"", Form::Objects),
            ("data:\n  password: aHVudGVyMg==\nkind: Secret\n", Form::Objects),
            ("default via 10.0.0.1 dev eth0\n", Form::Text),
            ("I1122 08:00:00 kind: Secret apiVersion: v1\n", Form::Text),
            ("", Form::Text),
        ] {
            assert_eq!(Form::of(head.as_bytes()), form, "{head:?}");
        }
    }
}
