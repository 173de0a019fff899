//! Tests with small limits: a file over a limit is reported, and the rest is still read.

use super::ReadMeter;
use super::{Bounds, Files};

fn tar(files: &[(&str, usize)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, size) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(*size as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, vec![b'x'; *size].as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn open(bytes: &[u8], bounds: Bounds) -> Files {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle");
    std::fs::write(&path, bytes).unwrap();
    Files::open(&path, bounds, &ReadMeter::default()).unwrap()
}

fn troubles(files: &Files) -> String {
    [files.troubles(), files.unfinished.clone()].concat().join("\n")
}

#[test]
fn too_many_files_or_names_are_reported() {
    let bytes = tar(&[("a", 1), ("b", 1), ("c", 1)]);
    let files = open(&bytes, Bounds { files: 2, ..Bounds::default() });
    assert_eq!(files.paths().collect::<Vec<_>>(), ["a", "b"]);
    assert!(troubles(&files).contains("the bundle has more than 2 files"), "{}", troubles(&files));
    let files = open(&bytes, Bounds { names: 1, ..Bounds::default() });
    assert_eq!(files.paths().collect::<Vec<_>>(), ["a"]);
    assert!(troubles(&files).contains("or more than 1 bytes of names"), "{}", troubles(&files));
}

#[test]
fn a_file_that_is_too_large_is_an_error() {
    let bounds = Bounds { file: 9, ..Bounds::default() };
    for (bytes, says) in [
        (tar(&[("etc/a", 10), ("etc/b", 9)]), "larger than 9 bytes"),
        (gz(&tar(&[("etc/a", 10), ("etc/b", 9)])), "too large to keep"),
    ] {
        let files = open(&bytes, bounds);
        assert!(crate::error::chain(&files.read("etc/a").unwrap_err()).contains(says));
        assert_eq!(files.read("etc/b").unwrap(), b"xxxxxxxxx");
    }
}

#[test]
fn a_full_temporary_file_is_reported() {
    let files = open(
        &gz(&tar(&[("etc/a", 10), ("etc/b", 10), ("etc/c", 1)])),
        Bounds { kept: 15, ..Bounds::default() },
    );
    assert_eq!(files.read("etc/a").unwrap().len(), 10);
    let why = crate::error::chain(&files.read("etc/b").unwrap_err());
    assert!(why.contains("the file could not be kept in the temporary file"), "{why}");
    assert!(troubles(&files).contains("the files to keep need more than 15 bytes"), "{}", troubles(&files));
    assert!(
        troubles(&files).contains("could not be kept in the temporary file: \"etc/b\""),
        "{}",
        troubles(&files)
    );
}

#[test]
fn an_archive_that_decompresses_to_too_much_is_cut() {
    let files =
        open(&gz(&tar(&[("etc/a", 10), ("etc/b", 4000)])), Bounds { unpacked: 2000, ..Bounds::default() });
    assert_eq!(files.read("etc/a").unwrap().len(), 10);
    assert!(troubles(&files).contains("it decompresses to more than 2000 bytes"), "{}", troubles(&files));
    assert!(files.cut("etc/b").unwrap().contains("of its 4000 bytes"));
}

#[test]
fn directories_that_are_nested_too_deeply_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
    for file in ["a/1", "a/b/2", "a/b/c/3"] {
        std::fs::write(dir.path().join(file), "x").unwrap();
    }
    let files =
        Files::open(dir.path(), Bounds { depth: 2, ..Bounds::default() }, &ReadMeter::default()).unwrap();
    assert_eq!(files.paths().collect::<Vec<_>>(), ["a/1", "a/b/2"]);
    assert!(
        troubles(&files).contains("left out with everything below (nested too deeply)"),
        "{}",
        troubles(&files)
    );
}

/// A file that no layer asks for stays in its archive, and can still be read.
#[test]
fn a_file_that_is_not_kept_can_still_be_read() {
    let archive = tar(&[("audit_logs/a", 10)]);
    for (bytes, is_packed) in [(gz(&archive), true), (archive, false)] {
        let files = open(&bytes, Bounds::default());
        assert_eq!(files.is_packed("audit_logs/a"), is_packed);
        assert_eq!(files.read("audit_logs/a").unwrap().len(), 10);
    }
}

/// After an archive was opened, the meter has counted all of it, whatever its format.
#[test]
fn the_meter_counts_what_was_read() {
    let plain = tar(&[("etc/a", 1000), ("etc/b", 300_000)]);
    for bytes in [gz(&plain), plain] {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["1.tar", "2.tar"].map(|name| dir.path().join(name));
        let (meter, size) = (ReadMeter::default(), bytes.len() as u64);
        for path in &paths {
            std::fs::write(path, &bytes).unwrap();
        }
        meter.begin(&paths);
        let mut seen = vec![meter.read()];
        for path in &paths {
            Files::open(path, Bounds::default(), &meter).unwrap();
            seen.push(meter.read());
        }
        assert_eq!(seen, [(0, 2 * size), (size, 2 * size), (2 * size, 2 * size)]);
    }
}

/// Logs without room in the temporary file are decompressed again each time.
#[test]
fn logs_can_be_read_with_and_without_room_for_them() {
    let names = ["a/logs/rotated/0.log.1", "openvswitch/ovs-vswitchd.log", "pods/a_b_c/d/0.log"];
    let archive = gz(&tar(&[(names[0], 10), (names[1], 2000), ("etc/x", 1), (names[2], 30)]));
    let files = open(&archive, Bounds { kept_logs: 45, ..Bounds::default() });
    for (name, size) in names.into_iter().zip([10, 2000, 30]) {
        for _ in 0..2 {
            let mut bytes = Vec::new();
            files.pour(name, &mut |content| content.read_to_end(&mut bytes).map(drop)).unwrap();
            assert_eq!(bytes, vec![b'x'; size], "{name}");
        }
        assert_eq!(files.read(name).unwrap().len(), size);
    }
    assert_eq!(troubles(&files), "");
}

/// Builds a zip with one compressed member, and this number of names for it in its list.
fn names_of_one_member(names: usize) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("etc/0000", options).unwrap();
    zip.write_all(&[b'x'; 1000]).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let find = |mark: &[u8]| bytes.windows(4).position(|four| four == mark).unwrap();
    let (list, end) = (find(b"PK\x01\x02"), find(b"PK\x05\x06"));
    let mut all = bytes[..list].to_vec();
    for n in 0..names {
        let mut entry = bytes[list..end].to_vec();
        let at = entry.windows(8).position(|name| name == b"etc/0000").unwrap();
        entry[at..at + 8].copy_from_slice(format!("etc/{n:04}").as_bytes());
        all.extend(entry);
    }
    let mut tail = bytes[end..].to_vec();
    let len = (end - list) * names;
    tail[8..10].copy_from_slice(&(names as u16).to_le_bytes());
    tail[10..12].copy_from_slice(&(names as u16).to_le_bytes());
    tail[12..16].copy_from_slice(&(len as u32).to_le_bytes());
    all.extend(tail);
    all
}

#[test]
fn compressed_bytes_that_many_files_of_a_zip_share_are_read_once() {
    let files = open(&names_of_one_member(500), Bounds::default());
    assert_eq!(files.paths().count(), 500);
    let read = files.paths().filter(|path| files.read(path).is_ok()).count();
    assert_eq!(read, 1);
    assert!(
        troubles(&files).contains("499 files left out (compressed bytes shared with other files"),
        "{}",
        troubles(&files)
    );
    assert_eq!(troubles(&open(&names_of_one_member(1), Bounds::default())), "");
}
