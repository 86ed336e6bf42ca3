//! Requests over HTTP that the file allows a plugin, and the headers that go with them.
//!
//! What a plugin gets is what it asks for and what its step allows. Whoever runs a pipeline file has written it: the file is the
//! ceiling.

use crate::{place::Problem, planner::Planner, settings::Pipeline};
use connectors::secret::Secret;
use engine::{Error, Result};
use indexmap::IndexMap;
use plugin::{HttpGrant, Plugin};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a plugin may do that it cannot by itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { http = [\"scores.internal:443\"] }"
)]
pub struct Allow {
    /// Where it may send requests: `host:port`, which is https at port 443 and http at others, or `https://host:port`. Each host is
    /// named by itself. Its name must not lead to an address of this machine or of a private network, unless that address is
    /// named as well, or its network is in `networks`. No redirect is followed.
    #[serde(default)]
    pub http: Vec<String>,
    /// Networks that are not on the internet and that the hosts may be in, such as `10.0.0.0/8`.
    #[serde(default)]
    pub networks: Vec<String>,
}

/// By place, as it is written in `allow.http`, headers and their values.
pub type Headers = IndexMap<String, IndexMap<String, Secret>>;

/// One plugin of the file, and what it is allowed.
struct Site<'p> {
    /// `step` or `sink`.
    kind: &'static str,
    name: &'p str,
    /// Where it stands in the file.
    key: Vec<&'p str>,
    allow: Option<&'p Allow>,
    headers: &'p Headers,
    has_plugin: bool,
}

fn sites(pipeline: &Pipeline) -> impl Iterator<Item = Site<'_>> {
    let steps = pipeline.steps.iter().map(|(name, step)| Site {
        kind: "step",
        name,
        key: vec!["steps", name],
        allow: step.allow.as_ref(),
        headers: &step.headers,
        has_plugin: step.plugin.is_some(),
    });
    let sinks = pipeline.sinks.iter().filter_map(|(name, sink)| {
        let plugin = sink.plugin.as_ref()?;
        let (allow, headers) = (plugin.allow.as_ref(), &plugin.headers);
        let key = vec!["sinks", name, "plugin"];
        Some(Site { kind: "sink", name, key, allow, headers, has_plugin: true })
    });
    steps.chain(sinks)
}

/// Places that are none, headers for places that are not allowed, and what is allowed to nobody.
pub(crate) fn problems(pipeline: &Pipeline) -> Vec<Problem> {
    sites(pipeline).flat_map(|site| site.problems()).collect()
}

impl Site<'_> {
    fn problems(&self) -> Vec<Problem> {
        let at = |key: &[&str], what: String| Problem::at(&[self.key.as_slice(), key].concat(), what);
        if !self.has_plugin {
            let what =
                || format!("{} `{}` has no plugin to allow anything to; leave it out", self.kind, self.name);
            let given = [("allow", self.allow.is_some()), ("headers", !self.headers.is_empty())];
            return given.iter().filter(|(_, given)| *given).map(|(key, _)| at(&[*key], what())).collect();
        }
        let mut problems = Vec::new();
        let mut grant = HttpGrant::default();
        let empty = Allow::default();
        let Allow { http, networks } = self.allow.unwrap_or(&empty);
        for (index, place) in http.iter().enumerate() {
            if let Err(error) = grant.allow(place) {
                problems.push(at(&["allow", "http", &index.to_string()], error.report()));
            }
        }
        for (index, network) in networks.iter().enumerate() {
            if let Err(error) = grant.allow_network(network) {
                problems.push(at(&["allow", "networks", &index.to_string()], error.report()));
            }
        }
        for (place, headers) in self.headers {
            for name in headers.keys() {
                // The value is looked at when it is known.
                if let Err(error) = grant.add_header(place, name, "value") {
                    problems.push(at(&["headers", place, name], error.report()));
                }
            }
        }
        problems
    }
}

