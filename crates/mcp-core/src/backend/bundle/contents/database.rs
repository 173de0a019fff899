//! Database files, as the node wrote them or as `sos clean` left them.

use ovsdb::{Database, OpenError};

/// What `sos clean` gives every MAC address to begin with (sos, `cleaner/mappings/mac_map.py`). No network card has it: it
/// is that of a group.
const CLEANED: &[u8] = b"53:4f:53:";

/// Opens a file. One that `sos clean` went through has other addresses and names, and so other lengths and checksums, than
/// its records say.
pub(crate) fn open(bytes: Vec<u8>) -> Result<Database, OpenError> {
    if memchr::memmem::find(&bytes, CLEANED).is_some() {
        Database::open_edited(bytes)
    } else {
        Database::open(bytes)
    }
}
