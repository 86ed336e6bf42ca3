//! Reads a pipeline, from a file or from flags, and finds what is wrong with its shape.

use crate::{
    graph::Graph,
    place::{self, Problem, line_column},
    settings::Pipeline,
};
use connectors::{
    files::{Clean, FilesSettings},
    stores,
};
use engine::{Error, Kind, Result, ResultExt};
use serde::{Deserialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

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
    /// Whether it reads again what it may write: the rows that a replay cannot process either.
    pub(crate) replays: bool,
}

/// Looks an environment variable up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl PipelineFile {
    /// Reads and checks a file. In every string, keys aside, `${NAME}` is the environment's value of `NAME`, taken as it is,
    /// and `$${` stands for `${`.
    pub fn read(path: &Path, environment: Environment<'_>) -> Result<Self> {
        let text = std::fs::read_to_string(path).doing(Kind::Invalid, || {
            format!("cannot read the pipeline file {}; give the path of a TOML file", path.display())
        })?;
        let settings = settings(&text, environment).map_err(|(at, what)| {
            Error::invalid(format!("{}:{}: {what}", path.display(), line_column(&text, at)))
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
            .map_err(|e| Error::invalid(format!("flags: {}", in_words(e.message()))))?;
        Self::checked(None, PathBuf::from("."), settings, String::new())
    }

    fn checked(path: Option<PathBuf>, folder: PathBuf, settings: Pipeline, text: String) -> Result<Self> {
        let checked = Graph::resolve(&settings);
        let graph = checked.map_err(|problems| report(path.as_deref(), &text, &problems))?;
        Ok(PipelineFile { path, folder, settings, graph, text, replays: false })
    }

    /// Another pipeline made of this one, that reads what it has put aside.
    pub(crate) fn replaying(&self, settings: Pipeline) -> Result<Self> {
        let graph = Graph::resolve(&settings).map_err(|problems| report(None, "", &problems))?;
        Ok(PipelineFile { settings, graph, replays: true, ..self.clone() })
    }

    /// The error, with file, line and column of `key` in front.
    pub fn locate<K: AsRef<str>>(&self, key: &[K], error: Error) -> Error {
        self.locate_within(key, None, error)
    }

    /// The same, of a line and column of the value.
    pub(crate) fn locate_within<K: AsRef<str>>(
        &self,
        key: &[K],
        within: Option<(usize, usize)>,
        error: Error,
    ) -> Error {
        match &self.path {
            None => error,
            Some(path) => {
                let key: Vec<String> = key.iter().map(|k| k.as_ref().to_owned()).collect();
                let at = place::locate_within(&self.text, &key, within);
                error.while_doing(format!("{}:{at}", path.display()))
            }
        }
    }

    /// A path of the pipeline, from its folder on; an address of an object store as it is.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        // `./` in front would only show up in messages and progress.
        if self.folder == Path::new(".") { path.to_owned() } else { stores::resolve(&self.folder, path) }
    }

    /// The settings of a files source with its paths from the pipeline's folder on.
    pub(crate) fn resolved(&self, files: &FilesSettings) -> FilesSettings {
        let mut files = files.clone();
        files.path = self.resolve(&files.path);
        if let Clean::Archive(folder) = &mut files.clean {
            *folder = self.resolve(folder);
        }
        files
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

/// The error, with the place of `key` in the TOML `text` of the file in front.
pub(crate) fn locate<K: AsRef<str>>(path: &Path, text: &str, key: &[K], error: Error) -> Error {
    let key: Vec<String> = key.iter().map(|k| k.as_ref().to_owned()).collect();
    error.while_doing(format!("{}:{}", path.display(), place::locate(text, &key)))
}

/// What a file says that is no pipeline, but belongs to one. [`Kind::Invalid`], with file, line and column, if it cannot.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let at = line_column(text, e.span().map_or(0, |span| span.start));
        Error::invalid(format!("{}:{at}: {}", path.display(), in_words(e.message())))
    })
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

