//! Programs that builds run: whether they are there, which version they are, and what they say when they fail.

use engine::{Error, Kind, Result, ResultExt};
use semver::Version;
use std::{
    io::{BufRead, BufReader, pipe},
    path::Path,
    process::{Command, Stdio},
};

/// What has to be installed: a program, or what a program finds.
#[derive(Clone, Copy)]
pub(super) struct Tool {
    /// As people call it.
    name: &'static str,
    program: &'static str,
    /// What the program is asked.
    ask: &'static [&'static str],
    answer: Answer,
    /// What brings it, as the end of a sentence: "install it with …".
    remedy: &'static str,
}

/// What a program has to answer.
#[derive(Clone, Copy)]
enum Answer {
    /// A version: the first that will do, and the major number of the first that will not do any more, if there is one.
    Version { least: (u64, u64), below: Option<u64> },
    /// The path of what is looked for.
    Path,
}

impl Tool {
    /// A program in this version or a newer one.
    pub(super) const fn program(
        program: &'static str,
        ask: &'static [&'static str],
        least: (u64, u64),
        remedy: &'static str,
    ) -> Self {
        Tool { name: program, program, ask, answer: Answer::Version { least, below: None }, remedy }
    }

    /// A program of which another major version is another program.
    pub(super) const fn only(
        program: &'static str,
        ask: &'static [&'static str],
        least: (u64, u64),
        remedy: &'static str,
    ) -> Self {
        let answer = Answer::Version { least, below: Some(least.0 + 1) };
        Tool { name: program, program, ask, answer, remedy }
    }

    /// A file, library or module whose path a program tells.
    pub(super) const fn found_by(
        program: &'static str,
        ask: &'static [&'static str],
        name: &'static str,
        remedy: &'static str,
    ) -> Self {
        Tool { name, program, ask, answer: Answer::Path, remedy }
    }

    /// Looks for it as the build in `folder` would find it: tools may have versions for a folder. Answers its version or its path,
    /// or else what is wrong and what to do.
    pub(super) fn find(&self, folder: &Path) -> std::result::Result<String, String> {
        self.found(folder).map_err(|problem| format!("{problem}; {}", self.remedy))
    }

    fn found(&self, folder: &Path) -> std::result::Result<String, String> {
        let missing = || "it is missing".to_owned();
        let said = self.said(folder).ok_or_else(missing)?;
        match self.answer {
            Answer::Path if Path::new(&said).is_absolute() && Path::new(&said).exists() => Ok(said),
            Answer::Path => Err(missing()),
            Answer::Version { least, below } => match version(&said) {
                Some(version) if fits(&version, least, below) => Ok(version.to_string()),
                Some(version) => Err(format!("it is {version}")),
                None => Err(format!("it says {:?} for a version", said.lines().next().unwrap_or_default())),
            },
        }
    }

    fn said(&self, folder: &Path) -> Option<String> {
        let mut command = Command::new(self.program);
        let said = command.args(self.ask).current_dir(folder).stdin(Stdio::null()).output().ok()?;
        // A shim of a version manager is there although what it stands for is not.
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }

    /// Fails with kind `Invalid`, naming what to do, unless it is there and will do.
    pub(super) fn check(&self, language: &str, folder: &Path) -> Result<()> {
        self.find(folder).map(drop).map_err(|problem| {
            Error::invalid(format!("a plugin in {language} is built with {}: {problem}", self.wanted()))
        })
    }

    /// Name and versions, as in "go 1.26 or newer".
    pub(super) fn wanted(&self) -> String {
        let name = self.name;
        match self.answer {
            Answer::Path => name.to_owned(),
            Answer::Version { least: (major, minor), below: None } => {
                format!("{name} {major}.{minor} or newer")
            }
            Answer::Version { least: (major, minor), below: Some(below) } => {
                format!("{name} from {major}.{minor} to before {below}.0")
            }
        }
    }
}

fn fits(version: &Version, least: (u64, u64), below: Option<u64>) -> bool {
    (version.major, version.minor) >= least && below.is_none_or(|below| version.major < below)
}

/// The first version in what a tool says of itself: `go version go1.26.8 linux/amd64`, `v22.1.0`, `Debian clang version 19.1.7 (3)`.
fn version(text: &str) -> Option<Version> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',')).find_map(|word| {
        let word = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let digits = word.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
        let mut parts = digits.split('.').map(str::parse::<u64>);
        let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else { return None };
        Some(Version::new(major, minor, parts.next().and_then(Result::ok).unwrap_or(0)))
    })
}

