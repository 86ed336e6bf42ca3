//! Programs that builds run: whether they are there, which version they are, and what they say when they fail.

use engine::{Error, Kind, Result, ResultExt};
use semver::Version;
use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, pipe},
    path::Path,
    process::{Command, Stdio},
};

/// Lines of a tool that an error shows: the last ones.
const LINES_SHOWN: usize = 40;

/// A program that has to be installed.
pub(super) struct Tool {
    pub(super) program: &'static str,
    /// What makes it tell its version.
    pub(super) ask: &'static [&'static str],
    /// The first version that will do.
    pub(super) least: Version,
    /// The first version that will not do any more, if there is one.
    pub(super) below: Option<Version>,
    /// What brings it, as the end of a sentence: "install it with …".
    pub(super) remedy: &'static str,
}

/// How a look for a tool ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Fits(Version),
    Other(Version),
    /// There is such a program, and what it says has no version in it.
    Unknown(String),
    Missing,
}

impl Tool {
    /// Looks for it as the build in `folder` would find it: tools may have versions for a folder.
    pub(super) fn find(&self, folder: &Path) -> Found {
        let mut command = Command::new(self.program);
        let Ok(said) = command.args(self.ask).current_dir(folder).stdin(Stdio::null()).output() else {
            return Found::Missing;
        };
        // A shim of a version manager is there although what it stands for is not.
        if !said.status.success() {
            return Found::Missing;
        }
        let text = String::from_utf8_lossy(&said.stdout);
        match version(&text) {
            Some(version) if self.fits(&version) => Found::Fits(version),
            Some(version) => Found::Other(version),
            None => Found::Unknown(text.lines().next().unwrap_or_default().to_owned()),
        }
    }

    fn fits(&self, version: &Version) -> bool {
        *version >= self.least && self.below.as_ref().is_none_or(|below| version < below)
    }

    /// Fails with kind `Invalid`, naming what to do, unless it is there in a version that will do.
    pub(super) fn check(&self, language: &str, folder: &Path) -> Result<()> {
        let found = self.find(folder);
        let found = match found {
            Found::Fits(_) => return Ok(()),
            Found::Missing => format!("which is not installed; {}", self.remedy),
            Found::Other(version) => format!("and the one found is {version}; {}", self.remedy),
            Found::Unknown(said) => format!("and the one found says {said:?} for a version; {}", self.remedy),
        };
        Err(Error::invalid(format!("a plugin in {language} is built with {}, {found}", self.wanted())))
    }

    /// Name and versions, as in "go 1.24 or newer".
    pub(super) fn wanted(&self) -> String {
        let short = |version: &Version| match version.patch {
            0 => format!("{}.{}", version.major, version.minor),
            _ => version.to_string(),
        };
        match &self.below {
            Some(below) => format!("{} from {} to before {}", self.program, short(&self.least), short(below)),
            None => format!("{} {} or newer", self.program, short(&self.least)),
        }
    }
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

/// Runs a tool to its end. Each line that it writes goes to `tell`; the error has the last ones.
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
    let mut last = VecDeque::new();
    for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        tell(&line);
        last.push_back(line);
        if last.len() > LINES_SHOWN {
            last.pop_front();
        }
    }
    let status = child.wait().doing(Kind::Unavailable, || format!("waiting for {tool}"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::invalid(format!("{tool} failed:\n{}", Vec::from(last).join("\n"))))
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

    fn tool(program: &'static str, least: u64, below: Option<u64>) -> Tool {
        Tool {
            program,
            ask: &["version 7.2.1"],
            least: Version::new(least, 0, 0),
            below: below.map(|below| Version::new(below, 0, 0)),
            remedy: "install it with `get it`",
        }
    }

    #[test]
    fn a_tool_that_is_missing_old_or_too_new_is_named_with_its_remedy() {
        let here = Path::new(".");
        let report = |tool: Tool| tool.check("Fortran", here).err().map(|e| e.report());
        assert_eq!(report(tool("echo", 7, Some(8))), None);
        for (tool, said) in [
            (tool("no-such-program", 7, None), "no-such-program 7.0 or newer, which is not installed"),
            (tool("echo", 8, None), "echo 8.0 or newer, and the one found is 7.2.1"),
            (tool("echo", 6, Some(7)), "echo from 6.0 to before 7.0, and the one found is 7.2.1"),
            (Tool { ask: &["what?"], ..tool("echo", 6, None) }, "says \"what?\" for a version"),
        ] {
            let report = report(tool).unwrap();
            assert!(report.starts_with("a plugin in Fortran is built with "), "{report}");
            assert!(report.contains(said) && report.ends_with("install it with `get it`"), "{report}");
        }
    }

    #[test]
    fn a_tool_that_fails_is_quoted_whichever_way_it_spoke() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let told = std::cell::RefCell::new(Vec::new());
        let error = run(command, &|line| told.borrow_mut().push(line.to_owned())).err().unwrap();
        assert_eq!(told.into_inner(), ["out", "err"]);
        assert_eq!(error.report(), "sh failed:\nout\nerr");
    }
}
