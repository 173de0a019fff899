//! Tests with archives and directories that are broken or malicious: the server explains the problem, and still
//! answers.

use crate::common::*;
use std::{fs, path::PathBuf};
use tar::EntryType::{Block, Char, Fifo, GNUSparse, Link, Regular, Symlink};

/// A bundle, whether node-1's database still answers from it, and texts that the server must print.
struct Case {
    name: &'static str,
    file: Vec<u8>,
    answers: bool,
    says: &'static [&'static str],
}

fn case(name: &'static str, file: Vec<u8>, answers: bool, says: &'static [&'static str]) -> Case {
    Case { name, file, answers, says }
}

/// Returns the first bytes of a file.
fn cut(mut bytes: Vec<u8>, len: usize) -> Vec<u8> {
    bytes.truncate(len);
    bytes
}

/// Changes one byte. A negative position counts from the end.
fn flip(mut bytes: Vec<u8>, at: isize) -> Vec<u8> {
    let at = if at < 0 { bytes.len() - at.unsigned_abs() } else { at.unsigned_abs() };
    bytes[at] ^= 0x55;
    bytes
}

fn longer(mut bytes: Vec<u8>, with: &[u8]) -> Vec<u8> {
    bytes.extend_from_slice(with);
    bytes
}

/// An archive with a large file that does not compress, after the valid files.
fn padded() -> Tar {
    let mut seed = 1u64;
    let noise: Vec<u8> = (0..400_000)
        .map(|_| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 56) as u8
        })
        .collect();
    Tar::good().file("must-gather.local.1/image/audit_logs/noise", &noise)
}

