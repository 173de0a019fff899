//! Limits for the resources that one bundle may use.

/// The limits of a bundle. Real bundles stay well below them; bundles that are made to exhaust a reader do not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a file that is read.
    pub(crate) file: u64,
    /// Bytes of the output of a command.
    pub(crate) output: u64,
    /// Bytes of a file of objects, and of the objects in one answer. Objects take several times as much memory as their
    /// YAML.
    pub(crate) objects: u64,
    /// Bytes of a file that is read to recognize the bundle: an object, a host name.
    pub(crate) small_file: u64,
    /// Number of listed files.
    pub(crate) files: usize,
    /// Bytes of all names together.
    pub(crate) names: usize,
    /// Depth of nested directories.
    pub(crate) depth: usize,
    /// Depth of nested archives: a file of bundles contains a bundle, which contains compressed databases.
    pub(crate) nesting: usize,
    /// Decompressed bytes of one archive.
    pub(crate) unpacked: u64,
    /// Ratio of decompressed to compressed bytes, which applies beyond `ratio_from` bytes. Logs reach 100.
    pub(crate) ratio: u64,
    /// Decompressed bytes from which `ratio` applies.
    pub(crate) ratio_from: u64,
    /// Bytes in the temporary file.
    pub(crate) kept: u64,
    /// Bytes of logs in the temporary file. Further logs are decompressed again each time.
    pub(crate) kept_logs: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            file: 2 << 30,
            output: 512 << 20,
            objects: 512 << 20,
            small_file: 64 << 20,
            files: 1_000_000,
            names: 256 << 20,
            depth: 64,
            nesting: 3,
            unpacked: 256 << 30,
            ratio: 400,
            ratio_from: 256 << 20,
            kept: 16 << 30,
            kept_logs: 2 << 30,
        }
    }
}
