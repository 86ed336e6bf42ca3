//! Functions of plugins that a pipeline's SQL may call.

use crate::{
    file::meant,
    place::Problem,
    planner::{Planner, limits},
    settings::{Limits, Pipeline},
};
use engine::{Error, NamedFunction, Result, sql::check_function_name};
use plugin::FunctionSettings;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// A scalar function of a plugin of world `sql-functions`. Its name is what SQL calls it by, with upper and lower case alike.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { plugin = \"geo.wasm\", function = \"metres\" }"
)]
pub struct Function {
    /// A `.wasm` file, the folder of a plugin's source, which is built when stale, or `name@^1.2` of the registry.
    pub plugin: String,
    /// The function's name in the plugin. Default: the same.
    pub function: Option<String>,
    /// The plugin's own settings; `streamhost inspect` shows their schema.
    #[serde(default)]
    #[schemars(with = "indexmap::IndexMap<String, serde_json::Value>")]
    pub config: toml::Table,
    /// Other limits than the defaults. What an error ends is the query: a function has no rows to put aside.
    #[serde(default)]
    pub limits: Limits,
}

/// Names that no query could call, or that are there already.
pub(crate) fn problems(pipeline: &Pipeline) -> Vec<Problem> {
    let names: Vec<&String> = pipeline.functions.keys().collect();
    let problem = |(at, name): (usize, &&String)| {
        let key = ["functions", name.as_str()];
        if let Err(error) = check_function_name(name) {
            return Some(Problem::at(&key, error.report()));
        }
        let twin = names.iter().take(at).find(|other| other.eq_ignore_ascii_case(name))?;
        let what = format!(
            "SQL does not tell `{name}` from `{twin}`, which is a function already; choose another name"
        );
        Some(Problem::at(&key, what))
    };
    names.iter().enumerate().filter_map(problem).collect()
}

impl Planner {
    /// The functions of the pipeline, bound anew.
    pub(crate) async fn functions(&self) -> Result<Vec<Arc<NamedFunction>>> {
        let mut functions = Vec::with_capacity(self.file().settings.functions.len());
        for (name, settings) in &self.file().settings.functions {
            functions.push(Arc::new(self.function(name, settings).await?));
        }
        Ok(functions)
    }

    async fn function(&self, name: &str, settings: &Function) -> Result<NamedFunction> {
        let at = |key: &[&str], e: Error| {
            let key = [&["functions", name], key].concat();
            self.file().locate(&key, e.while_doing(format!("function `{name}`")))
        };
        let place = format!("functions.{name}");
        let plugin = self.plugin_at(&place, &settings.plugin).await.map_err(|e| at(&["plugin"], e))?;
        let to = FunctionSettings {
            name: name.to_owned(),
            config: self.config(&plugin, &["functions", name, "config"], &settings.config)?,
            limits: limits(&settings.limits),
        };
        let bound = plugin.bind_functions(to).await.map_err(|e| at(&[], e))?;
        let of = settings.function.as_deref().unwrap_or(name);
        let key: &[&str] = if settings.function.is_some() { &["function"] } else { &[] };
        let function = bound.function(of).map_err(|e| {
            let remedy = match meant(of, bound.names()).or(bound.names().next()) {
                Some(meant) => format!("write function = \"{meant}\""),
                None => "give another plugin".into(),
            };
            at(key, Error::invalid(format!("{}; {remedy}", e.report())))
        })?;
        NamedFunction::new(name, function).map_err(|e| at(key, e))
    }
}
