//! What wit-bindgen makes of `wit/streamhost.wit`. The attribute macros use it; plugins do not.
//!
//! What every plugin exports, and what each kind of it exports beside that, are worlds of their own here: a component is made of
//! both, and the types between them are the same.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    world: "base",
    pub_export_macro: true,
    export_macro_name: "export_base",
    default_bindings_module: "::streamhost::bindings",
    generate_unused_types: true,
});

/// Of the world `stateless`, without what every plugin exports.
pub mod stateless {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package streamhost:sdk-stateless;
            world transform { export streamhost:plugin/transform@0.9.0; }
        ",
        world: "streamhost:sdk-stateless/transform",
        pub_export_macro: true,
        export_macro_name: "export_transform",
        default_bindings_module: "::streamhost::bindings::stateless",
        with: { "streamhost:plugin/types@0.9.0": crate::bindings::streamhost::plugin::types },
        generate_all,
    });
}

/// Of the world `batch-sink`, without what every plugin exports.
pub mod batch_sink {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package streamhost:sdk-batch-sink;
            world foreach-batch {
                import streamhost:plugin/epoch@0.9.0;
                import streamhost:plugin/outputs@0.9.0;
                export streamhost:plugin/foreach-batch@0.9.0;
            }
        ",
        world: "streamhost:sdk-batch-sink/foreach-batch",
        pub_export_macro: true,
        export_macro_name: "export_foreach_batch",
        default_bindings_module: "::streamhost::bindings::batch_sink",
        with: { "streamhost:plugin/types@0.9.0": crate::bindings::streamhost::plugin::types },
        generate_all,
    });
}

/// Of the world `sql-functions`, without what every plugin exports.
pub mod sql_functions {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package streamhost:sdk-sql-functions;
            world functions { export streamhost:plugin/functions@0.9.0; }
        ",
        world: "streamhost:sdk-sql-functions/functions",
        pub_export_macro: true,
        export_macro_name: "export_functions",
        default_bindings_module: "::streamhost::bindings::sql_functions",
        with: { "streamhost:plugin/types@0.9.0": crate::bindings::streamhost::plugin::types },
        generate_all,
    });
}

/// Of the world `stateful`, without what every plugin exports.
pub mod stateful {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package streamhost:sdk-stateful;
            world groups {
                import streamhost:plugin/state@0.9.0;
                export streamhost:plugin/keyed@0.9.0;
            }
        ",
        world: "streamhost:sdk-stateful/groups",
        pub_export_macro: true,
        export_macro_name: "export_groups",
        default_bindings_module: "::streamhost::bindings::stateful",
        with: { "streamhost:plugin/types@0.9.0": crate::bindings::streamhost::plugin::types },
        generate_all,
    });
}

/// What requests call of WASI.
#[cfg(all(feature = "http", target_family = "wasm"))]
pub mod http {
    wit_bindgen::generate!({
        path: "wit-http",
        world: "requests",
        default_bindings_module: "::streamhost::bindings::http",
        generate_all,
    });
}