/// Builds a chain of links, the last of which leads to the database.
fn link_chain(links: usize) -> Tar {
    let first = Tar::empty()
        .file(&format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml"), &pod())
        .file("db", &database())
        .link("link0", Symlink, "db");
    let tar =
        (1..links).fold(first, |tar, i| tar.link(&format!("link{i}"), Symlink, &format!("link{}", i - 1)));
    tar.link(&format!("{STORE}/p1_nbdb"), Symlink, &format!("../../../../link{}", links - 1))
}

/// The database behind a link.
fn linked(to: &str) -> Tar {
    Tar::empty()
        .file(&format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml"), &pod())
        .file("elsewhere/db", &database())
        .link(&format!("{STORE}/p1_nbdb"), Symlink, to)
}

fn archives() -> Vec<Case> {
    let inner = Tar::good().bytes();
    let nested = |depth: usize| {
        (0..depth).fold(Tar::good().bytes(), |inner, _| Tar::empty().file("must-gather.tar", &inner).bytes())
    };
    let deep = format!("{}x", "d/".repeat(3000));
    vec![
        case("an empty file", Vec::new(), false, &["the file is empty"]),
        case(
            "text",
            b"hello, here is the must-gather\n".to_vec(),
            false,
            &["it begins with \"hello, here is the must-\""],
        ),
        case("bzip2", b"BZh91AY&SY".to_vec(), false, &["compressed with bzip2; decompress it first"]),
        case("rar", b"Rar!\x1a\x07\0".to_vec(), false, &["a rar archive"]),
        case("encrypted", b"-----BEGIN PGP MESSAGE-----\n".to_vec(), false, &["encrypted; decrypt it first"]),
        case("tar without members", vec![0; 10240], false, &["not a directory, a tar"]),
        case(
            "tar without known files",
            Tar::empty().file("a", b"b").bytes(),
            false,
            &["none of its 1 files"],
        ),
        case("tar cut in a header", cut(padded().bytes(), 512 * 7 + 100), true, &["the archive is cut"]),
        case(
            "tar cut in a member",
            cut(padded().bytes(), 512 * 20),
            true,
            &["the archive is cut", "bytes are missing"],
        ),
        case(
            "tar with a wrong checksum",
            flip(padded().bytes(), 512 * 5 + 10),
            true,
            &["only the files before that point are available"],
        ),
        case(
            "gzip cut",
            cut(padded().gz(), 200_000),
            true,
            &["the archive is cut", "only the files before that point are available"],
        ),
        case(
            "xz cut",
            cut(padded().xz(), 300_000),
            true,
            &["the archive is cut", "only the files before that point are available"],
        ),
        case(
            "zstd cut",
            cut(padded().zst(), 300_000),
            true,
            &["only the files before that point are available"],
        ),
        case("gzip with a wrong checksum", flip(padded().gz(), -6), true, &["corrupt gzip stream"]),
        case(
            "gzip damaged within",
            flip(padded().gz(), 200_000),
            true,
            &["only the files before that point are available"],
        ),
        case(
            "xz damaged within",
            flip(padded().xz(), 200_000),
            true,
            &["only the files before that point are available"],
        ),
        case("zstd cut in its first bytes", cut(padded().zst(), 6), false, &["cut"]),
        case(
            "gzip and then something else",
            longer(padded().gz(), b"this is not gzip at all"),
            true,
            &["invalid gzip header"],
        ),
        case("compressed twice", gz(&padded().gz()), false, &["compressed twice"]),
        case("bomb: ratio", Tar::good().file("x", &bomb()).xz(), true, &["times its size"]),
        case(
            "a size beyond the end",
            Tar::good().raw(b"x", Regular, 1 << 40, b"").bytes(),
            true,
            &["bytes are missing"],
        ),
        case(
            "a size beyond the end, compressed",
            Tar::good().raw(b"etc/x", Regular, 1 << 40, b"").gz(),
            true,
            &["only the files before that point are available"],
        ),
        case("bomb: sparse", sparse(1 << 50).gz(), true, &["1 file left out (too large to keep): \"etc/x\""]),
        case(
            "bomb: sparse, uncompressed",
            sparse(1 << 30).bytes(),
            true,
            &["1 file left out (too large to keep)"],
        ),
        case("sparse", sparse(1 << 20).gz(), true, &["present"]),
        case("archives in archives", nested(2), true, &["present"]),
        case("too many archives in archives", nested(6), false, &["nested too deeply"]),
        case("databases in an archive", packed_store(&gz(&store())), true, &["present"]),
        case(
            "databases in a cut archive",
            packed_store(&cut(gz(&store()), 200)),
            false,
            &["DAMAGED", "the archive is cut"],
        ),
        case(
            "databases in a file that is no archive",
            packed_store(b"no archive"),
            false,
            &["cannot be read to its end"],
        ),
        case(
            "names with ..",
            Tar::good().raw(b"../../etc/cron.d/x", Regular, 1, b"x").bytes(),
            true,
            &["the name leads out of the bundle"],
        ),
        case("absolute names", Tar::good().raw(b"/etc/passwd", Regular, 1, b"x").bytes(), true, &["present"]),
        case("odd names", odd_names(), true, &["present"]),
        case(
            "a name of 6000 bytes",
            Tar::good().raw(deep.as_bytes(), Regular, 1, b"x").bytes(),
            true,
            &["present"],
        ),
        case("an empty name", Tar::good().raw(b"./", Regular, 1, b"x").bytes(), true, &["present"]),
        case("devices", devices(), true, &["3 files left out (device, pipe or similar)"]),
        case(
            "one name twice",
            Tar::good().file(&format!("{STORE}/p1_nbdb"), &database()).bytes(),
            true,
            &["present"],
        ),
        case("a link inside", linked("../../../../elsewhere/db").bytes(), true, &["present"]),
        case(
            "a link to an absolute path",
            linked("/etc/passwd").bytes(),
            false,
            &["leads out of the bundle, to /etc/passwd"],
        ),
        case(
            "a link that leads out",
            linked("../../../../../../etc/passwd").bytes(),
            false,
            &["leads out of the bundle"],
        ),
        case("a link to itself", linked("p1_nbdb").bytes(), false, &["leads back to itself"]),
        case(
            "a link to nothing",
            linked("gone").bytes(),
            false,
            &["is a link to", "which is not in the bundle"],
        ),
        case(
            "a link to a directory",
            linked("../ovnk_database_store").bytes(),
            false,
            &["which is not in the bundle"],
        ),
        case("40 links", link_chain(39).bytes(), true, &["present"]),
        case("41 links", link_chain(41).bytes(), false, &["leads back to itself"]),
        case("a hard link", hard("db").bytes(), true, &["present"]),
        case(
            "a hard link that leads out",
            hard("../../etc/passwd").bytes(),
            false,
            &["leads out of the bundle"],
        ),
        case("zip", zip(&[("must-gather.tar", inner.as_slice())]), true, &["present"]),
        case("zip cut", cut(zip(&[("must-gather.tar", inner.as_slice())]), 400), false, &["cut or damaged"]),
        case(
            "zip with ..",
            zip(&[("../../x", b"x"), ("must-gather.tar", inner.as_slice())]),
            true,
            &["the name leads out of the bundle"],
        ),
        case(
            "zip with damage",
            flip(zip(&[("must-gather.tar", inner.as_slice())]), 60),
            false,
            &["cannot be read"],
        ),
        case("zip with a bomb", zip(&[("must-gather.tar", &bomb())]), false, &["must-gather.tar"]),
    ]
}

/// 300 MB that compress to almost nothing.
fn bomb() -> Vec<u8> {
    vec![b'0'; 300 << 20]
}

fn store() -> Vec<u8> {
    Tar::empty().file("ovnk_database_store/p1_nbdb", &database()).bytes()
}

fn packed_store(bytes: &[u8]) -> Vec<u8> {
    Tar::empty()
        .file(&format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml"), &pod())
        .file(&format!("{STORE}.tar.gz"), bytes)
        .bytes()
}

fn hard(to: &str) -> Tar {
    Tar::empty()
        .file(&format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml"), &pod())
        .file("db", &database())
        .link(&format!("{STORE}/p1_nbdb"), Link, to)
}

/// A sparse member of this size, of which the archive stores no bytes.
fn sparse(size: u64) -> Tar {
    Tar::good().with(|header| {
        header.set_entry_type(GNUSparse);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(size);
        gnu.sparse[0].set_offset(size);
        gnu.sparse[0].set_length(0);
    })
}

fn odd_names() -> Vec<u8> {
    let names: [&[u8]; 7] =
        [b"a:b", b"a+b", b"a b", b"\xff\xfe", b"a\nb\x1b[31m", &[b'n'; 255], "\u{202e}gnp.exe".as_bytes()];
    names.iter().fold(Tar::good(), |tar, name| tar.raw(name, Regular, 1, b"x")).bytes()
}

fn devices() -> Vec<u8> {
    [Char, Block, Fifo].iter().fold(Tar::good(), |tar, kind| tar.raw(b"etc/dev", *kind, 0, b"")).bytes()
}

#[test]
fn broken_and_malicious_archives_do_no_harm() {
    let cases = archives();
    assert!(cases.len() >= 40);
    let mut wrong = Vec::new();
    for Case { name, file, answers, says } in cases {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("passwd"), SECRET).unwrap();
        let path = dir.path().join("bundle");
        fs::write(&path, &file).unwrap();
        let (text, rows) = said(vec![path.clone()]);
        let all = format!("{text}{rows:?}");
        let missing = says.iter().filter(|says| !says.split('|').any(|one| all.contains(one)));
        if rows.is_ok() != answers || missing.count() > 0 || all.contains(SECRET) || all.contains("root:") {
            wrong.push(format!("== {name}\n{text}\nrows: {rows:?}\n"));
        }
        // Reading a bundle writes neither to the bundle nor next to it.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "{name}");
        assert_eq!(fs::read(&path).unwrap(), file, "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn good_directory(dir: &std::path::Path) -> PathBuf {
    let bundle = dir.join("bundle");
    unpacked(
        &bundle,
        &[
            (&format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml"), &pod()),
            (&format!("{STORE}/p1_nbdb"), &database()),
        ],
    );
    bundle
}

#[test]
fn a_directory_with_links_sockets_and_names_that_are_not_utf8() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener};
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret"), SECRET).unwrap();
    let bundle = good_directory(dir.path());
    let store = bundle.join(STORE);
    symlink(dir.path().join("secret"), store.join("absolute_nbdb")).unwrap();
    symlink("../../../../../secret", store.join("relative_nbdb")).unwrap();
    symlink("/", bundle.join("root")).unwrap();
    symlink(".", bundle.join("self")).unwrap();
    _ = UnixListener::bind(bundle.join("socket")).unwrap();
    fs::write(bundle.join(std::ffi::OsStr::from_bytes(b"\xff_nbdb")), database()).unwrap();
    let (text, rows) = said(vec![bundle]);
    assert_eq!(rows, Ok(2), "{text}");
    assert!(text.contains("1 file left out (device, pipe or socket): \"socket\""), "{text}");
    assert!(
        text.contains("absolute_nbdb: the bundle contains neither its pod nor the name of its zone"),
        "{text}"
    );
    assert!(!text.contains(SECRET));
}

#[test]
fn files_that_change_after_listing_do_no_harm() {
    use mcp_core::{Backend, Bundle, Db};
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret"), SECRET).unwrap();
    let bundle = good_directory(dir.path());
    let file = bundle.join(STORE).join("p1_nbdb");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let after = |change: &dyn Fn()| {
        change_back(&file);
        let opened = Bundle::new(vec![bundle.clone()]);
        runtime.block_on(async {
            opened.nodes().await.unwrap();
            change();
            rows(&opened, "node-1", Db::Nb, "Logical_Switch").await
        })
    };
    // The file vanished.
    let gone = after(&|| fs::remove_file(&file).unwrap()).unwrap_err();
    assert!(gone.contains("p1_nbdb") && gone.contains("could not be read"), "{gone}");
    // The file grew by a record that is only half written.
    let grown = after(&|| fs::write(&file, longer(database(), b"OVSDB JSON 400 31")).unwrap());
    assert_eq!(grown, Ok(2));
    // A directory took its place.
    let pipe = after(&|| {
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    });
    assert!(pipe.unwrap_err().contains("could not be read"));
    fs::remove_dir(&file).unwrap();
    // A link that leads out of the bundle took its place.
    let link = after(&|| {
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("../../../../../secret", &file).unwrap();
    });
    let link = link.unwrap_err();
    assert!(link.contains("outside of the filesystem") && !link.contains(SECRET), "{link}");
}

fn change_back(file: &std::path::Path) {
    _ = fs::remove_file(file);
    fs::write(file, database()).unwrap();
}

#[test]
fn a_path_that_is_not_a_bundle_is_an_error() {
    let (text, _) = said(vec!["/nonexistent/must-gather".into()]);
    assert_eq!(text, "/nonexistent/must-gather could not be read: No such file or directory (os error 2)");
    let (text, _) = said(vec!["/dev/zero".into()]);
    assert_eq!(text, "/dev/zero could not be read: not a file or directory");
    let dir = tempfile::tempdir().unwrap();
    let (text, _) = said(vec![dir.path().into()]);
    assert!(text.contains("it contains no files"), "{text}");
}

/// The tests run as root, who may read every file, so a file that the kernel refuses to read stands in for a forbidden
/// one.
#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let (text, rows) = said(vec!["/proc/self/clear_refs".into()]);
    assert!(rows.is_err() && text.contains("could not be read"), "{text}");
}
