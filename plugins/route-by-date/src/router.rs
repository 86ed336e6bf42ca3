//! Where a date goes.

use streamhost::prelude::*;

use crate::{Config, date};

/// A stretch of time, and its output.
#[streamhost::config]
pub(crate) struct Route {
    /// The output.
    output: String,
    /// The first date, such as `2025-01-01`.
    from: Option<String>,
    /// The first date that no longer is in it.
    before: Option<String>,
}

/// The outputs, and which dates each of them takes.
pub(crate) struct Router {
    /// The place of the rows that no stretch takes comes first.
    names: Vec<String>,
    stretches: Vec<Stretch>,
    undated: Option<usize>,
}

struct Stretch {
    from: i32,
    before: i32,
    place: usize,
}

impl Router {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let mut router = Router { names: vec![config.output.clone()], stretches: Vec::new(), undated: None };
        for route in &config.routes {
            let stretch = Stretch {
                from: bound(route.from.as_deref(), i32::MIN)?,
                before: bound(route.before.as_deref(), i32::MAX)?,
                place: router.place(&route.output),
            };
            router.stretches.push(stretch);
        }
        router.undated = config.undated.as_deref().map(|name| router.place(name));
        Ok(router)
    }

    /// Several stretches may share an output.
    fn place(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn into_names(self) -> Vec<String> {
        self.names
    }

    /// For each row the index of its output's name.
    pub(crate) fn places(&self, days: &[Option<i32>], column: &str) -> Result<Vec<usize>> {
        days.iter().map(|day| self.of(*day).ok_or_else(|| without(column))).collect()
    }

    fn of(&self, day: Option<i32>) -> Option<usize> {
        let Some(day) = day else { return self.undated };
        let taking = self.stretches.iter().find(|stretch| stretch.from <= day && day < stretch.before);
        Some(taking.map_or(0, |stretch| stretch.place))
    }
}

fn bound(date: Option<&str>, default: i32) -> Result<i32> {
    let Some(date) = date else { return Ok(default) };
    date::parse(date)
        .ok_or_else(|| Error::invalid(format!("config: routes: {date:?} is no date; write it as 2025-01-31")))
}

fn without(column: &str) -> Error {
    Error::permanent(format!(
        "a row has no `{column}`; name an output for such rows with `undated`, or leave them out before"
    ))
}
