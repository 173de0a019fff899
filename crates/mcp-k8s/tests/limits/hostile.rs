//! Bundles that are made to exhaust the memory of their reader.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

/// The largest block of a frame, in bytes.
pub(crate) const BLOCK: u64 = 128 << 10;

/// A file that follows all others in an archive.
pub(crate) const LAST: &str = "must-gather/other/last.txt";
/// A large recorded output of a command in a directory.
pub(crate) const LARGE: &str = "sos_commands/networking/ip_-d_address";

const POD: &[u8] = b"kind: Pod\nmetadata: {name: web, namespace: shop}\n";
const LOG: &str = "namespaces/shop/pods/web/app/app/logs/current.log";

/// Builds a tar archive in a frame of zstd (RFC 8878) with this window descriptor. The archive has a pod, a file of
/// `len` equal bytes and the file [`LAST`]. The frame is small because each of its blocks repeats a byte `block` times.
pub(crate) fn zstd(window: u8, len: u64, block: u64) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    let raw = |frame: &mut Vec<u8>, bytes: &[u8]| {
        frame.extend(((bytes.len() as u32) << 3).to_le_bytes().iter().take(3));
        frame.extend(bytes);
    };
    raw(&mut frame, &member("must-gather/namespaces/shop/pods/web/web.yaml", POD));
    raw(&mut frame, &header("must-gather/other/filler", len));
    for _ in 0..len / block {
        frame.extend((1 << 1 | (block as u32) << 3).to_le_bytes().iter().take(3));
        frame.push(b'x');
    }
    raw(&mut frame, &member(LAST, b"the last file\n"));
    raw(&mut frame, &[0; 1024]);
    // The last block is empty.
    frame.extend([1, 0, 0]);
    frame
}

/// The header of a file in a tar archive (POSIX ustar).
fn header(name: &str, len: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut field = |at: usize, text: &str| {
        for (place, byte) in header.iter_mut().skip(at).zip(text.bytes()) {
            *place = byte;
        }
    };
    field(0, name);
    field(100, "0000644");
    field(124, &format!("{len:011o}"));
    field(136, "00000000000");
    field(148, "        ");
    field(156, "0");
    field(257, "ustar");
    field(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    for (place, byte) in header.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *place = byte;
    }
    header
}

/// A file in a tar archive, padded to whole blocks.
fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut all = header(name, content.len() as u64).to_vec();
    all.extend(content);
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

fn file(dir: &Path, name: &str) -> io::Result<BufWriter<File>> {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap_or(dir))?;
    Ok(BufWriter::new(File::create(path)?))
}

/// Writes one list of very small objects, of about `len` bytes.
pub(crate) fn small_objects(dir: &Path, len: usize) -> io::Result<()> {
    let mut list = file(dir, "namespaces/shop/core/pods.yaml")?;
    list.write_all(b"items:\n")?;
    let mut written = 0;
    for number in 0.. {
        let object = format!("- {{metadata: {{namespace: shop, name: p{number}}}, a: [1,2,3,4,5,6,7,8]}}\n");
        list.write_all(object.as_bytes())?;
        written += object.len();
        if written > len {
            break;
        }
    }
    list.write_all(b"kind: PodList\n")?;
    list.flush()
}

/// Writes a report and a log with a file of `len` bytes each, without line breaks, which take no space on the disk.
pub(crate) fn large_file(dir: &Path, len: u64) -> io::Result<()> {
    file(dir, "namespaces/shop/pods/web/web.yaml")?.write_all(POD)?;
    for name in [LARGE, LOG] {
        file(dir, name)?.get_ref().set_len(len)?;
    }
    Ok(())
}

/// Writes objects and a log whose values are nested: in YAML, in JSON, as JSON in text, as text in text, and by
/// references.
pub(crate) fn deep_nesting(dir: &Path, depth: usize) -> io::Result<()> {
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    let maps = "{\"a\":".repeat(depth);
    let object = "metadata: {name: deep, namespace: shop}";
    // JSON in JSON doubles its escapes at each level.
    let escaped = (0..12).fold("{\"password\":\"hunter2\"}".to_owned(), |inner, _| {
        format!("{{\"a\":{}}}", serde_json::Value::from(inner))
    });
    // The text, of one byte for each level, is repeated 1,600 times.
    let all = |name: &str| vec![format!("*{name}"); 40].join(", ");
    let text = "x".repeat(depth);
    let references = format!("{object}\na: &a {text}\nb: &b [{}]\nc: [{}]\n", all("a"), all("b"));
    for (name, text) in [
        ("namespaces/shop/core/endpoints.yaml", references),
        (
            "namespaces/shop/core/pods.yaml",
            format!("{{\"metadata\":{{\"name\":\"deep\"}},\"a\":{open}{close}}}"),
        ),
        ("namespaces/shop/pods/web/web.yaml", format!("{object}\nspec: {maps}\n")),
        ("namespaces/shop/core/services.yaml", format!("{object}\na: {maps}1\n")),
        ("cluster-scoped-resources/core/nodes.yaml", format!("{object}\na:\n{}x\n", "- ".repeat(depth))),
        ("cluster-scoped-resources/core/nodes/deep.yaml", format!("{object}\nmetadata: {open}\n")),
        (
            "namespaces/shop/core/configmaps.yaml",
            format!(
                "kind: ConfigMap\n{object}\ndata:\n  a: '{open}{close}'\n  b: '{maps}'\n  c: '{escaped}'\n"
            ),
        ),
    ] {
        file(dir, name)?.write_all(text.as_bytes())?;
    }
    let mut log = file(dir, LOG)?;
    for line in [&open, &maps, &"map[a:".repeat(depth), &"(".repeat(depth), &escaped, &"\\\"".repeat(depth)] {
        writeln!(log, "2026-11-22T08:00:00.000000000Z password={line}")?;
    }
    log.flush()
}
