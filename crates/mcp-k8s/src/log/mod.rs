//! Reads logs: parses the time and level of lines, and returns the last matching lines or a digest of message
//! templates. Everything here works on a stream and keeps a bounded part of it in memory.

mod digest;
mod lines;
mod mask;
#[cfg(test)]
mod pages;
mod partial;
mod question;
mod search;
mod split;
#[cfg(test)]
mod tests;
mod time;
mod window;

pub(crate) use digest::cut;
pub(crate) use question::{LogParams, end_of};
pub(crate) use search::RedactedSearch;
pub(crate) use split::Splitter;
