//! CMake projects in C and C++: clang makes a module that speaks the contract by itself, which is wrapped here.

use super::{
    Language, Project,
    component::{self, Further},
    kit,
    tool::{Tool, run},
};
use engine::{Error, Kind, Result, ResultExt};
use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// The world of what the SDK imports beside the contract, in its `wit/panic.wit`.
const PANIC: &str = "streamhost:sdk-c/panic";

pub(super) struct C;

impl Language for C {
    fn name(&self) -> &'static str {
        "C"
    }

    fn manifest(&self) -> &'static str {
        "CMakeLists.txt"
    }

    fn tools(&self, _folder: &Path) -> Vec<Tool> {
        const REMEDY: &str = "install what C needs with `apt-get install clang-19 lld-19 llvm-19 wasi-libc \
                              libclang-rt-19-dev-wasm32 cmake make python3 python3-pip`";
        const VERSION: &[&str] = &["--version"];
        const LIBC: &[&str] = &["--target=wasm32-wasi", "-print-file-name=crt1-reactor.o"];
        const COMPILER_RT: &[&str] =
            &["--target=wasm32-wasi", "-rtlib=compiler-rt", "-print-libgcc-file-name"];
        const PIP: &[&str] = &["-c", "import pip; print(pip.__file__)"];
        vec![
            Tool::program("cmake", VERSION, (3, 20), REMEDY),
            Tool::program("make", VERSION, (4, 0), REMEDY),
            Tool::only("clang-19", VERSION, (19, 1), REMEDY),
            Tool::only("wasm-ld-19", VERSION, (19, 1), REMEDY),
            Tool::only("llvm-ar-19", VERSION, (19, 1), REMEDY),
            Tool::found_by("clang-19", LIBC, "wasi-libc", REMEDY),
            Tool::found_by("clang-19", COMPILER_RT, "libclang-rt-19-dev-wasm32", REMEDY),
            Tool::program("python3", VERSION, (3, 9), REMEDY),
            Tool::found_by("python3", PIP, "python3's module pip", REMEDY),
        ]
    }

    fn brings(&self) -> Vec<String> {
        vec!["nanoarrow's source, with pip".into()]
    }

    fn plugin_name(&self, manifest: &str) -> Result<String> {
        let name = arguments(manifest, "project").and_then(|words| words.first().cloned());
        name.ok_or_else(|| Error::invalid("it has no `project(NAME …)`"))
    }

    fn sources(&self, project: &Project) -> Vec<PathBuf> {
        project.with_sdk(sdk(project), ["include", "src", "cmake", "wit"])
    }

    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        let sdk = sdk(project)?;
        let kept = Kept::of(project, &sdk)?;
        kept.configure(project, &sdk, tell)?;
        let mut make = Command::new("cmake");
        make.arg("--build").arg(&kept.dir).arg("--parallel");
        run(make, tell)?;
        let module = kept.dir.join(format!("{}.core.wasm", project.name));
        let module = fs::read(&module).doing(Kind::Invalid, || {
            format!("reading {}: does CMakeLists.txt make a plugin of the project's name?", module.display())
        })?;
        let panic = sdk.join("wit/panic.wit");
        let panic =
            fs::read_to_string(&panic).doing(Kind::Invalid, || format!("reading {}", panic.display()))?;
        component::of_module(&module, Some(&Further { text: &panic, world: PANIC }))
    }
}

/// Where CMake works: kept, so that what has not changed is not compiled again.
struct Kept {
    dir: PathBuf,
    /// Held by one build at a time.
    _lock: File,
}

impl Kept {
    fn of(project: &Project, sdk: &Path) -> Result<Self> {
        let mut places = DefaultHasher::new();
        (project.absolute(), sdk).hash(&mut places);
        let dir = project.work.join(format!("c-{}-{:016x}", project.name, places.finish()));
        let lock = kit::locked(&dir)?;
        Ok(Kept { dir, _lock: lock })
    }

    fn configure(&self, project: &Project, sdk: &Path, tell: &dyn Fn(&str)) -> Result<()> {
        let mut cmake = Command::new("cmake");
        cmake.arg("-S").arg(project.absolute()).arg("-B").arg(&self.dir);
        cmake.arg(format!("-DCMAKE_TOOLCHAIN_FILE={}", sdk.join("cmake/wasm.cmake").display()));
        cmake.arg("-DCMAKE_BUILD_TYPE=Release");
        cmake.arg(format!("-DSTREAMHOST_CACHE={}", project.work.join("tools").display()));
        // What it has found out about tools that were not right stays with it.
        run(cmake, tell).inspect_err(|_| drop(fs::remove_dir_all(&self.dir)))
    }
}

/// The words in the brackets behind a command of CMake, the first time that it is called with a literal name.
fn arguments(text: &str, command: &str) -> Option<Vec<String>> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once(command) {
        rest = behind;
        let is_word = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let Some(inside) = behind.trim_start().strip_prefix('(').filter(|_| is_word) else { continue };
        let inside = inside.split(')').next().unwrap_or_default();
        let words = inside.split_whitespace().map(|word| word.trim_matches('"').to_owned());
        return Some(words.collect::<Vec<_>>()).filter(|words| !words.is_empty());
    }
    None
}

/// Where the SDK is: what the project adds as a subdirectory.
fn sdk(project: &Project) -> Result<PathBuf> {
    let path = project.folder.join("CMakeLists.txt");
    let text = fs::read_to_string(&path).doing(Kind::Invalid, || format!("reading {}", path.display()))?;
    let named = arguments(&text, "add_subdirectory").and_then(|words| words.first().cloned());
    let named = named.ok_or_else(|| {
        Error::invalid("CMakeLists.txt has no `add_subdirectory(SDK streamhost)`; `streamhost new plugin --lang c` writes one")
    })?;
    let named = named.replace("${CMAKE_CURRENT_SOURCE_DIR}/", "");
    project.sdk(&named, "cmake/wasm.cmake")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_cmake_is_read_as_it_may_be_written() {
        for text in [
            "project(my-filter C)",
            "# project(old)\nproject (\n  \"my-filter\"\n  C)",
            "my_project(x)\nproject(my-filter)",
        ] {
            assert_eq!(arguments(text, "project").unwrap()[0], "my-filter", "{text}");
        }
        for text in ["", "project()", "# project(my-filter)"] {
            assert_eq!(arguments(text, "project"), None, "{text}");
        }
    }
}
