use crate::{
    abi,
    bind::BindSettings,
    cache::{Entry, Kept},
    compile::LARGEST,
    empty,
    functions::{BoundFunctions, FunctionSettings},
    guest::Guest,
    http::{self, Client, HttpGrant},
    instance::Instance,
    keyed::{KeyedPlugin, KeyedSettings},
    limits::Limits,
    role::{Exports, Role},
    runtime::Core,
    sink::{BoundSink, SinkSettings},
    step::PluginStep,
    text,
    voice::Speaker,
};
use engine::{Error, Kind, Result, ResultExt};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use wasmtime::{
    Engine,
    component::{Component, InstancePre},
};

/// A component that was loaded, compiled, checked to be a plugin of this host's contract, and asked what it is.
/// Clones are the same component.
#[derive(Clone)]
pub struct Plugin(pub(crate) Arc<Loaded>);

pub(crate) struct Loaded {
    pub(crate) core: Arc<Core>,
    pub(crate) code: Code,
    facts: Facts,
    description: Description,
}

/// A component that is ready to be instantiated, and where its functions are.
pub(crate) struct Code {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) exports: Exports,
}

/// What is known of a component without running it.
struct Facts {
    path: PathBuf,
    digest: String,
    bytes: u64,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// What a plugin says of itself. Its texts are cut to a bearable length and escaped: they may be shown anywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// One line on what it does.
    pub summary: String,
    /// JSON Schema of the configuration that it takes. As the plugin wrote it: escape before showing.
    pub config_schema: String,
    /// Whether it promises the same output bytes for the same input.
    pub deterministic: bool,
    /// The capabilities that it wants.
    pub asks: Vec<String>,
}

impl Plugin {
    pub(crate) async fn load(core: Arc<Core>, path: &Path) -> Result<Self> {
        let from = path.to_owned();
        Plugin::of(core, path, None, move || read(&from)).await
    }

    /// As [`Plugin::load`], of a file that is to have this digest: nothing of another one is compiled or run.
    pub(crate) async fn load_exact(core: Arc<Core>, path: &Path, expected: &str) -> Result<Self> {
        let from = path.to_owned();
        Plugin::of(core, path, Some(expected.to_owned()), move || read(&from)).await
    }

    pub(crate) async fn empty(core: Arc<Core>) -> Result<Self> {
        Plugin::of(core, Path::new(empty::PATH), None, || Ok(empty::COMPONENT.to_vec())).await
    }

    async fn of(
        core: Arc<Core>,
        path: &Path,
        expected: Option<String>,
        wasm: impl FnOnce() -> Result<Vec<u8>> + Send + 'static,
    ) -> Result<Self> {
        let compiling = core.clone();
        let from = path.to_owned();
        let ready = move || compile(&compiling, &from, expected.as_deref(), &wasm()?);
        let (component, facts) = tokio::task::spawn_blocking(ready)
            .await
            .doing(Kind::Internal, || format!("loading {}", path.display()))??;
        let within = || format!("{} cannot be used", path.display());
        check_world(&facts).map_err(|e| e.while_doing(within()))?;
        let code = linked(&core, &component, &facts).map_err(|e| unlinkable(&e).while_doing(within()))?;
        let description = describe(&core, &code, path).await?;
        Ok(Plugin(Arc::new(Loaded { core, code, facts, description })))
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &Path {
        &self.0.facts.path
    }

    /// `sha256:` and the digest of its file in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.0.facts.digest
    }