fn grant(allow: &Allow, headers: &Headers, value: impl Fn(&Secret) -> Result<Secret>) -> Result<HttpGrant> {
    let mut grant = HttpGrant::default();
    allow.http.iter().try_for_each(|place| grant.allow(place))?;
    allow.networks.iter().try_for_each(|network| grant.allow_network(network))?;
    for (place, headers) in headers {
        for (name, secret) in headers {
            grant.add_header(place, name, value(secret)?.expose())?;
        }
    }
    Ok(grant)
}

impl Planner {
    /// What a plugin may send, at this key of the file. One that asks and gets no answer does not start: it would fail at its first
    /// row. `allow = {}` is an answer.
    pub(crate) fn requests(
        &self,
        key: &[&str],
        plugin: &Plugin,
        allow: Option<&Allow>,
        headers: &Headers,
    ) -> Result<HttpGrant> {
        let at = |part: &[&str], error: Error| self.file().locate(&[key, part].concat(), error);
        match (plugin.asks_for_http(), allow) {
            (true, None) => Err(at(
                &[],
                Error::invalid(
                    "the plugin asks for http, which it is not allowed; add allow = { http = [\"host:port\"] } with the \
                     places that it may send requests to, or allow = {} to run it without (or --allow-http host:port)",
                ),
            )),
            (false, Some(allow)) if !allow.http.is_empty() => Err(at(
                &["allow"],
                Error::invalid("the plugin does not ask for http, so it would get none; leave `allow` out"),
            )),
            (_, None) => Ok(HttpGrant::default()),
            (_, Some(allow)) => {
                let made = grant(allow, headers, |secret| self.secrets().resolve(secret));
                made.map_err(|e| at(&["headers"], e))
            }
        }
    }

    /// Tells who may send requests, and where, before anybody does.
    pub(crate) fn note_requests(&self) -> Result<()> {
        for Site { kind, name, allow, headers, .. } in sites(&self.file().settings) {
            let Some(allow) = allow.filter(|allow| !allow.http.is_empty()) else { continue };
            let grant = grant(allow, headers, |_| Ok(Secret::new("value")))?;
            self.note(&format!("{kind} `{name}`: may send requests to {grant}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with the settings of a step, each as `key: message`.
    fn wrong(step: &str) -> Vec<String> {
        let text = format!("[steps.a]\n{step}\n");
        let pipeline: Pipeline = toml::from_str(&text).unwrap();
        problems(&pipeline).into_iter().map(|p| format!("{}: {}", p.key.join("."), p.message)).collect()
    }

    #[cfg(feature = "http")]
    #[test]
    fn what_is_no_place_or_has_no_place_is_reported_where_it_stands() {
        let wrong = wrong(
            "plugin = 'p'\nallow = { http = ['a:443', '*.b:443', 'c'], networks = ['ten'] }\n\
             headers = { 'd:443' = { X = 'y' }, 'a:443' = { Host = 'z', Authorization = 'secret:s' } }",
        );
        let keys =
            ["allow.http.1", "allow.http.2", "allow.networks.0", "headers.d:443.X", "headers.a:443.Host"];
        assert_eq!(wrong.len(), keys.len(), "{wrong:?}");
        for (wrong, key) in wrong.iter().zip(keys) {
            assert!(wrong.starts_with(&format!("steps.a.{key}: ")), "{wrong}");
        }
    }

    #[cfg(not(feature = "http"))]
    #[test]
    fn a_build_without_http_says_how_to_build_with_it() {
        let wrong = wrong("plugin = 'p'\nallow = { http = ['a:443'] }");
        assert!(wrong[0].contains("build it with `--features http`"), "{wrong:?}");
    }

    #[test]
    fn a_step_without_a_plugin_has_nobody_to_allow_anything_to() {
        assert_eq!(
            wrong("sql = 'SELECT 1 FROM b'\nallow = { http = ['a:443'] }"),
            ["steps.a.allow: step `a` has no plugin to allow anything to; leave it out"]
        );
    }
}
