//! What `secret:name` and the name of a connection stand for.

use crate::{file::meant, place::Problem, settings::Pipeline};
use connectors::{
    connection::ConnectionSettings,
    secret::Secret,
    stores::{self, Environment},
};
use engine::{Error, Kind, Result, ResultExt};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What a value that stands for a secret begins with.
const SECRET: &str = "secret:";

/// What a URL of SQLite begins with; a path follows.
const SQLITE: &str = "sqlite:";

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { env = \"WAREHOUSE_PASSWORD\" } or { file = \"/run/secrets/warehouse\" }"
)]
pub struct SecretPlace {
    /// An environment variable.
    pub env: Option<String>,
    /// A file, of which a line break at the end is no part.
    pub file: Option<PathBuf>,
}

/// What stands behind the names of a pipeline. Nothing is kept: a secret that has changed is read anew when a query starts
/// again.
pub(crate) struct Secrets<'a> {
    pub(crate) pipeline: &'a Pipeline,
    /// Relative paths start here.
    pub(crate) folder: &'a Path,
    pub(crate) environment: &'a Environment,
}

impl Secrets<'_> {
    /// What a value stands for: if it is `secret:name`, the secret of that name, else itself. The error, of kind
    /// [`Kind::Invalid`], says what to set, and never a secret.
    pub(crate) fn resolve(&self, value: &Secret) -> Result<Secret> {
        let Some(name) = value.expose().strip_prefix(SECRET) else { return Ok(value.clone()) };
        let known = self.pipeline.secrets.keys().map(String::as_str);
        let Some(place) = self.pipeline.secrets.get(name) else {
            return Err(unknown("secret", "secrets", name, known, "{ env = \"NAME\" }"));
        };
        self.read(place).map_err(|e| e.while_doing(format!("secret `{name}`")))
    }

    /// The same of a setting that is a text.
    pub(crate) fn text(&self, value: &str) -> Result<String> {
        Ok(self.resolve(&Secret::new(value))?.expose().to_owned())
    }

    fn read(&self, place: &SecretPlace) -> Result<Secret> {
        if let Some(variable) = &place.env {
            let value = self.environment.get(variable);
            let unset = || format!("environment variable {variable} is not set; set it before the start");
            return value.map(Secret::new).ok_or_else(|| Error::invalid(unset()));
        }
        let path = self.folder.join(place.file.as_deref().unwrap_or(Path::new("")));
        let text = std::fs::read_to_string(&path).doing(Kind::Invalid, || {
            format!("cannot read {}; it is to be a file of text that this user may read", path.display())
        })?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
    }

    /// The connection that a source, a sink or a table names, with what each value of it stands for. A URL is a connection
    /// without a name.
    pub(crate) fn connection(&self, name: &str) -> Result<ConnectionSettings> {
        let settings = match self.pipeline.connections.get(name) {
            Some(settings) => settings.clone(),
            None if name.contains(':') => ConnectionSettings::new(name),
            None => {
                let known = self.pipeline.connections.keys().map(String::as_str);
                return Err(unknown(
                    "connection",
                    "connections",
                    name,
                    known,
                    "{ url = \"sqlite:rows.db\" }",
                ));
            }
        };
        let of = |e: Error| match self.pipeline.connections.contains_key(name) {
            true => e.while_doing(format!("connection `{name}`")),
            false => e,
        };
        let resolved = settings.resolved(|value| self.resolve(value)).map_err(of)?;
        Ok(ConnectionSettings { url: self.in_folder(resolved.url), ..resolved })
    }

    /// The environment, and the options of those connections that are object stores: the credentials for what is kept there.
    pub(crate) fn stores(&self) -> Result<Environment> {
        let mut environment = self.environment.clone();
        let connections = self.pipeline.connections.iter();
        for (name, _) in connections.filter(|(_, settings)| stores::is_store(settings.url.expose())) {
            let ConnectionSettings { url, password, options, timeout } = self.connection(name)?;
            if timeout.is_some() {
                let what = format!(
                    "connection `{name}` is an object store, whose requests have a time of their own; leave `timeout` out"
                );
                return Err(Error::invalid(what));
            }
            if password.is_some() {
                let what = format!(
                    "connection `{name}` is an object store, which takes no password; write its keys as options, such as \
                     options = {{ AWS_SECRET_ACCESS_KEY = \"secret:lake\" }}"
                );
                return Err(Error::invalid(what));
            }
            environment = environment
                .with_store(url.expose(), options)
                .map_err(|e| e.while_doing(format!("connection `{name}`")))?;
        }
        Ok(environment)
    }

    /// The path of a database file starts at the pipeline's folder, as every path does.
    fn in_folder(&self, url: Secret) -> Secret {
        let path = url.expose().strip_prefix(SQLITE).map(|path| path.strip_prefix("//").unwrap_or(path));
        match path {
            Some(path)
                if !path.starts_with('/') && !path.starts_with(':') && self.folder != Path::new(".") =>
            {
                Secret::new(format!("{SQLITE}{}", self.folder.join(path).display()))
            }
            _ => url,
        }
    }
}

