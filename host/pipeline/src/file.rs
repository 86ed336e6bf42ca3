//! Reads a pipeline, from a file or from flags, and finds what is wrong with its shape.

use crate::{
    graph::Graph,
    place::{self, Problem, line_column},
    settings::Pipeline,
};
use engine::{Error, Kind, Result, ResultExt};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A pipeline whose shape is right: every name it mentions exists, every source and sink has one connector.
#[derive(Clone, Debug)]
pub struct PipelineFile {
    /// The file; none if it was made from flags.
    pub path: Option<PathBuf>,
    /// Relative paths start here.
    pub folder: PathBuf,
    /// What it says.
    pub settings: Pipeline,
    /// Who reads from whom.
    pub graph: Graph,
    text: String,
}

/// Looks an environment variable up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl PipelineFile {
    /// Reads and checks a file. `${NAME}` in a string is the environment's value of `NAME`.
    pub fn read(path: &Path, environment: Environment<'_>) -> Result<Self> {
        let raw = std::fs::read_to_string(path).doing(Kind::Invalid, || {
            format!("cannot read the pipeline file {}; give the path of a TOML file", path.display())
        })?;
        let text = substitute(&raw, path, environment)?;
        let settings = toml::from_str(&text).map_err(|e| {
            let at = line_column(&text, e.span().map_or(0, |span| span.start));
            Error::invalid(format!("{}:{at}: {}", path.display(), one_line(e.message())))
        })?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        Self::checked(Some(path.to_owned()), folder, settings, text)
    }

    /// A pipeline that flags describe, as the table that a file with the same content would be. Relative paths
    /// start at the working directory.
    pub fn from_table(table: toml::Table) -> Result<Self> {
        let settings = Pipeline::deserialize(table)
            .map_err(|e| Error::invalid(format!("flags: {}", one_line(e.message()))))?;
        Self::checked(None, PathBuf::from("."), settings, String::new())
    }

    fn checked(path: Option<PathBuf>, folder: PathBuf, settings: Pipeline, text: String) -> Result<Self> {
        let checked = Graph::resolve(&settings);
        let graph = checked.map_err(|problems| report(path.as_deref(), &text, &problems))?;
        Ok(PipelineFile { path, folder, settings, graph, text })
    }

    /// The error, with file, line and column of `key` in front.
    pub fn locate<K: AsRef<str>>(&self, key: &[K], error: Error) -> Error {
        match &self.path {
            None => error,
            Some(path) => {
                let key: Vec<String> = key.iter().map(|k| k.as_ref().to_owned()).collect();
                error.while_doing(format!("{}:{}", path.display(), place::locate(&self.text, &key)))
            }
        }
    }

    /// A path of the pipeline, from its folder on.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        // `./` in front would only show up in messages and progress.
        if self.folder == Path::new(".") { path.to_owned() } else { self.folder.join(path) }
    }

    /// The query's name: as set, or the name of the folder that the file is in.
    pub fn name(&self) -> String {
        let folder = || {
            let folder = self.folder.canonicalize().ok()?;
            Some(folder.file_name()?.to_string_lossy().into_owned())
        };
        self.settings.name.clone().or_else(folder).unwrap_or_else(|| "query".into())
    }
}

fn report(path: Option<&Path>, text: &str, problems: &[Problem]) -> Error {
    match path {
        Some(path) => place::report(path, text, problems),
        None => {
            let lines: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
            Error::invalid(lines.join("\n"))
        }
    }
}

/// serde lists what it expected on several lines; an error line of ours is one line.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts environment variables in, escaped as a TOML basic string wants them.
fn substitute(text: &str, path: &Path, environment: Environment<'_>) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let at = line_column(text, text.len() - rest.len() + before.len());
        let invalid = |what: String| Error::invalid(format!("{}:{at}: {what}", path.display()));
        let Some((name, behind)) = after.split_once('}') else {
            return Err(invalid("`${` without `}`; write ${NAME}".into()));
        };
        let value = environment(name).ok_or_else(|| {
            invalid(format!("environment variable {name} is not set; set it before the start"))
        })?;
        out.push_str(before);
        out.push_str(&value.replace('\\', "\\\\").replace('"', "\\\""));
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PipelineFile> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipeline.toml");
        std::fs::write(&path, text).unwrap();
        let environment = |name: &str| (name == "DATA").then(|| "in\"put".to_owned());
        PipelineFile::read(&path, &environment)
    }

    fn error(text: &str) -> String {
        let error = read(text).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        let report = error.report();
        report.lines().map(|l| l.rsplit_once("/pipeline.toml:").unwrap().1).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_misspelled_key_is_reported_with_line_and_column() {
        let e = error("[sources.a.files]\npath = \"x\"\n[sinks.out]\nform = \"a\"\n[sinks.out.noop]\n");
        assert!(e.starts_with("4:1: unknown field `form`, expected one of"), "{e}");
    }

    #[test]
    fn a_wrong_type_is_reported_with_line_and_column() {
        let e = error("retain-epochs = \"many\"\n");
        assert!(e.starts_with("1:17: invalid type: string \"many\""), "{e}");
    }

    #[test]
    fn environment_variables_are_put_in_and_missing_ones_reported() {
        let file = read("name = \"${DATA}\"\n[sources.a.files]\npath = \"x\"\n[sinks.b.noop]\n").unwrap();
        assert_eq!(file.name(), "in\"put");
        assert_eq!(
            error("name = \"${NONE}\"\n"),
            "1:9: environment variable NONE is not set; set it before the start"
        );
    }

    #[test]
    fn every_problem_of_shape_is_reported_in_one_go() {
        let e = error(
            "[sources.a]\n[sources.b.files]\npath = \"x\"\n[steps.s]\nfrom = \"nowhere\"\nplugin = \"p\"\n[sinks.out]\n[sinks.out.noop]\n",
        );
        assert_eq!(
            e,
            "1:10: source `a` has no connector; add one of [sources.a.files], [sources.a.socket], [sources.a.rate], [sources.a.stdin]\n\
             5:8: there is no source or step `nowhere` above step `s`; there are: a, b"
        );
    }
}
