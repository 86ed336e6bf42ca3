use crate::runtime;
use engine::{Error, Kind, Result, ResultExt};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use std::{
    io::{self, Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
};
use wasmtime::Engine;

/// The hidden command under which the binary is to call [`compile_child`].
pub const COMPILE_COMMAND: &str = "compile-plugin-in-child";

/// The largest component that is loaded, in bytes.
pub(crate) const LARGEST: u64 = 64 << 20;

/// What is kept of a compiler's complaint, in bytes.
const COMPLAINT: u64 = 4 << 10;

/// Who compiles a component to machine code. Compiling has no bounds of its own, so a hostile component can make it
/// take all memory and all day.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// A process of its own with limits on time and memory.
    Child {
        /// Is started with [`COMPILE_COMMAND`] and the numbers of `limits` as its arguments, in the order of the fields,
        /// and must call [`compile_child`] with them.
        executable: PathBuf,
        /// What one component may take.
        limits: CompileLimits,
    },
    /// This process, without limits: for components that are trusted, as in tests.
    InProcess,
}

/// What compiling one component may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Seconds on a processor.
    pub cpu_seconds: u64,
    /// Bytes of address space.
    pub memory: u64,
}

impl Default for CompileLimits {
    /// A minute and a gibibyte.
    fn default() -> Self {
        CompileLimits { cpu_seconds: 60, memory: 1 << 30 }
    }
}

impl Compiler {
    /// Machine code of the component in `wasm`, in wasmtime's own format.
    pub(crate) fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>> {
        match self {
            Compiler::InProcess => precompile(engine, wasm).map_err(refused),
            Compiler::Child { executable, limits } => in_child(executable, *limits, wasm),
        }
    }
}

/// The whole life of the compiling process: takes the component from standard input, writes machine code to standard
/// output, or a complaint to standard error. It limits itself before it looks at a byte.
pub fn compile_child(limits: CompileLimits) -> ExitCode {
    match limit_self(limits).and_then(|()| read_compile_write()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            let _ = writeln!(io::stderr(), "{complaint}");
            ExitCode::FAILURE
        }
    }
}

/// At the first limit of processor time the system sends SIGXCPU, which tells the parent why; the hard one, a second
/// later, can be caught by nobody.
fn limit_self(limits: CompileLimits) -> Result<(), String> {
    let limit = |resource, most, hard| {
        let both = Rlimit { current: Some(most), maximum: Some(hard) };
        setrlimit(resource, both).map_err(|e| format!("limiting the compiler: {e}"))
    };
    limit(Resource::Cpu, limits.cpu_seconds, limits.cpu_seconds + 1)?;
    limit(Resource::As, limits.memory, limits.memory)?;
    limit(Resource::Core, 0, 0)
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

fn in_child(executable: &Path, limits: CompileLimits, wasm: &[u8]) -> Result<Vec<u8>> {
    let CompileLimits { cpu_seconds, memory } = limits;
    let mut child = Command::new(executable)
        .args([COMPILE_COMMAND, &cpu_seconds.to_string(), &memory.to_string()])
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
    Err(refused(ending(status, complaint.trim_end(), limits)))
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

/// Why there is no code. A compiler that is refused memory cannot go on and aborts.
fn ending(status: ExitStatus, complaint: &str, limits: CompileLimits) -> String {
    const OUT_OF_TIME: [i32; 2] = [Signal::XCPU.as_raw(), Signal::KILL.as_raw()];
    match status.signal() {
        None => complaint.to_owned(),
        Some(signal) if OUT_OF_TIME.contains(&signal) => {
            format!("that takes more than the {} s of processor time that it may take", limits.cpu_seconds)
        }
        Some(_) => format!(
            "that takes more than the {} MiB of memory that it may take, or the compiler fails on it ({status}): {complaint}",
            limits.memory >> 20
        ),
    }
}

fn refused(complaint: String) -> Error {
    let complaint = crate::text::shown(&complaint, crate::text::MESSAGE);
    Error::invalid(format!("it does not compile: {complaint}"))
}
