//! What developers run: `cargo xtask test`, `lint`, `long`, `bench`.

use std::{
    env,
    path::{self, Path, PathBuf},
    process::{Command, ExitCode},
};

/// What guests are compiled for.
const TARGET: &str = "wasm32-wasip2";

const USAGE: &str = "usage: cargo xtask COMMAND
  test [ARGS]   everything in its short form; ARGS go to the host's `cargo test`
  lint          formatting, clippy and documentation, all without a warning; gofmt and go vet
  long          the same tests with hundreds of kills, fuzzing for minutes and more seeds
  bench [ARGS]  an optimised build, and the table of speeds: all of it, or --calls, --kafka, --databases, --languages alone; --full is a
                hundred times the data; with --spark beside Spark in the same run
  conformance DIR   every recorded scenario of a folder, against Spark's answers";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let done = match command.as_str() {
        "test" => test(&rest, &[]),
        "lint" => lint(),
        "long" => test(&rest, &[("STREAMHOST_TEST_LONG", "1")]),
        "bench" => bench(&rest),
        "conformance" => conformance(&rest),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), String>;

/// The plugins' own tests first: the host's tests run the plugins.
fn test(args: &[String], environment: &[(&str, &str)]) -> Done {
    wasm_target()?;
    system_packages()?;
    run(cargo(&plugins(), &["test", "--workspace", "--quiet"]))?;
    languages()?;
    let mut host = cargo(&root(), &["test", "--workspace"]);
    host.args(args).envs(environment.iter().copied());
    run(host)
}

/// The SDKs' own tests, each with its language's tools.
fn languages() -> Done {
    run(script("languages.sh"))?;
    let sdk = |name: &str| plugins().join("sdk").join(name);
    for module in go_modules()? {
        run(program("go", &["test", "./..."], &module))?;
    }
    for tools in ["test", "build"] {
        run(program("npm", &["ci", "--no-audit", "--no-fund"], &sdk("js").join(tools)))?;
    }
    run(program("npm", &["test", "--silent"], &sdk("js")))?;
    pytest(&sdk("python"))?;
    let build = target().join("sdk-c");
    let build = build.to_string_lossy();
    // Another checkout may have filled the folder: its cache names its own path.
    run(program("cmake", &["--fresh", "-S", ".", "-B", &build], &sdk("c")))?;
    run(program("cmake", &["--build", &build, "--parallel"], &sdk("c")))?;
    run(program("ctest", &["--test-dir", &build, "--output-on-failure"], &sdk("c")))
}

/// The folders of Go's SDK and of the plugins beside it, each a module of its own.
fn go_modules() -> Result<Vec<PathBuf>, String> {
    let sdk = plugins().join("sdk/go");
    let mut modules = folders_with("go.mod", &sdk.join("conformance"))?;
    modules.insert(0, sdk);
    Ok(modules)
}

/// In an environment of its own: what runs tests of Python, and what looks at its types, is none of its standard library.
fn pytest(sdk: &Path) -> Done {
    let venv = target().join("sdk-python");
    let python = venv.join("bin/python").to_string_lossy().into_owned();
    run(program("python3", &["-m", "venv", &venv.to_string_lossy()], sdk))?;
    run(program(&python, &["-m", "pip", "install", "--quiet", "pytest>=8,<9", "mypy>=1.20,<2"], sdk))?;
    // What it remembers lies outside the SDK, which is a part of the program: cargo would build that anew.
    let cache = venv.join("mypy").to_string_lossy().into_owned();
    run(program(&python, &["-m", "mypy", "--cache-dir", &cache], sdk))?;
    run(program(&python, &["-m", "pytest", "--quiet"], sdk))
}

fn program(name: &str, args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(folder);
    command
}

