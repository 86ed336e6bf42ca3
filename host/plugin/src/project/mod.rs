//! A plugin given as the folder of its source: built when it is stale, in whichever language it is written.

mod c;
mod component;
mod doctor;
mod go;
mod javascript;
mod kit;
mod python;
mod rust;
mod sources;
mod tool;
mod watch;

pub use doctor::{Condition, Health, doctor};
pub use watch::Changes;

use engine::{Error, Kind, Result, ResultExt};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tool::{Tool, run};

/// Every language, in the order in which they are named to people.
const LANGUAGES: [&dyn Language; 5] = [&rust::Rust, &go::Go, &javascript::JavaScript, &python::Python, &c::C];

/// A language that plugins are written in: how a folder with it is known, what builds it, and how.
trait Language: Sync {
    /// As people write it.
    fn name(&self) -> &'static str;

    /// The file that makes a folder a plugin in this language.
    fn manifest(&self) -> &'static str;

    /// What has to be installed for a build in `folder`, in the order in which it is looked for.
    fn tools(&self, folder: &Path) -> Vec<Tool>;

    /// What the build brings itself the first time, for the doctor; empty if nothing.
    fn brings(&self) -> Vec<String> {
        Vec::new()
    }

    /// The plugin's name by the text of its manifest; an error says what is missing there.
    fn plugin_name(&self, manifest: &str) -> Result<String>;

    /// Files and folders that the component is made of, the SDK's included. It is stale when one is newer or is not there.
    fn sources(&self, project: &Project) -> Vec<PathBuf>;

    /// Runs the tools; answers the bytes of the component.
    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>>;
}

/// Builds the plugin in `folder` unless its component is newer than everything it is made from, the SDK's source included.
/// Answers where the component is: `<folder>/<name>.wasm`. `tell` is given each line that the tools write meanwhile; what
/// they make on the way stays in `target` under the folder.
///
/// Fails with kind `Invalid` if the folder is no plugin, if a tool that its language needs is missing or too old, or if it
/// does not compile; the error has the last lines that the tool wrote.
pub fn build(folder: &Path, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    build_in(folder, &folder.join("target"), tell)
}

/// As [`build`], with another place for what the tools make on the way, and for the tools that a build brings.
pub fn build_in(folder: &Path, work: &Path, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    let project = Project::open(folder, work)?;
    let component = project.component();
    if !project.is_stale() {
        return Ok(component);
    }
    let building = || format!("building the plugin in {}", folder.display());
    let made = project.made(tell).map_err(|e| e.while_doing(building()))?;
    // Whoever loads the plugin meanwhile finds the old component or the new one, whole.
    let unfinished = component.with_extension(format!("{}.wasm", std::process::id()));
    fs::write(&unfinished, made)
        .and_then(|()| fs::rename(&unfinished, &component))
        .doing(Kind::Unavailable, || format!("writing {}", component.display()))?;
    Ok(component)
}

/// Whether a folder has the source of a plugin.
pub fn is_source(folder: &Path) -> bool {
    language(folder).is_some()
}

/// The language of the plugin whose source is in a folder; none if there is none.
pub fn language_of(folder: &Path) -> Option<&'static str> {
    language(folder).map(Language::name)
}

fn language(folder: &Path) -> Option<&'static dyn Language> {
    LANGUAGES.into_iter().find(|language| folder.join(language.manifest()).is_file())
}

/// A folder with the source of a plugin.
struct Project {
    language: &'static dyn Language,
    /// As it was given.
    folder: PathBuf,
    /// Where tools work; absolute.
    work: PathBuf,
    name: String,
}

impl Project {
    fn open(folder: &Path, work: &Path) -> Result<Self> {
        let language = language(folder).ok_or_else(|| no_source(folder))?;
        let path = folder.join(language.manifest());
        let manifest =
            fs::read_to_string(&path).doing(Kind::Invalid, || format!("reading {}", path.display()))?;
        let name = language
            .plugin_name(&manifest)
            .map_err(|e| e.while_doing(format!("reading {}", path.display())))?;
        check_name(&name).map_err(|e| e.while_doing(format!("reading {}", path.display())))?;
        let work = std::path::absolute(work).unwrap_or_else(|_| work.to_owned());
        Ok(Project { language, folder: folder.to_owned(), work, name })
    }

    /// Where the component is, or will be.
    fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.name))
    }

    /// The folder as seen from anywhere.
    fn absolute(&self) -> PathBuf {
        std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone())
    }

    fn is_stale(&self) -> bool {
        sources::newer(&self.language.sources(self), &self.component())
    }

    /// The project's folder, and these folders of its SDK, if there is one.
    fn with_sdk<const N: usize>(&self, sdk: Result<PathBuf>, folders: [&str; N]) -> Vec<PathBuf> {
        let sdk = sdk.ok().map(|sdk| folders.map(|name| sdk.join(name)));
        sdk.into_iter().flatten().chain([self.absolute()]).collect()
    }

    fn made(&self, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        for tool in self.language.tools(&self.folder) {
            tool.check(self.language.name(), &self.folder)?;
        }
        self.language.build(self, tell)
    }

    /// The folder of the SDK that the manifest names, which is known by a file in it.
    fn sdk(&self, named: &str, file: &str) -> Result<PathBuf> {
        let sdk = self.absolute().join(named);
        if sdk.join(file).exists() {
            return Ok(sdk);
        }
        let (sdk, manifest) = (sdk.display(), self.language.manifest());
        Err(Error::invalid(format!("there is no SDK in {sdk}, where {manifest} has it")))
    }

    /// Runs the command that writes to the path which it is made with; answers what it has written there.
    fn output_of(&self, command: impl FnOnce(&Path) -> Command, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        let scratch = self.scratch()?;
        let path = scratch.0.join("made.wasm");
        let mut command = command(&path);
        command.current_dir(&self.folder);
        run(command, tell)?;
        fs::read(&path).doing(Kind::Unavailable, || "reading what the build has made")
    }

    /// A directory of this project's own for what is made on the way, empty.
    fn scratch(&self) -> Result<Scratch> {
        let dir =
            self.work.join(format!("{}-{}-{}", self.language.manifest(), self.name, std::process::id()));
        let made = fs::remove_dir_all(&dir).or_else(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(e),
        });
        made.and_then(|()| fs::create_dir_all(&dir))
            .doing(Kind::Unavailable, || format!("making the directory {}", dir.display()))?;
        Ok(Scratch(dir))
    }
}

