use crate::runtime;
use engine::{Error, Kind, Result, ResultExt};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::PathBuf,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
};
use wasmtime::Engine;

/// The hidden command under which the binary is to call [`compile_child`].
pub const COMPILE_COMMAND: &str = "compile-plugin-in-child";

/// The largest component that is loaded, in bytes.
pub(crate) const LARGEST: u64 = 64 << 20;

/// Time on a processor that compiling one component may take, in seconds.
const CPU_SECONDS: u64 = 60;
/// Address space that compiling one component may take, in bytes.
const MEMORY: u64 = 1 << 30;
/// What is kept of a compiler's complaint, in bytes.
const COMPLAINT: u64 = 4 << 10;

/// Who compiles a component to machine code. Compiling has no bounds of its own, so a hostile component can make it
/// take all memory and all day.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// A process of its own with limits on time and memory: this executable, started with [`COMPILE_COMMAND`] as its
    /// only argument, which must call [`compile_child`].
    Child(PathBuf),
    /// This process, without limits: for components that are trusted, as in tests.
    InProcess,
}

impl Compiler {
    /// Machine code of the component in `wasm`, in wasmtime's own format.
    pub(crate) fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>> {
        match self {
            Compiler::InProcess => precompile(engine, wasm).map_err(refused),
            Compiler::Child(executable) => in_child(executable.clone().into(), wasm),
        }
    }
}

/// The whole life of the compiling process: takes the component from standard input, writes machine code to standard
/// output, or a complaint to standard error. It limits itself before it looks at a byte.
pub fn compile_child() -> ExitCode {
    match limit_self().and_then(|()| read_compile_write()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            let _ = writeln!(io::stderr(), "{complaint}");
            ExitCode::FAILURE
        }
    }
}

fn limit_self() -> Result<(), String> {
    let limit = |resource, most| {
        let both = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, both).map_err(|e| format!("limiting the compiler: {e}"))
    };
    limit(Resource::Cpu, CPU_SECONDS)?;
    limit(Resource::As, MEMORY)?;
    limit(Resource::Core, 0)
}

fn read_compile_write() -> Result<(), String> {
    let mut wasm = Vec::new();
    io::stdin().take(LARGEST).read_to_end(&mut wasm).map_err(|e| e.to_string())?;
    let engine = runtime::engine().map_err(|e| e.report())?;
    let code = precompile(&engine, &wasm)?;
    io::stdout().write_all(&code).map_err(|e| e.to_string())
}

fn precompile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, String> {
    engine.precompile_component(wasm).map_err(|e| format!("{e:#}"))
}

fn in_child(executable: OsString, wasm: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new(&executable)
        .arg(COMPILE_COMMAND)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing(Kind::Unavailable, || format!("starting {} to compile a plugin", executable.display()))?;
    let (code, complaint) = converse(&mut child, wasm);
    let status = child.wait().doing(Kind::Unavailable, || "waiting for the plugin compiler")?;
    if status.success() {
        return code.doing(Kind::Unavailable, || "reading what the plugin compiler made");
    }
    Err(refused(ending(status, complaint)))
}

/// Writes to and reads from all three pipes at once, as any of them may fill up first.
fn converse(child: &mut Child, wasm: &[u8]) -> (io::Result<Vec<u8>>, String) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|threads| {
        // A child that ends early closes the pipe; its complaint says why.
        threads.spawn(|| stdin.map(|mut pipe| pipe.write_all(wasm)));
        let complaint = threads.spawn(|| {
            let mut text = String::new();
            let _ = stderr.map(|pipe| pipe.take(COMPLAINT).read_to_string(&mut text));
            text
        });
        let mut code = Vec::new();
        let read = stdout.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut code));
        (read.map(|_| code), complaint.join().unwrap_or_default())
    })
}

fn ending(status: ExitStatus, complaint: String) -> String {
    if status.code() == Some(1) {
        return complaint.trim_end().to_owned();
    }
    format!(
        "the compiler was stopped ({status}): it may use {CPU_SECONDS} s of processor time and {} MiB of memory. {}",
        MEMORY >> 20,
        complaint.trim_end()
    )
}

fn refused(complaint: String) -> Error {
    let complaint = crate::text::shown(&complaint, crate::text::MESSAGE);
    Error::invalid(format!("it does not compile: {complaint}"))
}
