//! What builds a language and is not there, or is too old, is named with what brings it.

use crate::binary::{command, ok, root, run, text, write};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A manifest of each language, all that its build looks for, in this order, and what brings it.
struct Language {
    manifest: &'static str,
    source: &'static str,
    needs: &'static [Need],
    remedy: &'static str,
}

/// What it is called, the program that is asked for it, a word of the question, and an answer that will do.
type Need = (&'static str, &'static str, &'static str, &'static str);

const LANGUAGES: [Language; 5] = [
    Language {
        manifest: "Cargo.toml",
        source: "[package]\nname = \"p\"\n",
        needs: &[
            ("cargo", "cargo", "--version", "cargo 1.95.0 (f2d3ce0bd 2026-03-21)"),
            ("rustc", "rustc", "--version", "rustc 1.95.0 (59807616e 2026-04-14)"),
            // It brings what plugins are compiled for, which is not there.
            ("rustup", "rustup", "--version", "rustup 1.29.0 (28d1352db 2026-03-05)"),
        ],
        remedy: "rustup update",
    },
    Language {
        manifest: "go.mod",
        source: "module p\n",
        needs: &[("go", "go", "version", "go version go1.26.8 linux/amd64")],
        remedy: "apt-get install golang",
    },
    Language {
        manifest: "package.json",
        source: "{\"name\": \"p\"}",
        needs: &[("node", "node", "--version", "v22.1.0"), ("npm", "npm", "--version", "10.9.0")],
        remedy: "apt-get install nodejs npm",
    },
    Language {
        manifest: "pyproject.toml",
        source: "[project]\nname = \"p\"\n",
        needs: &[
            ("python3", "python3", "--version", "Python 3.13.5"),
            ("python3's module venv", "python3", "ensurepip", "/"),
        ],
        remedy: "apt-get install python3 python3-venv",
    },
    Language {
        manifest: "CMakeLists.txt",
        source: "project(p C)\n",
        needs: &[
            ("cmake", "cmake", "--version", "cmake version 3.25.1"),
            ("make", "make", "--version", "GNU Make 4.3"),
            ("clang-19", "clang-19", "--version", "Debian clang version 19.1.7 (3)"),
            ("wasm-ld-19", "wasm-ld-19", "--version", "Debian LLD 19.1.7"),
            ("llvm-ar-19", "llvm-ar-19", "--version", "Debian LLVM version 19.1.7"),
            ("wasi-libc", "clang-19", "crt1-reactor.o", "/"),
            ("libclang-rt-19-dev-wasm32", "clang-19", "libgcc", "/"),
            ("python3", "python3", "--version", "Python 3.11.2"),
            ("python3's module pip", "python3", "import pip", "/"),
        ],
        remedy: "apt-get install clang-19 lld-19 llvm-19 wasi-libc libclang-rt-19-dev-wasm32 cmake make python3 python3-pip",
    },
];

/// A folder with programs that answer this, and fail for whatever else they are asked.
fn programs<'a>(needs: impl IntoIterator<Item = &'a Need>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (_, program, word, answer) in needs {
        let path = folder.path().join(program);
        let before = fs::read_to_string(&path).unwrap_or_else(|_| "#!/bin/sh\n".into());
        let before = before.trim_end_matches(UNKNOWN);
        write(&path, format!("{before}case \"$*\" in *'{word}'*) echo '{answer}'; exit;; esac\n{UNKNOWN}"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

const UNKNOWN: &str = "echo 'no network' >&2; exit 1\n";

/// What `doctor` and `build` say of a folder with a manifest where there are these programs alone.
fn said(language: &Language, programs: &Path) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join(language.manifest), language.source);
    ["doctor", "build"].map(|verb| {
        let output = command(folder.path(), [verb, "."]).env("PATH", programs).output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        said
    })
}

#[test]
fn whatever_is_missing_is_named_with_what_brings_it_by_the_doctor_and_by_a_build() {
    for language in &LANGUAGES {
        for missing in language.needs {
            let programs = programs(language.needs.iter().filter(|need| *need != missing));
            let [doctor, build] = said(language, programs.path());
            for said in [&doctor, &build] {
                assert!(said.contains(missing.0) && said.contains(": it is missing; install"), "{said}");
                assert!(said.contains(language.remedy), "{said}");
            }
            assert!(doctor.contains(": not ready\n"), "{doctor}");
            assert!(build.contains("building the plugin in ."), "{build}");
            assert!(build.contains(&format!(" is built with {}", missing.0)), "{build}");
        }
        let programs = programs(language.needs);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path().join(language.manifest), language.source);
        let output = command(folder.path(), ["doctor", "."]).env("PATH", programs.path()).output().unwrap();
        assert!(text(&output.stdout).contains(": ready\n"), "{}", text(&output.stdout));
    }
}

#[test]
fn whatever_is_too_old_is_named_with_its_version_and_what_brings_another() {
    for language in &LANGUAGES {
        for old in language.needs.iter().filter(|(.., answer)| *answer != "/") {
            let needs = language.needs.iter().map(|need| match need == old {
                true => (old.0, old.1, old.2, "version 0.9.1"),
                false => *need,
            });
            let programs = programs(&needs.collect::<Vec<_>>());
            for said in said(language, programs.path()) {
                assert!(said.contains(&format!("{} ", old.0)) && said.contains(": it is 0.9.1; "), "{said}");
                assert!(said.contains(language.remedy), "{said}");
            }
        }
    }
}