/// A directory that is removed with what is in it.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn no_source(folder: &Path) -> Error {
    let manifests: Vec<String> =
        LANGUAGES.iter().map(|language| format!("{} ({})", language.manifest(), language.name())).collect();
    Error::invalid(format!(
        "{}: a plugin is a .wasm file, or a folder with the source of one: with {}",
        folder.display(),
        manifests.join(", ")
    ))
}

/// The name is that of a file.
fn check_name(name: &str) -> Result<()> {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if letters && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 64 {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name:?} is no name of a plugin; use up to 64 letters, digits, `-`, `_` and `.`, such as my-filter"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(manifest: &str, text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(manifest), text).unwrap();
        folder
    }

    #[test]
    fn a_folder_without_a_manifest_is_no_project() {
        let folder = tempfile::tempdir().unwrap();
        let report = Project::open(folder.path(), folder.path()).err().unwrap().report();
        for manifest in ["Cargo.toml", "go.mod", "package.json", "pyproject.toml", "CMakeLists.txt"] {
            assert!(report.contains(manifest), "{report}");
        }
        assert!(!is_source(folder.path()));
    }

    #[test]
    fn each_manifest_names_language_and_plugin() {
        for (manifest, text, language) in [
            ("Cargo.toml", "[package]\nname = \"my-filter\"\n", "Rust"),
            ("go.mod", "// A filter.\nmodule example.com/plugins/my-filter\n\ngo 1.24\n", "Go"),
            ("package.json", r#"{"name": "@me/my-filter"}"#, "JavaScript"),
            ("pyproject.toml", "[project]\nname = \"my-filter\"\n", "Python"),
            (
                "CMakeLists.txt",
                "# A filter.\ncmake_minimum_required(VERSION 3.20)\nproject( my-filter C)\n",
                "C",
            ),
        ] {
            let folder = folder(manifest, text);
            let project = Project::open(folder.path(), folder.path()).unwrap();
            assert_eq!((project.language.name(), project.name.as_str()), (language, "my-filter"));
            assert!(is_source(folder.path()) && project.is_stale());
        }
    }

    #[test]
    fn an_sdk_is_where_the_manifest_has_it_and_nowhere_else() {
        for (manifest, text, place, file) in [
            (
                "package.json",
                r#"{"name": "p", "dependencies": {"streamhost-sdk": "file:up"}}"#,
                "up",
                "build/main.mjs",
            ),
            ("pyproject.toml", "[project]\nname = \"p\"\n", "vendor/streamhost-sdk", "streamhost/py.typed"),
            (
                "pyproject.toml",
                "[project]\nname = \"p\"\n[tool.streamhost]\nsdk = \"up\"\n",
                "up",
                "streamhost/py.typed",
            ),
            ("CMakeLists.txt", "project(p C)\nadd_subdirectory(up streamhost)\n", "up", "cmake/wasm.cmake"),
        ] {
            let above = folder(manifest, text);
            let (folder, elsewhere) = (above.path().join("p"), above.path().join(file));
            fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
            fs::write(elsewhere, "").unwrap();
            fs::create_dir(&folder).unwrap();
            fs::copy(above.path().join(manifest), folder.join(manifest)).unwrap();
            let project = Project::open(&folder, &folder).unwrap();
            let report = project.language.build(&project, &|_| ()).err().unwrap().report();
            let expected =
                format!("there is no SDK in {}, where {manifest} has it", folder.join(place).display());
            assert_eq!(report, expected);
            let sdk = folder.join(place).join(file);
            fs::create_dir_all(sdk.parent().unwrap()).unwrap();
            fs::write(sdk, "").unwrap();
            assert_eq!(project.sdk(place, file).unwrap(), folder.join(place));
        }
    }

    #[test]
    fn a_manifest_without_a_name_or_with_a_path_for_one_is_refused() {
        for (manifest, text, said) in [
            ("Cargo.toml", "[lib]\n", "no package.name"),
            ("Cargo.toml", "[package]\nname = \"../up\"\n", "no name of a plugin"),
            ("go.mod", "go 1.24\n", "no line `module`"),
            ("go.mod", "module ..\n", "no name of a plugin"),
            ("package.json", "{}", "no `name`"),
            ("package.json", "{", "JSON"),
            ("pyproject.toml", "[project]\n", "no project.name"),
            ("CMakeLists.txt", "add_library(x x.c)\n", "no `project(NAME …)`"),
        ] {
            let folder = folder(manifest, text);
            let report = Project::open(folder.path(), folder.path()).err().unwrap().report();
            assert!(report.contains(said), "{manifest}: {report}");
        }
    }
}
