//! Sinks that are plugins: what each writes to is a sink of its own.

use crate::{
    graph::of_sink,
    place::Problem,
    planner::{Planner, limits},
    settings::{PluginSink, Sink},
};
use arrow::datatypes::SchemaRef;
use connectors::formats::ddl;
use engine::{Error, Port, Result};
use plugin::{BoundSink, Grant, SinkSettings};
use std::sync::Arc;

/// What is wrong with the outputs of a plugin by themselves: each is a sink, but for where its rows come from.
pub(crate) fn problems(sink: &str, settings: &Sink) -> Vec<Problem> {
    let outputs = settings.plugin.iter().flat_map(|plugin| &plugin.outputs);
    let problem = |(name, output): (&String, &Sink)| {
        let at = |key: &[&str], what: String| {
            let key = [&["sinks", sink, "plugin", "outputs", name], key].concat();
            Some(Problem::at(&key, what))
        };
        let whole = format!("output `{name}` of sink `{sink}`");
        if output.from.is_some() {
            return at(&["from"], format!("{whole} gets its rows from the plugin; leave `from` out"));
        }
        if output.plugin.is_some() {
            return at(&["plugin"], format!("{whole} cannot be a plugin; choose a connector"));
        }
        let set: Vec<&str> = of_sink(output).iter().filter(|(_, set)| *set).map(|(c, _)| *c).collect();
        match set.as_slice() {
            [_] => None,
            [] => at(
                &[],
                format!(
                    "{whole} has no connector; write for example {name} = {{ files = {{ path = \"out\" }} }}"
                ),
            ),
            several => {
                at(&[], format!("{whole} has more than one connector; keep one of {}", several.join(", ")))
            }
        }
    };
    outputs.filter_map(problem).collect()
}

impl Planner {
    /// The sink of this name, which is a plugin, for rows of these columns; and what it is, for people.
    pub(crate) async fn plugin_sink(
        &self,
        name: &str,
        settings: &PluginSink,
        schema: &SchemaRef,
    ) -> Result<(Arc<dyn engine::Sink>, String)> {
        let of = |e: Error| e.while_doing(format!("sink `{name}`"));
        let key = |key: &str, e| self.file().locate(&["sinks", name, "plugin", key], of(e));
        let plugin = self.plugin_at(&format!("sinks.{name}"), &settings.plugin).await;
        let plugin = plugin.map_err(|e| key("plugin", e))?;
        let to = SinkSettings {
            sink: name.to_owned(),
            config: self.config(&plugin, &["sinks", name, "plugin", "config"], &settings.config)?,
            input: schema.clone(),
            limits: limits(&settings.limits),
            http: self.requests(
                &["sinks", name, "plugin"],
                &plugin,
                settings.allow.as_ref(),
                &settings.headers,
            )?,
        };
        let bound =
            plugin.bind_sink(to).await.map_err(|e| self.file().locate(&["sinks", name, "plugin"], of(e)))?;
        self.refuse_unknown(name, settings, &bound)?;
        let grants = bound.outputs().iter().map(|output| self.grant(name, settings, output));
        let grants = grants.collect::<Result<Vec<_>>>()?;
        let sink = bound.grant(grants).map_err(|e| self.of("sink", name, e))?;
        let description = engine::Sink::facts(&sink).map_or_else(String::new, |facts| facts.description);
        Ok((Arc::new(sink), description))
    }

    /// What the plugin would never write to.
    fn refuse_unknown(&self, name: &str, settings: &PluginSink, bound: &BoundSink) -> Result<()> {
        let names: Vec<&str> = bound.outputs().iter().map(|output| output.name.as_str()).collect();
        let Some(unknown) = settings.outputs.keys().find(|output| !names.contains(&output.as_str())) else {
            return Ok(());
        };
        let there = if names.is_empty() { "nothing".into() } else { format!("`{}`", names.join("`, `")) };
        let error = Error::invalid(format!("the plugin does not write to `{unknown}`; it writes to {there}"));
        Err(self.at_output(name, unknown, error))
    }

    /// The place of an output, which takes what the plugin writes to it.
    fn grant(&self, name: &str, settings: &PluginSink, output: &Port) -> Result<Grant> {
        let columns = ddl::print(&output.schema);
        let Some(place) = settings.outputs.get(&output.name) else {
            let error = Error::invalid(format!(
                "the plugin writes to `{0}` ({columns}), which it is not granted; add {0} = {{ files = {{ path = \"out\" }} }} to the outputs, or another sink",
                output.name
            ));
            return Err(self.file().locate(&["sinks", name, "plugin", "outputs"], error));
        };
        let made = self.sink(&format!("{name}.{}", output.name), place);
        let (sink, description) = made.map_err(|e| self.at_output(name, &output.name, e))?;
        sink.accepts(place.mode, &output.schema).map_err(|e| self.at_output(name, &output.name, e))?;
        let description = format!("{description} ({columns})");
        Ok(Grant { name: output.name.clone(), description, mode: place.mode, sink })
    }

    fn at_output(&self, name: &str, output: &str, error: Error) -> Error {
        let error = error.while_doing(format!("sink `{name}`, output `{output}`"));
        self.file().locate(&["sinks", name, "plugin", "outputs", output], error)
    }
}