/// The message of a parser on one line, and without the names of Rust's types.
fn in_words(message: &str) -> String {
    const WORDS: [(&str, &str); 7] = [
        ("expected u64", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u16", "expected a whole number"),
        ("expected usize", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected unit", "expected no value"),
        ("wanted string or table", "expected a word in quotes"),
    ];
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    with_meant(WORDS.iter().fold(line, |line, (rust, words)| line.replace(rust, words)))
}

/// The message about an unknown word, with the known one that was probably meant in front of all that there are.
fn with_meant(message: String) -> String {
    let Some((unknown, known)) = message.split_once(", expected ") else { return message };
    if !unknown.starts_with("unknown ") {
        return message;
    }
    // Every second piece stands between backticks.
    let written = unknown.split('`').nth(1).unwrap_or_default();
    match meant(written, known.split('`').skip(1).step_by(2)) {
        Some(meant) => format!("{unknown}, did you mean `{meant}`? expected {known}"),
        None => message,
    }
}

/// The word of `known` that differs from what is written by the fewest letters, by two at most; but not by every other one.
pub(crate) fn meant<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let most = (written.chars().count() / 2).min(2);
    let distances = known.map(|word| (strsim::osa_distance(written, word), word));
    distances
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// What is wrong, and at which byte of the text.
type Misplaced = (usize, String);

fn settings(text: &str, environment: Environment<'_>) -> Result<Pipeline, Misplaced> {
    let misplaced = |e: toml::de::Error| (e.span().map_or(0, |span| span.start), in_words(e.message()));
    let mut document = DeTable::parse(text).map_err(misplaced)?;
    for (_, value) in document.get_mut().iter_mut() {
        fill_in(value, environment)?;
    }
    Pipeline::deserialize(Deserializer::from(document)).map_err(misplaced)
}

/// Puts environment variables into every string of a value. They are put into what was parsed, so that no value of one can
/// be taken for TOML.
fn fill_in(value: &mut Spanned<DeValue<'_>>, environment: Environment<'_>) -> Result<(), Misplaced> {
    let at = value.span().start;
    match value.get_mut() {
        DeValue::String(text) if text.contains("${") => {
            *text = substitute(text, environment).map_err(|what| (at, what))?.into();
            Ok(())
        }
        DeValue::Array(items) => items.iter_mut().try_for_each(|item| fill_in(item, environment)),
        DeValue::Table(table) => table.iter_mut().try_for_each(|(_, value)| fill_in(value, environment)),
        _ => Ok(()),
    }
}

/// The text with the value of each `${NAME}` in its place.
fn substitute(text: &str, environment: Environment<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        let (name, behind) =
            after.split_once('}').ok_or("`${` without `}`; write ${NAME}, or $${ for the two characters")?;
        out.push_str(before);
        out.push_str(&environment(name).ok_or_else(|| {
            format!("environment variable {name} is not set; set it before the start, or write $${{ for the two characters")
        })?);
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
        let environment = |name: &str| match name {
            "DATA" => Some("in\"put".to_owned()),
            "LINES" => Some("one\n[two]\n${DATA}".to_owned()),
            _ => None,
        };
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
        assert!(
            e.starts_with("4:1: unknown field `form`, did you mean `from`? expected one of `from`, `mode`"),
            "{e}"
        );
    }

    #[test]
    fn the_word_that_was_meant_is_named_if_it_is_near() {
        let source = "[sources.a.rate]\n[sinks.b.noop]\n";
        for (line, says) in [
            ("triger = 'once'", "unknown field `triger`, did you mean `trigger`? expected one of `name`, "),
            ("parallelims = 2", "unknown field `parallelims`, did you mean `parallelism`? expected one of"),
            (
                "restart = { attempt = 5 }",
                "unknown field `attempt`, did you mean `attempts`? expected `attempts` or `backoff`",
            ),
            ("sink = 1", "unknown field `sink`, did you mean `sinks`? expected one of"),
            ("colour = 1", "unknown field `colour`, expected one of"),
            ("x = 1", "unknown field `x`, expected one of"),
        ] {
            let e = error(&format!("{line}\n{source}"));
            assert!(e.split_once(": ").unwrap().1.starts_with(says), "{line}: {e}");
        }
        let e = error(&format!("{source}[sources.c]\non-bad-data = 'dropp'\nrate = {{}}\n"));
        assert!(e.contains("unknown variant `dropp`, did you mean `drop`? expected one of"), "{e}");
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
        let e = error("name = \"${NONE}\"\n");
        assert!(e.starts_with("1:8: environment variable NONE is not set; set it before the start"), "{e}");
        let e = error("name = \"${DATA\"\n");
        assert!(e.starts_with("1:8: `${` without `}`; write ${NAME}"), "{e}");
    }

    #[test]
    fn an_environment_variable_is_put_into_strings_alone_and_as_it_is() {
        let name = |line: &str| {
            let text = format!("# ${{NONE}}\n{line}\n[sources.'a${{NONE}}'.rate]\n[sinks.b.noop]\n");
            // The key is no name, and is shown as it is written.
            let e = error(&text);
            assert!(e.contains("\"a${NONE}\" is no name"), "{e}");
            read(&text.replace("a${NONE}", "a")).unwrap().name()
        };
        assert_eq!(name("name = '${DATA}'"), "in\"put");
        assert_eq!(name("name = \"a ${LINES}\""), "a one\n[two]\n${DATA}");
        assert_eq!(name("name = \"$${DATA} $$ ${DATA}\""), "${DATA} $$ in\"put");
    }

    #[test]
    fn what_comes_behind_an_environment_variable_is_reported_where_it_stands() {
        let e = error("name = \"${LINES}\"\nrestart = { backoff = \"${LINES}\", attempt = 1 }\n");
        assert!(e.starts_with("2:"), "{e}");
        let e = error("name = \"${LINES}\"\nretain-epochs = \"many\"\n");
        assert!(e.starts_with("2:17: invalid type: string \"many\""), "{e}");
    }

    #[test]
    fn every_problem_of_shape_is_reported_in_one_go() {
        let e = error(
            "[sources.a]\n[sources.b.files]\npath = \"x\"\n[steps.s]\nfrom = \"nowhere\"\nplugin = \"p\"\n[sinks.out]\n[sinks.out.noop]\n",
        );
        assert_eq!(
            e,
            "1:10: source `a` has no connector; add one of [sources.a.files], [sources.a.kafka], [sources.a.delta], [sources.a.sql], [sources.a.socket], [sources.a.rate], [sources.a.stdin]\n\
             5:8: there is no source or step `nowhere` above step `s`; there are: a, b"
        );
    }

    #[test]
    fn a_value_of_another_type_is_answered_with_what_to_write() {
        let source = "[sources.a.rate]\n[sinks.b.noop]\n";
        for (line, says) in [
            (
                "retain-epochs = 3\nstop-timeout = 30",
                "2:16: invalid type: integer `30`, expected a length of time, such as \"200ms\" or \"10 minutes\"",
            ),
            (
                "trigger = 5",
                "1:11: invalid type: integer `5`, expected \"asap\", \"available-now\", \"once\", { processing-time = \"10s\" } or { continuous = \"1s\" }",
            ),
            ("trigger = \"sometimes\"", "1:11: \"sometimes\" is none of \"asap\", \"available-now\","),
            (
                "trigger = { processing-time = \"1s\", continuous = \"1s\" }",
                "1:11: there are two; write one of \"asap\",",
            ),
            ("trigger = { continuous = \"soon\" }", "1:11: \"soon\" is not a length of time;"),
            (
                "trigger = { once = true }",
                "1:11: invalid type: boolean `true`, expected no value; write \"asap\",",
            ),
            ("retain-epochs = -1", "1:17: invalid value: integer `-1`, expected a whole number"),
            (
                "restart = 5",
                "1:11: invalid type: integer `5`, expected a table such as { attempts = 5, backoff = \"1s..1m\" }",
            ),
        ] {
            let e = error(&format!("{line}\n{source}"));
            assert!(e.starts_with(says), "{line}: {e}");
        }
        for (setting, says) in [
            (
                "[sources.c]\nmax-per-trigger = 10\nrate = {}",
                "expected { files = 10 }, { bytes = \"64MiB\" } or { rows = 1000 }",
            ),
            (
                "[sources.c]\nmax-per-trigger = { bytes = true }\nrate = {}",
                "expected a number of bytes, such as 1000000 or \"64MiB\"",
            ),
            (
                "[sources.c.files]\npath = \"x\"\nclean = \"archive\"",
                "\"archive\" is none of \"off\", \"delete\" or { archive = \"done\" }",
            ),
            (
                "[sinks.c.console]\ntruncate = \"no\"",
                "expected true, false or a number of characters, such as 40",
            ),
            ("[sinks.c]\nmode = 5", "2:8: expected a word in quotes"),
            ("[sinks]\nc = 5", "expected a table with a connector, such as [sinks.table.files]"),
        ] {
            let e = error(&format!("{setting}\n"));
            assert!(e.contains(says), "{setting}: {e}");
        }
    }
}
