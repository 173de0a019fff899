//! Logs as a model can read them: lines understood for time and level, the last that matter, or all folded into
//! templates. Everything here works on a stream and holds a bounded part of it.

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
pub(crate) use search::Search;
pub(crate) use split::Splitter;
