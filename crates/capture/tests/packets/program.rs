//! The real programs, and capture files that the tests write by themselves.

use std::{path::Path, process::Command};

use tempfile::TempDir;

/// Runs a program and returns its standard output.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    #[expect(clippy::disallowed_methods, reason = "a test asks the real program")]
    let output = Command::new(program).args(arguments).env("TZ", "UTC").output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program}: {error}: install the packages tshark and tcpdump (`cargo xtask lab setup`)")
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("the output is text")
}

/// Returns the values of these fields for each packet of a file, as tshark dissects it without a look at other packets.
pub(crate) fn fields(file: &Path, fields: &[&str]) -> Vec<Vec<String>> {
    const WITHOUT_STATE: [&str; 6] = [
        "ip.defragment:FALSE",
        "ipv6.defragment:FALSE",
        "tcp.desegment_tcp_streams:FALSE",
        "tcp.analyze_sequence_numbers:FALSE",
        "tcp.relative_sequence_numbers:FALSE",
        "tcp.try_heuristic_first:FALSE",
    ];
    let file = file.to_str().expect("a path of text");
    let mut arguments = vec!["-n", "-r", file, "-T", "fields", "-E", "occurrence=a", "-E", "separator=|"];
    arguments.extend(WITHOUT_STATE.iter().flat_map(|option| ["-o", option]));
    arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
    let split = |line: &str| line.split('|').map(str::to_owned).collect();
    run("tshark", &arguments).lines().map(split).collect()
}

/// A folder for the files of a test.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for temporary files")
}

/// A recorded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) nanos: u64,
    /// The length on the wire.
    pub(crate) length: u32,
    pub(crate) bytes: Vec<u8>,
}

/// A form of pcap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pcap {
    pub(crate) big_endian: bool,
    pub(crate) nanoseconds: bool,
    pub(crate) link: u32,
}

impl Pcap {
    fn number(self, number: u32) -> [u8; 4] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    /// Returns a file with these frames.
    pub(crate) fn file(self, packets: &[Packet]) -> Vec<u8> {
        let (magic, unit) = if self.nanoseconds { (0xa1b2_3c4d, 1) } else { (0xa1b2_c3d4, 1000) };
        let version = if self.big_endian { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
        let mut file = self.number(magic).to_vec();
        file.extend(version);
        for number in [0, 0, 262_144, self.link] {
            file.extend(self.number(number));
        }
        for Packet { nanos, length, bytes } in packets {
            let seconds = u32::try_from(nanos / 1_000_000_000).expect("a time of this century");
            let rest = u32::try_from(nanos % 1_000_000_000 / unit).expect("less than a second");
            let kept = u32::try_from(bytes.len()).expect("a short frame");
            for number in [seconds, rest, kept, *length] {
                file.extend(self.number(number));
            }
            file.extend(bytes);
        }
        file
    }
}

/// Returns the number of random cases and the seed.
pub(crate) fn cases() -> (usize, u64) {
    let number = |name: &str, normally: u64| match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")),
        Err(_) => normally,
    };
    let (cases, seed) = (number("CAPTURE_CASES", 1500), number("CAPTURE_SEED", 1));
    eprintln!("CAPTURE_SEED={seed} CAPTURE_CASES={cases} repeats this");
    (usize::try_from(cases).expect("a number of cases"), seed)
}

/// Returns the folder of recorded captures.
pub(crate) fn recorded() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/capture-files");
    let files = std::fs::read_dir(&folder).expect("the folder of recorded captures");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| {
        file.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng")
    });
    files.sort();
    assert!(files.len() >= 3, "{folder:?} has {} captures", files.len());
    files
}