/// Runs a tool to its end. Each line that it writes goes to `tell`; an error does not repeat them.
pub(super) fn run(mut command: Command, tell: &dyn Fn(&str)) -> Result<()> {
    let tool = command.get_program().display().to_string();
    let (said, say) = pipe().doing(Kind::Unavailable, || format!("making a pipe from {tool}"))?;
    let also = say.try_clone().doing(Kind::Unavailable, || format!("making a pipe from {tool}"))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(say)
        .stderr(also)
        .spawn()
        .doing(Kind::Invalid, || format!("starting {tool}: is it installed?"))?;
    // It holds the ends to write to: what is read would never end.
    drop(command);
    for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
        tell(String::from_utf8_lossy(&line).trim_end());
    }
    let status = child.wait().doing(Kind::Unavailable, || format!("waiting for {tool}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::invalid(format!("{tool} failed ({status}): see what it says above"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_say_of_themselves_has_their_version() {
        for (said, expected) in [
            ("go version go1.26.8 linux/amd64", Some((1, 26, 8))),
            ("v22.1.0\n", Some((22, 1, 0))),
            ("Debian clang version 19.1.7 (3)\nTarget: x86_64", Some((19, 1, 7))),
            ("Python 3.13.0rc1", Some((3, 13, 0))),
            ("cargo 1.95 (f2d3ce0bd 2026-03-21)", Some((1, 95, 0))),
            ("(LLD 19.1.7) done", Some((19, 1, 7))),
            ("no version here", None),
        ] {
            let expected = expected.map(|(major, minor, patch)| Version::new(major, minor, patch));
            assert_eq!(version(said), expected, "{said}");
        }
    }

    const ASK: &[&str] = &["version 7.2.1"];
    const REMEDY: &str = "install it with `get it`";

    fn report(tool: Tool) -> Option<String> {
        tool.check("Fortran", Path::new(".")).err().map(|e| e.report())
    }

    #[test]
    fn a_tool_that_is_missing_old_or_too_new_is_named_with_its_remedy() {
        assert_eq!(report(Tool::only("echo", ASK, (7, 1), REMEDY)), None);
        for (tool, said) in [
            (
                Tool::program("no-such-program", ASK, (7, 0), REMEDY),
                "no-such-program 7.0 or newer: it is missing",
            ),
            (Tool::program("false", ASK, (7, 0), REMEDY), "false 7.0 or newer: it is missing"),
            (Tool::program("echo", ASK, (7, 3), REMEDY), "echo 7.3 or newer: it is 7.2.1"),
            (Tool::only("echo", ASK, (6, 0), REMEDY), "echo from 6.0 to before 7.0: it is 7.2.1"),
            (
                Tool::program("echo", &["what?"], (6, 0), REMEDY),
                "echo 6.0 or newer: it says \"what?\" for a version",
            ),
        ] {
            let expected = format!("a plugin in Fortran is built with {said}; {REMEDY}");
            assert_eq!(report(tool).unwrap(), expected);
        }
    }

    #[test]
    fn a_file_is_there_if_the_path_that_a_program_tells_is() {
        assert_eq!(report(Tool::found_by("echo", &["/"], "libfortran", REMEDY)), None);
        for (program, path) in
            [("echo", "/no/such/file"), ("echo", "Cargo.toml"), ("echo", ""), ("false", "/")]
        {
            let ask: &'static [&'static str] = Box::leak(Box::new([path]));
            assert_eq!(
                report(Tool::found_by(program, ask, "libfortran", REMEDY)).unwrap(),
                format!("a plugin in Fortran is built with libfortran: it is missing; {REMEDY}")
            );
        }
    }

    #[test]
    fn what_a_tool_says_is_told_whichever_way_it_spoke_and_an_error_says_how_it_ended() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let told = std::cell::RefCell::new(Vec::new());
        let error = run(command, &|line| told.borrow_mut().push(line.to_owned())).err().unwrap();
        assert_eq!(told.into_inner(), ["out", "err"]);
        assert_eq!(error.report(), "sh failed (exit status: 3): see what it says above");
    }
}
