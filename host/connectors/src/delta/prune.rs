//! Which files cannot have a row of certain keys, by what the log says of them.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::{cast, kernels::aggregate},
    datatypes::{DataType, Int64Type},
};
use deltalake_core::kernel::Add;
use serde_json::Value;

/// Between which values the keys of an epoch lie in one column.
pub(super) struct Span {
    column: String,
    seen: Seen,
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Nothing,
    Integers(i64, i64),
    Texts(String, String),
    /// NULL, or values that the log's bounds are not compared with.
    Anything,
}

impl Span {
    pub(super) fn new(column: &str) -> Self {
        Span { column: column.to_owned(), seen: Seen::Nothing }
    }

    /// Takes the values of a column in.
    pub(super) fn widen(&mut self, values: &ArrayRef) {
        if values.is_empty() {
            return;
        }
        let more = if values.null_count() > 0 { Seen::Anything } else { of_values(values) };
        self.seen = match (std::mem::replace(&mut self.seen, Seen::Anything), more) {
            (Seen::Nothing, more) => more,
            (Seen::Integers(a, b), Seen::Integers(c, d)) => Seen::Integers(a.min(c), b.max(d)),
            (Seen::Texts(a, b), Seen::Texts(c, d)) => Seen::Texts(a.min(c), b.max(d)),
            _ => Seen::Anything,
        };
    }

    /// Whether a file may have a value that lies within.
    pub(super) fn may_meet(&self, file: &Add) -> bool {
        let bounds = || -> Option<(Value, Value)> {
            let stats: Value = serde_json::from_str(file.stats.as_deref()?).ok()?;
            let of = |which: &str| stats.get(which)?.get(&self.column).cloned();
            of("minValues").zip(of("maxValues"))
        };
        match &self.seen {
            Seen::Nothing => false,
            Seen::Anything => true,
            Seen::Integers(least, most) => bounds()
                .and_then(|(min, max)| {
                    let (min, max) = (min.as_i64()?, max.as_i64()?);
                    Some(min <= *most && *least <= max)
                })
                .unwrap_or(true),
            Seen::Texts(least, most) => bounds()
                .and_then(|(min, max)| {
                    let (min, max) = (min.as_str()?, max.as_str()?);
                    // Some writers cut the largest value off where it gets long.
                    let cut = max.chars().count() >= 32;
                    Some(min <= most.as_str() && (cut || least.as_str() <= max))
                })
                .unwrap_or(true),
        }
    }
}

fn of_values(values: &ArrayRef) -> Seen {
    match values.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let Ok(values) = cast(values, &DataType::Int64) else { return Seen::Anything };
            let values = values.as_primitive::<Int64Type>();
            let span = aggregate::min(values).zip(aggregate::max(values));
            span.map_or(Seen::Anything, |(min, max)| Seen::Integers(min, max))
        }
        DataType::Utf8 => {
            let values = values.as_string::<i32>();
            let span = aggregate::min_string(values).zip(aggregate::max_string(values));
            span.map_or(Seen::Anything, |(min, max)| Seen::Texts(min.to_owned(), max.to_owned()))
        }
        _ => Seen::Anything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, StringArray};
    use std::sync::Arc;

    fn file(stats: &str) -> Add {
        Add { stats: Some(stats.to_owned()), ..Add::default() }
    }

    fn span(values: ArrayRef) -> Span {
        let mut span = Span::new("k");
        span.widen(&values);
        span
    }

    #[test]
    fn a_file_whose_bounds_lie_outside_is_passed_over_and_any_doubt_means_to_look() {
        let ints = span(Arc::new(Int32Array::from(vec![5, 9])));
        let with = |min: i64, max: i64| {
            file(&format!("{{\"minValues\":{{\"k\":{min}}},\"maxValues\":{{\"k\":{max}}}}}"))
        };
        assert!(ints.may_meet(&with(9, 12)) && ints.may_meet(&with(0, 5)) && ints.may_meet(&with(0, 100)));
        assert!(!ints.may_meet(&with(10, 12)) && !ints.may_meet(&with(0, 4)));
        assert!(ints.may_meet(&file("{}")) && ints.may_meet(&Add::default()));
        let texts = span(Arc::new(StringArray::from(vec!["m"])));
        let with = |min: &str, max: &str| {
            file(&format!("{{\"minValues\":{{\"k\":\"{min}\"}},\"maxValues\":{{\"k\":\"{max}\"}}}}"))
        };
        assert!(texts.may_meet(&with("a", "z")) && !texts.may_meet(&with("a", "c")));
        assert!(texts.may_meet(&with("a", &"b".repeat(32))), "it may have been cut off");
        let nulls = span(Arc::new(Int32Array::from(vec![Some(1), None])));
        assert!(nulls.may_meet(&file("{\"minValues\":{\"k\":7},\"maxValues\":{\"k\":8}}")));
        assert!(!Span::new("k").may_meet(&Add::default()), "no key, no row");
    }
}