    /// Size of its file in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.facts.bytes
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        &self.0.description
    }

    /// Names of the interfaces that it imports, in its own order.
    pub fn imports(&self) -> &[String] {
        &self.0.facts.imports
    }

    /// Names of what it exports, in its own order.
    pub fn exports(&self) -> &[String] {
        &self.0.facts.exports
    }

    /// What it can be used as.
    pub fn roles(&self) -> Vec<Role> {
        self.0.facts.roles()
    }

    /// Name and version, for messages.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.description().name, self.description().version)
    }

    /// Whether it asks for requests over HTTP.
    pub fn asks_for_http(&self) -> bool {
        self.description().asks.iter().any(|ask| ask == http::ASK)
    }

    /// What it gets of what a pipeline allows: nothing that it does not ask for.
    pub(crate) fn granted(&self, allowed: &HttpGrant) -> HttpGrant {
        if self.asks_for_http() { allowed.clone() } else { HttpGrant::default() }
    }

    /// What it wants, and gets: for `explain`.
    pub(crate) fn asks(&self, http: &HttpGrant) -> String {
        match (self.description().asks.as_slice(), http.is_empty()) {
            ([], _) => "asks for nothing".into(),
            (asks, true) => format!("asks for {}; gets nothing", asks.join(", ")),
            (asks, false) => format!("asks for {}; may send requests to {http}", asks.join(", ")),
        }
    }

    /// Agrees with the plugin on configuration and columns. Fails with kind `Invalid` if it refuses them, or if what
    /// it wants to put out cannot be.
    pub async fn bind(&self, settings: BindSettings) -> Result<PluginStep> {
        PluginStep::bind(self.clone(), settings).await
    }

    /// Agrees with the plugin, as one that keeps state by key, on configuration and columns. Fails as [`Plugin::bind`] does.
    pub async fn bind_keyed(&self, settings: KeyedSettings) -> Result<KeyedPlugin> {
        KeyedPlugin::bind(self.clone(), settings).await
    }

    /// Agrees with the plugin, as the sink of epochs, on configuration and columns. Fails as [`Plugin::bind`] does.
    pub async fn bind_sink(&self, settings: SinkSettings) -> Result<BoundSink> {
        BoundSink::bind(self.clone(), settings).await
    }

    /// Agrees with the plugin on a configuration, and asks for its functions. Fails as [`Plugin::bind`] does.
    pub async fn bind_functions(&self, settings: FunctionSettings) -> Result<BoundFunctions> {
        BoundFunctions::bind(self.clone(), settings).await
    }
}

impl Facts {
    fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| *export == interface(name))
    }

    fn roles(&self) -> Vec<Role> {
        Role::among(|name| self.exports(name))
    }
}

fn linked(core: &Core, component: &Component, facts: &Facts) -> wasmtime::Result<Code> {
    let pre = core.linker.instantiate_pre(component)?;
    let exports = Exports::find(&pre, &facts.roles())?;
    Ok(Code { pre, exports })
}

async fn describe(core: &Arc<Core>, code: &Code, path: &Path) -> Result<Description> {
    let speaker = Speaker { plugin: path.display().to_string(), step: String::new() };
    let failed = |fault| Error::plugin(format!("asking {} what it is: {fault}", path.display()));
    let mut instance =
        Instance::start(core, code, Limits::default(), speaker, &Client::none()).await.map_err(failed)?;
    Ok(instance.describe().await.map_err(failed)?.into())
}

impl From<abi::Description> for Description {
    fn from(said: abi::Description) -> Self {
        const MOST_ASKS: usize = 32;
        const MOST_SCHEMA: usize = 64 << 10;
        let mut config_schema = said.config_schema;
        if config_schema.len() > MOST_SCHEMA {
            config_schema.clear();
        }
        Description {
            name: text::shown(&said.name, text::NAME),
            version: text::shown(&said.version, text::NAME),
            summary: text::shown(&said.summary, text::MESSAGE),
            config_schema,
            deterministic: said.deterministic,
            asks: said.asks.iter().take(MOST_ASKS).map(|ask| text::shown(ask, text::NAME)).collect(),
        }
    }
}

/// Of a component that is to have a digest and has another, nothing is compiled or loaded.
fn compile(core: &Core, path: &Path, expected: Option<&str>, wasm: &[u8]) -> Result<(Component, Facts)> {
    let entry = Entry::of(wasm, &core.engine);
    let kept = core.cache.as_ref().and_then(|cache| cache.get(&entry));
    let digest = kept.as_ref().map_or_else(|| digest(wasm), |kept| kept.digest.clone());
    if let Some(expected) = expected.filter(|expected| *expected != digest) {
        return Err(Error::data(format!(
            "{} is not what it was: its digest is {digest}, and it should be {expected}; put it back from a copy",
            path.display()
        )));
    }
    check_format(wasm).map_err(|e| e.while_doing(format!("{} cannot be used", path.display())))?;
    let component = component(core, wasm, &digest, &entry, kept)
        .map_err(|e| e.while_doing(format!("loading {}", path.display())))?;
    let kind = component.component_type();
    let names = |name: &str| text::shown(name, text::NAME);
    let facts = Facts {
        path: path.to_owned(),
        digest,
        bytes: wasm.len() as u64,
        imports: kind.imports(&core.engine).map(|(name, _)| names(name)).collect(),
        exports: kind.exports(&core.engine).map(|(name, _)| names(name)).collect(),
    };
    Ok((component, facts))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let doing = || format!("reading the plugin {}", path.display());
    let file = File::open(path).doing(Kind::Invalid, doing)?;
    let mut wasm = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut wasm).doing(Kind::Invalid, doing)?;
    if wasm.len() as u64 > LARGEST {
        return Err(Error::invalid(format!(
            "{} is larger than {} MiB: too large for a plugin",
            path.display(),
            LARGEST >> 20
        )));
    }
    Ok(wasm)
}

