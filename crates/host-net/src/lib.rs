#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod address_filter;
pub mod connection;
pub mod fib;
pub mod interface;
pub mod iptables;
mod json;
pub mod lines;
pub mod neighbour;
pub mod nft;
mod nft_filter;
mod nft_json;
pub mod route;
pub mod rule;
pub mod socket;
pub mod state;
pub mod xfrm;