/// Builds a new plugin with no tools that a build has brought, and with these programs before all others, which bring none.
#[track_caller]
fn says_before_it_brings(lang: &str, brings: &str, needs: &[Need]) {
    let folder = tempfile::tempdir().unwrap();
    ok(folder.path(), ["new", "plugin", "p", "--lang", lang]);
    let programs = programs(needs);
    let others = std::env::var_os("PATH").unwrap();
    let path = [programs.path().to_owned()].into_iter().chain(std::env::split_paths(&others));
    let mut build = command(folder.path(), ["build", "p"]);
    build
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("CARGO_TARGET_DIR", folder.path().join("work"));
    let said = text(&build.output().unwrap().stderr);
    let places = [brings, "no network", "building the plugin in p"].map(|words| said.find(words));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{said}");
}

#[test]
fn a_build_says_what_it_brings_before_it_does() {
    let [rust, _, js, python, c] = LANGUAGES.map(|language| language.needs);
    says_before_it_brings("rust", "installing Rust's target wasm32-wasip2", rust);
    says_before_it_brings("js", "installing componentize-qjs, esbuild and assemblyscript with npm", js);
    says_before_it_brings("python", "installing componentize-py==", python);
    let of_python: Vec<Need> = c.iter().filter(|need| need.1 == "python3").copied().collect();
    says_before_it_brings("c", "downloading the source package nanoarrow-", &of_python);
}

#[test]
fn a_dependency_in_javascript_that_is_added_later_is_installed_too() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    ok(dir, ["new", "plugin", "p", "--lang", "js"]);
    let (manifest, source) = (dir.join("p/package.json"), dir.join("p/src/plugin.js"));
    for name in ["one", "two"] {
        let about = format!("{{\"name\": \"{name}\", \"version\": \"1.0.0\", \"type\": \"module\"}}");
        write(dir.join(name).join("package.json"), about);
        write(dir.join(name).join("index.js"), "export const more = 1;\n");
        let text = fs::read_to_string(&manifest).unwrap();
        let asks = format!("\"dependencies\": {{ \"{name}\": \"file:../{name}\",");
        write(&manifest, text.replace("\"dependencies\": {", &asks));
        let text = fs::read_to_string(&source).unwrap();
        write(&source, format!("import {{ more as {name} }} from \"{name}\";\n{text}\n{name};\n"));
        let output = run(dir, ["build", "p"]);
        let said = text_of(&output);
        assert!(
            output.status.success() && said.contains("installing the plugin's packages"),
            "{name}: {said}"
        );
    }
    write(&source, fs::read_to_string(&source).unwrap() + "\n");
    let said = text_of(&run(dir, ["build", "p"]));
    assert!(!said.contains("installing"), "{said}");
}

fn text_of(output: &std::process::Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// Builds a new plugin, in whose component no name of a place on this machine may be.
#[track_caller]
fn names_no_place_of_its_author(lang: &str) {
    let folder = tempfile::tempdir().unwrap();
    ok(folder.path(), ["new", "plugin", "p", "--lang", lang]);
    ok(folder.path(), ["build", "p"]);
    let component = fs::read(folder.path().join("p/p.wasm")).unwrap();
    let work = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    // The interpreter that componentize-py brings names a home, of whoever built it, which may be called as this one.
    let home = std::env::home_dir().filter(|_| lang != "python");
    let places = [Some(folder.path().to_owned()), home, work, Some(root())];
    for place in places.into_iter().flatten() {
        let name = format!("{}/", place.display());
        let at = component.windows(name.len()).position(|bytes| bytes == name.as_bytes());
        let there = at.map(|at| text(&component[at..component.len().min(at + 200)]));
        assert_eq!(there, None, "{lang}");
    }
}

#[test]
fn a_component_of_rust_names_no_place_of_its_author() {
    names_no_place_of_its_author("rust");
}

#[test]
fn a_component_of_go_names_no_place_of_its_author() {
    names_no_place_of_its_author("go");
}

#[test]
fn a_component_of_javascript_names_no_place_of_its_author() {
    names_no_place_of_its_author("js");
}

#[test]
fn a_component_of_python_names_no_place_of_its_author() {
    names_no_place_of_its_author("python");
}

#[test]
fn a_component_of_c_names_no_place_of_its_author() {
    names_no_place_of_its_author("c");
}

#[test]
fn the_doctor_looks_at_every_language() {
    let all = ok(".", ["doctor"]);
    for language in ["Rust: ready\n", "Go: ready\n", "JavaScript: ready\n", "Python: ready\n", "C: ready\n"] {
        assert!(all.contains(language), "{language} in\n{all}");
    }
}

#[test]
fn build_watch_builds_again_after_each_change_and_goes_on_after_one_that_does_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    ok(folder.path(), ["new", "plugin", "watched", "--lang", "c"]);
    let mut watch = command(folder.path(), ["build", "watched", "--watch"]);
    watch.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = crate::binary::Running(watch.spawn().unwrap());
    let mut built = lines(child.0.stdout.take().unwrap());
    let mut said = lines(child.0.stderr.take().unwrap());
    let source = folder.path().join("watched/plugin.c");
    assert_eq!(built.next().unwrap(), "watched/watched.wasm");
    let right = fs::read_to_string(&source).unwrap();
    fs::write(&source, format!("{right}\nthis is no C;\n")).unwrap();
    assert!(said.any(|line| line.contains("error: ") && line.contains("building the plugin in watched")));
    fs::write(&source, format!("{right}\n")).unwrap();
    assert_eq!(built.next().unwrap(), "watched/watched.wasm");
}

fn lines(from: impl std::io::Read) -> impl Iterator<Item = String> {
    std::io::BufRead::lines(std::io::BufReader::new(from)).map_while(Result::ok)
}
