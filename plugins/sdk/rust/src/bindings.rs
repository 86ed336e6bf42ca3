//! What wit-bindgen makes of `wit/streamhost.wit`. The attribute macros use it; plugins do not.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    world: "stateless",
    pub_export_macro: true,
    export_macro_name: "export",
    default_bindings_module: "::streamhost::bindings",
});
