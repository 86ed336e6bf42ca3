//! Paths such as `$.a.b[0]['c'].*`.

use super::print;
use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
    /// Every element.
    Every,
}

/// What is at a path, as Spark shows it: a text as it is, anything else as JSON. NULL if there is nothing, or no path.
pub(super) fn get(of: &Value, path: &str) -> Option<String> {
    let steps = steps(path)?;
    let mut found = Vec::new();
    collect(of, &steps, &mut found);
    match found[..] {
        [] | [Value::Null] => None,
        [Value::String(text)] => Some(text.clone()),
        [one] => Some(print::compact(one)),
        _ => {
            let all: Vec<String> = found.into_iter().map(print::compact).collect();
            Some(format!("[{}]", all.join(",")))
        }
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, left) = match rest.strip_prefix('.') {
            Some(named) => {
                let end = named.find(['.', '[']).unwrap_or(named.len());
                let (name, left) = named.split_at_checked(end)?;
                (if name == "*" { Step::Every } else { Step::Name(name.to_owned()) }, left)
            }
            None => bracketed(rest.strip_prefix('[')?)?,
        };
        if step == Step::Name(String::new()) {
            return None;
        }
        steps.push(step);
        rest = left;
    }
    Some(steps)
}

/// What stands behind a `[`.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let (name, rest) = quoted.split_once("']")?;
        return Some((Step::Name(name.to_owned()), rest));
    }
    let (index, rest) = text.split_once(']')?;
    let step = if index == "*" { Step::Every } else { Step::Index(index.trim().parse().ok()?) };
    Some((step, rest))
}

fn collect<'v>(of: &'v Value, steps: &[Step], found: &mut Vec<&'v Value>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(of);
        return;
    };
    match (step, of) {
        (Step::Name(name), Value::Object(fields)) => {
            fields.get(name).into_iter().for_each(|value| collect(value, rest, found));
        }
        // The name is of every element.
        (Step::Name(_), Value::Array(elements)) => {
            elements
                .iter()
                .filter(|element| element.is_object())
                .for_each(|element| collect(element, steps, found));
        }
        (Step::Index(index), Value::Array(elements)) => {
            elements.get(*index).into_iter().for_each(|value| collect(value, rest, found));
        }
        // The last step takes an array as it is.
        (Step::Every, Value::Array(_)) if rest.is_empty() => found.push(of),
        (Step::Every, Value::Array(elements)) => {
            elements.iter().for_each(|value| collect(value, rest, found))
        }
        (Step::Every, Value::Object(fields)) => fields.values().for_each(|value| collect(value, rest, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_what_it_names() {
        let of = serde_json::json!({"a": [{"b": 1}, {"b": "x"}], "c.d": null, "e": 1e3});
        for (path, found) in [
            ("$.a[0].b", Some("1")),
            ("$.a[1]['b']", Some("x")),
            ("$.a[*].b", Some("[1,\"x\"]")),
            ("$.a.b", Some("[1,\"x\"]")),
            ("$.e", Some("1000.0")),
            ("$['c.d']", None),
            ("$.none", None),
            ("a", None),
            ("$..a", None),
            ("$[", None),
        ] {
            assert_eq!(get(&of, path).as_deref(), found, "{path}");
        }
    }
}
