//! Compares this crate with tshark(1), on real traffic between network namespaces and on recorded captures.
//!
//! The tests need root, ip(8), nft(8), ping(8), tcpdump(8), tshark(1) and python3. The counts equal those of tshark
//! 4.0, with these differences, which the tests state where they compare:
//!
//! * Each retransmission counts in one of three kinds. tshark marks all three as retransmissions.
//! * A fragment counts in the conversation of its first fragment, which names the ports. Without reassembly tshark
//!   leaves the others out of the conversation.
//! * The packets in a tunnel are a conversation, and the outer packets are counted by tunnel. tshark counts the outer
//!   UDP conversation too, once for each hash of the source port.

#![expect(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod counts;
mod lab;
mod programs;
mod recorded;
mod scenes;
mod tshark;
mod way;
