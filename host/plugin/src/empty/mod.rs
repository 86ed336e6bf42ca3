//! The empty plugin, which is part of the host: keeps every row and looks at none.

/// Its component. `plugin.wat` is its source; a test compares the two and rewrites this one under `UPDATE_EXPECT=1`.
pub(crate) const COMPONENT: &[u8] = include_bytes!("plugin.wasm");

/// What takes the place of its file's path.
pub(crate) const PATH: &str = "the empty plugin";
