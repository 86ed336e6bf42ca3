//! What is no plugin, and what was tampered with.

use super::{speech::Log, *};
use crate::cache::{Cache, Entry};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

async fn refusal(bytes: &[u8]) -> String {
    let error = load(&runtime_with(Arc::new(SystemClock::new())), bytes).await.err().unwrap();
    assert_eq!(error.kind(), engine::Kind::Invalid);
    error.report()
}

#[tokio::test]
async fn a_file_that_is_no_wasm_is_refused() {
    assert!(refusal(b"#!/bin/sh").await.contains("it is no WebAssembly file"));
    assert!(refusal(b"").await.contains("it is no WebAssembly file"));
}

#[tokio::test]
async fn a_core_module_is_refused_with_the_remedy() {
    let said = refusal(&wat::parse_str("(module)").unwrap()).await;
    assert!(said.contains("core module, not a component: `streamhost build` makes one"), "{said}");
}

#[tokio::test]
async fn a_broken_component_is_refused() {
    let mut bytes = Guest::default().component();
    bytes.truncate(bytes.len() / 2);
    assert!(refusal(&bytes).await.contains("does not compile"));
}

#[tokio::test]
async fn compiled_code_is_refused() {
    let code = crate::runtime::engine().unwrap().precompile_component(&Guest::default().component()).unwrap();
    assert!(refusal(&code).await.contains("compiled code, which is never taken from outside"));
}

#[tokio::test]
async fn a_component_that_is_no_plugin_is_refused() {
    let bytes =
        guest::component_of(r#"(module (func (export "f")))"#, "package a:b; world w { export f: func(); }");
    assert!(refusal(&bytes).await.contains("does not export streamhost:plugin/plugin@0.9.0"));
}

/// A component that exports these interfaces of a version of the contract, with nothing in them but a function.
fn exporting(version: &str, interfaces: &[&str]) -> Vec<u8> {
    let mut wit = format!("package streamhost:plugin@{version};\n");
    let (mut functions, mut exports) = (String::new(), String::new());
    for name in interfaces {
        wit.push_str(&format!("interface {name} {{ f: func(); }}\n"));
        exports.push_str(&format!("export {name}; "));
        functions.push_str(&format!("(func (export \"streamhost:plugin/{name}@{version}#f\"))"));
    }
    guest::component_of(&format!("(module {functions})"), &format!("{wit}world w {{ {exports}}}"))
}

#[tokio::test]
async fn a_component_that_can_be_used_as_nothing_is_refused_with_what_it_is() {
    let said = refusal(&exporting("0.9.0", &["plugin", "other"])).await;
    let expected = "it exports plugin@0.9.0, other@0.9.0 and nothing to be used as, such as `transform` or `foreach-batch`";
    assert!(said.ends_with(expected), "{said}");
    let said = refusal(&exporting("0.9.0", &["transform"])).await;
    assert!(said.ends_with("it does not export streamhost:plugin/plugin@0.9.0"), "{said}");
    let said = refusal(&exporting("0.9.0", &["plugin", "foreach-batch"])).await;
    assert!(
        said.contains("or another contract: ") && said.contains("does not have export `describe`"),
        "{said}"
    );
}

#[tokio::test]
async fn a_plugin_of_a_newer_contract_is_refused_with_both_versions_and_the_remedies() {
    let said = refusal(&exporting("1.2.0", &["plugin", "transform"])).await;
    let expected = "it was built for version 1.2.0 of the plugin contract, and this host speaks 0.9.0: \
                    use a streamhost of that version, or build the plugin again with this one's SDK";
    assert!(said.ends_with(expected), "{said}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let runtime = runtime_with(Arc::new(SystemClock::new()));
    let error = runtime.load(Path::new("/no/such.wasm")).await.err().unwrap();
    assert!(error.report().contains("/no/such.wasm"), "{}", error.report());
}

/// Loads the same component with a cache in `dir`.
async fn load_cached(dir: &Path, wasm: &Path) -> Plugin {
    let settings = RuntimeSettings {
        cache_dir: Some(dir.to_owned()),
        scratch: std::env::temp_dir(),
        compiler: Compiler::InProcess,
        clock: Arc::new(SystemClock::new()),
    };
    Runtime::new(settings).unwrap().load(wasm).await.map_err(|e| e.report()).unwrap()
}

fn entry(dir: &Path) -> std::path::PathBuf {
    let mut entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries.find(|path| path.extension().is_some_and(|e| e == "code")).unwrap()
}

#[tokio::test]
async fn forged_code_in_the_cache_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, wasm) = (folder.path().join("cache"), folder.path().join("guest.wasm"));
    fs::write(&wasm, Guest::default().component()).unwrap();
    let plugin = load_cached(&cache, &wasm).await;
    let entry = entry(&cache);
    let genuine = fs::read(&entry).unwrap();
    let mut flipped = genuine.clone();
    flipped[genuine.len() / 2] ^= 1;
    let sealed_for_another = other_entry(&cache, folder.path()).await;
    for forged in [flipped, genuine[..100].to_vec(), Vec::new(), b"\x7fELF".to_vec(), sealed_for_another] {
        fs::write(&entry, forged).unwrap();
        refused_and_logged(&cache, &plugin, &wasm);
        load_cached(&cache, &wasm).await;
        assert!(fs::read(&entry).unwrap() == genuine, "the entry is genuine again");
    }
}

