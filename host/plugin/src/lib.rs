//! Wasm components as steps: instances, limits, Arrow across the boundary.

pub mod ipc;
