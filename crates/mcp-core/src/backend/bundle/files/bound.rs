//! What one bundle may take of this process.

/// Bounds of a bundle. Real ones stay well below; what is made to exhaust a reader does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a file that is read.
    pub(crate) file: u64,
    /// Bytes of a file of objects, and of the objects that one question finds: in memory they take several times as many
    /// as written.
    pub(crate) objects: u64,
    /// Bytes of a file that is read only to see what the bundle is: an object, a host name.
    pub(crate) small_file: u64,
    /// Files that are listed.
    pub(crate) files: usize,
    /// Bytes of all names together.
    pub(crate) names: usize,
    /// Directories within directories.
    pub(crate) depth: usize,
    /// Archives within archives: a bundle in a file of bundles, and in it the packed databases.
    pub(crate) nesting: usize,
    /// Bytes that come out of one compressed archive.
    pub(crate) unpacked: u64,
    /// Bytes that come out for one that goes in, once more than `ratio_from` came out. Logs reach 100.
    pub(crate) ratio: u64,
    /// See `ratio`.
    pub(crate) ratio_from: u64,
    /// Bytes that are kept in the temporary file.
    pub(crate) kept: u64,
    /// Of these, bytes of logs. Logs beyond are unpacked anew each time that they are asked for.
    pub(crate) kept_logs: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            file: 2 << 30,
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
