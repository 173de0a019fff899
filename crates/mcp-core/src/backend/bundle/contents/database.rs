//! Opens database files, as the node wrote them or as `sos clean` left them.

use ovsdb::{Database, OpenError};

/// The first bytes of every MAC address that `sos clean` writes (sos, `cleaner/mappings/mac_map.py`). No network card
/// has such an address, because it is a multicast address.
const CLEANED: &[u8] = b"53:4f:53:";

/// Opens a database file. `sos clean` changes addresses and names, so the lengths and checksums in an edited file do
/// not match its records.
pub(crate) fn open(bytes: Vec<u8>) -> Result<Database, OpenError> {
    if memchr::memmem::find(&bytes, CLEANED).is_some() {
        Database::open_edited(bytes)
    } else {
        Database::open(bytes)
    }
}