/// `sha256:` and the digest of `bytes` in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Tells apart what people hand over by mistake. After the magic number come a version and what is versioned: a module
/// or a component.
fn check_format(wasm: &[u8]) -> Result<()> {
    if Engine::detect_precompiled(wasm).is_some() {
        return Err(Error::invalid(
            "it is compiled code, which is never taken from outside: give the .wasm it was made from",
        ));
    }
    match wasm.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(Error::invalid(
            "it is a core module, not a component: `streamhost build` makes one of a plugin's source",
        )),
        Some([0, b'a', b's', b'm', ..]) => {
            Err(Error::invalid("it is of a WebAssembly version that is unknown here"))
        }
        _ => Err(Error::invalid("it is no WebAssembly file")),
    }
}

fn component(core: &Core, wasm: &[u8], digest: &str, entry: &Entry, kept: Option<Kept>) -> Result<Component> {
    if let Some(kept) = kept {
        match mapped(core, &kept.code) {
            Ok(component) => return Ok(component),
            Err(e) => {
                tracing::warn!("compiled code of {digest} does not load and is made again: {}", e.report())
            }
        }
    }
    let code = core.compiler.compile(&core.engine, wasm)?;
    if let Some(cache) = &core.cache
        && let Err(e) = cache.put(entry, digest, &code)
    {
        tracing::warn!("{}", e.report());
    }
    deserialize(core, &code)
}

const LOADING: &str = "loading compiled code";

#[allow(
    unsafe_code,
    reason = "loading machine code, of a file which our compiler made and our cache vouches for"
)]
fn mapped(core: &Core, code: &Path) -> Result<Component> {
    // SAFETY: the file begins with what `Compiler::compile` gave for this engine, and bears the seal of this user's host. Nobody
    // else can enter its directory, and this host replaces such files and never writes into one.
    unsafe { Component::deserialize_file(&core.engine, code) }.doing(Kind::Internal, || LOADING)
}

#[allow(unsafe_code, reason = "loading machine code that our own compiler made in this call")]
fn deserialize(core: &Core, code: &[u8]) -> Result<Component> {
    // SAFETY: `code` is what `Compiler::compile` gave just now for this engine.
    unsafe { Component::deserialize(&core.engine, code) }.doing(Kind::Internal, || LOADING)
}

/// The full name of one of our interfaces.
fn interface(name: &str) -> String {
    format!("{}{name}@{}", abi::PACKAGE, abi::VERSION)
}

fn check_world(facts: &Facts) -> Result<()> {
    if facts.exports("plugin") && !facts.roles().is_empty() {
        return Ok(());
    }
    let ours: Vec<&str> = facts.exports.iter().filter_map(|e| e.strip_prefix(abi::PACKAGE)).collect();
    let other = ours.iter().filter_map(|e| e.split_once('@')).find(|(_, version)| *version != abi::VERSION);
    Err(Error::invalid(match other {
        Some((_, version)) => format!(
            "it was built for version {version} of the plugin contract, and this host speaks {}: \
             use a streamhost of that version, or build the plugin again with this one's SDK",
            abi::VERSION
        ),
        None if facts.exports("plugin") => format!(
            "it exports {} and nothing to be used as, such as `transform` or `foreach-batch`",
            ours.join(", ")
        ),
        None => format!(
            "it is a component, and not a streamhost plugin: it does not export {}",
            interface("plugin")
        ),
    }))
}

fn unlinkable(error: &wasmtime::Error) -> Error {
    let what = text::shown(&format!("{error:#}"), text::MESSAGE);
    if what.contains("wasi:http/") && !http::BUILT_IN {
        return Error::invalid(http::ABSENT);
    }
    Error::invalid(format!("it needs what no plugin is given, such as sockets, or another contract: {what}"))
}
