//! What a hostile guest tries, and what it gets.

mod arrow;
mod bomb;
mod corpus;
mod forge;
mod http;
