//! Compares this crate with tshark(1), tcpdump(8), editcap(1) and mergecap(1), and checks what it does with damage.
//!
//! The tests need the Debian packages tshark and tcpdump (`cargo xtask lab setup`). `CAPTURE_CASES` sets the number of
//! random frames of each test (default 1500) and `CAPTURE_SEED` the seed of the random generator. The default seed is
//! fixed, so that every run checks the same frames; longer runs take other seeds.

#![expect(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod application;
mod build;
mod damage;
mod dissect;
mod fields;
mod files;
mod layers;
mod lines;
mod program;
mod select;