fn unknown<'k>(
    kind: &str,
    table: &str,
    name: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    example: &str,
) -> Error {
    let remedy = match meant(name, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.clone().next().is_none() => format!("add [{table}] {name} = {example}"),
        None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Error::invalid(format!("there is no {kind} `{name}`; {remedy}"))
}

/// A secret is kept in one place.
pub(crate) fn problems(pipeline: &Pipeline) -> Vec<Problem> {
    let kept = |place: &SecretPlace| usize::from(place.env.is_some()) + usize::from(place.file.is_some());
    let wrong = pipeline.secrets.iter().filter(|(_, place)| kept(place) != 1);
    wrong
        .map(|(name, _)| {
            let what = format!(
                "secret `{name}` is kept in one place; write {{ env = \"NAME\" }} or {{ file = \"path\" }}"
            );
            Problem::at(&["secrets", name], what)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[secrets]\na = { env = 'A' }\nb = { file = 'b.txt' }\nwarehouse = { env = 'UNSET' }\n\
                        [connections.warehouse]\nurl = 'postgresql://me@host/db'\npassword = 'secret:a'\n\
                        options = { region = 'secret:b', other = 'plain' }\n\
                        [connections.rows]\nurl = 'sqlite:rows.db'\n";

    fn with<T>(folder: &Path, ask: impl FnOnce(Secrets<'_>) -> T) -> T {
        let pipeline: Pipeline = toml::from_str(TEXT).unwrap();
        let environment = Environment::new(|name| (name == "A").then(|| "hunter2".to_owned()));
        ask(Secrets { pipeline: &pipeline, folder, environment: &environment })
    }

    #[test]
    fn a_secret_comes_from_the_environment_or_a_file_and_other_texts_are_themselves() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b.txt"), "two words\n").unwrap();
        with(dir.path(), |secrets| {
            let resolve = |text: &str| secrets.resolve(&Secret::new(text)).unwrap().expose().to_owned();
            assert_eq!(["secret:a", "secret:b", "a"].map(resolve), ["hunter2", "two words", "a"]);
            let connection = secrets.connection("warehouse").unwrap();
            assert_eq!(connection.password.as_ref().unwrap().expose(), "hunter2");
            assert_eq!(connection.options["region"].expose(), "two words");
            assert!(!format!("{connection:?}").contains("hunter2"));
        });
    }

    #[test]
    fn what_a_secret_lacks_is_said_with_the_name_that_was_probably_meant() {
        with(Path::new("/nowhere"), |secrets| {
            let error = |text: &str| secrets.resolve(&Secret::new(text)).unwrap_err().report();
            assert_eq!(
                error("secret:warehuose"),
                "there is no secret `warehuose`; did you mean `warehouse`?"
            );
            assert_eq!(error("secret:zebra"), "there is no secret `zebra`; there are: a, b, warehouse");
            assert!(error("secret:warehouse").contains("environment variable UNSET is not set"));
            assert!(error("secret:b").starts_with("secret `b`: cannot read /nowhere/b.txt"));
            let error = secrets.connection("warehous").unwrap_err().report();
            assert_eq!(error, "there is no connection `warehous`; did you mean `warehouse`?");
        });
    }

    #[test]
    fn a_database_file_lies_in_the_folder_of_the_pipeline() {
        with(Path::new("/jobs"), |secrets| {
            let url = |name: &str| secrets.connection(name).unwrap().url.expose().to_owned();
            assert_eq!(url("rows"), "sqlite:/jobs/rows.db");
            assert_eq!(url("sqlite://other.db?mode=ro"), "sqlite:/jobs/other.db?mode=ro");
            assert_eq!(url("sqlite:/data/other.db"), "sqlite:/data/other.db");
        });
    }

    #[test]
    fn a_secret_that_is_kept_nowhere_or_twice_is_refused() {
        let pipeline: Pipeline =
            toml::from_str("[secrets]\na = {}\nb = { env = 'B', file = 'b' }\nc = { env = 'C' }\n").unwrap();
        let keys: Vec<Vec<String>> = problems(&pipeline).into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, [["secrets", "a"], ["secrets", "b"]]);
    }
}