/// The log is this thread's, and a plugin is loaded on another: so this asks the cache itself.
fn refused_and_logged(dir: &Path, plugin: &Plugin, wasm: &Path) {
    let log = Log::start();
    let entry = Entry::of(&fs::read(wasm).unwrap(), &plugin.0.core.engine);
    assert_eq!(Cache::open_or_warn(dir).unwrap().get(&entry), None);
    let said = log.text();
    assert!(said.contains("was not written by this host; the plugin is compiled again"), "{said}");
}

#[tokio::test]
async fn a_damaged_key_is_made_anew_once_and_what_it_sealed_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, wasm) = (folder.path().join("cache"), folder.path().join("guest.wasm"));
    fs::write(&wasm, Guest::default().component()).unwrap();
    for damaged in [&b"short"[..], b"", &[7; 33]] {
        load_cached(&cache, &wasm).await;
        let sealed = entry(&cache);
        fs::write(cache.join("key"), damaged).unwrap();
        let log = Log::start();
        assert!(Cache::open_or_warn(&cache).is_some());
        assert!(log.text().contains("key was damaged and is made anew; all plugins are compiled again"));
        assert!(!sealed.exists());
        let log = Log::start();
        assert!(Cache::open_or_warn(&cache).is_some());
        assert_eq!(log.text(), "");
    }
    let plugin = load_cached(&cache, &wasm).await;
    let entry = Entry::of(&fs::read(&wasm).unwrap(), &plugin.0.core.engine);
    let kept = Cache::open_or_warn(&cache).unwrap().get(&entry).expect("compiled code is kept again");
    assert_eq!(kept.digest, plugin.digest());
}

/// What this host itself has put in the cache for another component.
async fn other_entry(cache: &Path, folder: &Path) -> Vec<u8> {
    let before: Vec<_> = fs::read_dir(cache).unwrap().map(|e| e.unwrap().path()).collect();
    let wasm = folder.join("other.wasm");
    fs::write(&wasm, Guest::on_call("(nop)").component()).unwrap();
    load_cached(cache, &wasm).await;
    let mut now = fs::read_dir(cache).unwrap().map(|e| e.unwrap().path());
    let path = now.find(|path| !before.contains(path)).unwrap();
    let sealed = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    sealed
}

#[tokio::test]
async fn the_cache_is_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, wasm) = (folder.path().join("cache"), folder.path().join("guest.wasm"));
    fs::write(&wasm, Guest::default().component()).unwrap();
    load_cached(&cache, &wasm).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&cache), mode(&cache.join("key")), mode(&entry(&cache))), (0o700, 0o600, 0o600));
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    fs::remove_file(entry(&cache)).unwrap();
    load_cached(&cache, &wasm).await;
    assert!(fs::read_dir(&cache).unwrap().count() == 1, "nothing is kept where others can write");
}