/// Guests twice: tests are compiled for this machine, and what only a component has, for Wasm.
fn lint() -> Done {
    wasm_target()?;
    system_packages()?;
    for workspace in [root(), plugins()].into_iter().chain(guests()?) {
        run(cargo(&workspace, &["fmt", "--all", "--check"]))?;
        if workspace != root() {
            run(clippy(&workspace, &["--target", TARGET]))?;
        }
        run(clippy(&workspace, &["--all-targets"]))?;
    }
    let mut docs =
        cargo(&root(), &["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]);
    // Private items are documented too, so a link to one leads somewhere.
    docs.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    run(docs)?;
    lint_go()
}

/// The SDK twice, as guests are.
fn lint_go() -> Done {
    run(script("languages.sh"))?;
    let sdk = plugins().join("sdk/go");
    let listed = program("gofmt", &["-l", "."], &sdk).output();
    let listed = listed.map_err(|e| format!("cannot run gofmt, which comes with Go: {e}"))?;
    let said = [listed.stdout, listed.stderr].concat();
    if !listed.status.success() || !said.is_empty() {
        return Err(format!("gofmt -l in {}:\n{}", sdk.display(), String::from_utf8_lossy(&said)));
    }
    for module in go_modules()? {
        run(program("go", &["vet", "./..."], &module))?;
    }
    let mut guest = program("go", &["vet", "./..."], &sdk);
    guest.envs([("GOOS", "wasip1"), ("GOARCH", "wasm")]);
    run(guest)
}

/// The folders of the guests that tests are made with, each a workspace of its own.
fn guests() -> Result<Vec<PathBuf>, String> {
    folders_with("Cargo.toml", &root().join("tests/guests"))
}

/// The folders in this one that have the manifest, in order.
fn folders_with(manifest: &str, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let read = std::fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    let mut folders: Vec<PathBuf> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| folder.join(manifest).is_file());
    folders.sort();
    Ok(folders)
}

fn clippy(workspace: &Path, args: &[&str]) -> Command {
    let mut clippy = cargo(workspace, &["clippy", "--workspace", "--quiet"]);
    clippy.args(args).args(["--", "-D", "warnings"]);
    clippy
}

/// Program and bench in one build: apart, each would build wasmtime with features of its own.
fn bench(args: &[String]) -> Done {
    wasm_target()?;
    let programs = ["--package", "streamhost", "--bin", "streamhost", "--package", "tests", "--bin", "bench"];
    let mut build = cargo(&root(), &["build", "--release", "--quiet", "--features", "streamhost/full"]);
    build.args(programs);
    run(build)?;
    let mut bench = Command::new(target().join("release/bench"));
    for arg in args {
        bench.arg(arg);
        if arg == "--spark" {
            bench.arg(spark(&target().join("spark"))?);
        }
    }
    run(bench)
}

/// Spark in a folder: where it is.
fn spark(folder: &Path) -> Result<&Path, String> {
    let mut setup = Command::new("bash");
    setup.arg(root().join("tests/spark/setup.sh")).arg(folder);
    run(setup)?;
    Ok(folder)
}

/// Built as the tests are, so that nothing is built twice.
fn conformance(args: &[String]) -> Done {
    let mut run_all = cargo(&root(), &["run", "--quiet", "--package", "tests", "--bin", "conformance", "--"]);
    run_all.args(args);
    run(run_all)
}

/// The connectors to servers are built with a library of the system.
fn system_packages() -> Done {
    run(script("build.sh"))
}

/// A script that sees to it that something of the system is there.
fn script(name: &str) -> Command {
    let mut script = Command::new("bash");
    script.arg(root().join("tests/services").join(name));
    script
}

/// Plugins are built for a target that a fresh toolchain may not have.
fn wasm_target() -> Done {
    let library = Command::new("rustc")
        .current_dir(root())
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let there = library.is_ok_and(|out| Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_dir());
    if there {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.current_dir(root()).args(["target", "add", TARGET]);
    run(add)
}

fn cargo(workspace: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace).args(args);
    // What cargo says of this package to `cargo run` would make build scripts of dependencies run anew, and all above them.
    let of_this = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars().filter(|(name, _)| of_this(name)) {
        command.env_remove(name);
    }
    if workspace != root()
        && let Some(shared) = env::var_os("CARGO_TARGET_DIR")
    {
        // Two workspaces in one directory would build each other's dependencies away.
        command.env("CARGO_TARGET_DIR", Path::new(&shared).join("plugins"));
    }
    command
}

fn run(mut command: Command) -> Done {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let shown = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("$ {shown}");
    let status = command.status().map_err(|e| format!("cannot run {shown}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("failed: {shown}: {status}")) }
}

/// Where the tests are, as cargo says it now: a shared target directory may have this program from another checkout.
fn root() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
        .join("../..")
}

/// Where everything is built.
fn target() -> PathBuf {
    let given = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    // Commands run in other folders.
    path::absolute(&given).unwrap_or(given)
}

fn plugins() -> PathBuf {
    root().join("plugins")
}
