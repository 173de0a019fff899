//! `cargo xtask`: what this project does to itself.
fn main() {}
