//! What of each language's tools is there, and what brings the rest.

use super::LANGUAGES;
use std::path::Path;

/// How it is with the tools of a language.
#[derive(Debug)]
pub struct Health {
    /// The language.
    pub language: &'static str,
    /// Each tool that has to be installed, and how it is with it.
    pub tools: Vec<(String, Condition)>,
    /// What the first build brings by itself.
    pub brings: Vec<String>,
}

/// How it is with a tool.
#[derive(Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is there: in which version, or where.
    Ready(String),
    /// It is not there, or not in a version that will do: what is wrong, and what to do.
    Wanting(String),
}

impl Health {
    /// Whether plugins in the language can be built.
    pub fn is_ready(&self) -> bool {
        self.tools.iter().all(|(_, condition)| matches!(condition, Condition::Ready(_)))
    }
}

/// Looks for every tool of every language, as a build in `folder` would find it.
pub fn doctor(folder: &Path) -> Vec<Health> {
    let health = LANGUAGES.iter().map(|language| {
        let tools = language.tools(folder).into_iter().map(|tool| {
            let condition = tool.find(folder).map_or_else(Condition::Wanting, Condition::Ready);
            (tool.wanted(), condition)
        });
        Health { language: language.name(), tools: tools.collect(), brings: language.brings() }
    });
    health.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_is_looked_at_and_what_is_wanting_says_what_to_do() {
        let health = doctor(Path::new("."));
        let languages: Vec<_> = health.iter().map(|health| health.language).collect();
        assert_eq!(languages, ["Rust", "Go", "JavaScript", "Python", "C"]);
        for (tool, condition) in health.iter().flat_map(|health| &health.tools) {
            let Condition::Wanting(what) = condition else { continue };
            assert!(what.contains("; ") && what.contains("install"), "{tool}: {what}");
        }
        assert!(health[0].is_ready(), "these tests are built with Rust");
    }
}
