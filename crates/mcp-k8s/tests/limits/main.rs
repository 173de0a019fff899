//! Slow searches, hostile bundles and hostile clients: a server answers every call, ends in time, and stays within its
//! memory.

mod ending;
mod hostile;
mod memory;
