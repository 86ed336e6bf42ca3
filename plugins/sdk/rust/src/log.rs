//! Lines in the host's log: `streamhost::log::info!("{} rows", n)`. In a native test they go to standard error.

pub use crate::bindings::streamhost::plugin::log::Level;
#[doc(inline)]
pub use crate::{__debug as debug, __error as error, __info as info, __trace as trace, __warn as warn};

/// Writes one line; the host cuts what is longer than its limit.
pub fn write(level: Level, message: &str) {
    if cfg!(target_family = "wasm") {
        crate::bindings::streamhost::plugin::log::write(level, message);
    } else {
        eprintln!("{level:?} {message}");
    }
}

/// Sends the message of a panic to the host's log, which is otherwise told of a trap only.
pub(crate) fn report_panics() {
    if cfg!(target_family = "wasm") {
        std::panic::set_hook(Box::new(|panic| write(Level::Error, &panic.to_string())));
    }
}

/// Data was lost or someone must act.
#[doc(hidden)]
#[macro_export]
macro_rules! __error { ($($text:tt)*) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($text)*)) } }

/// Something was wrong and was put right.
#[doc(hidden)]
#[macro_export]
macro_rules! __warn { ($($text:tt)*) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($text)*)) } }

/// Once in the life of a plugin.
#[doc(hidden)]
#[macro_export]
macro_rules! __info { ($($text:tt)*) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($text)*)) } }

/// Once in a batch.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug { ($($text:tt)*) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($text)*)) } }

/// More often.
#[doc(hidden)]
#[macro_export]
macro_rules! __trace { ($($text:tt)*) => { $crate::log::write($crate::log::Level::Trace, &::std::format!($($text)*)) } }
