//! Joins: which rows can be joined as they come, and when they leave state.

use super::{Adding, Rows};
use crate::{
    Error, OutputMode, Result,
    operators::{
        chain::Chain,
        stream_join::{Due, Plan, Side, StreamJoin},
    },
    plan::{Input, Work},
    sql::{
        error::OrError,
        event_time,
        expression::{Expression, text},
        functions::{WINDOW, is_time_window},
        time_range::Times,
    },
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::{Column, DFSchema, JoinType, NullEquality};
use datafusion_expr::{
    Expr,
    logical_plan::Join,
    utils::{conjunction, split_conjunction},
};
use std::sync::{Arc, atomic::AtomicU64};

/// The conditions of a join beside its keys, by the sides that they are about.
#[derive(Default)]
struct Conditions<'j> {
    left: Vec<&'j Expr>,
    right: Vec<&'j Expr>,
    both: Vec<&'j Expr>,
}

impl Adding<'_> {
    pub(super) fn join(&mut self, join: &Join, modes: &[OutputMode]) -> Result<Rows> {
        modes.iter().try_for_each(|mode| accept(join.join_type, *mode))?;
        if join.on.is_empty() {
            return Err(Error::invalid(
                "SQL: JOIN: two streams are joined by equal keys, as in ON a.id = b.id; without any, every row would have to be kept for every other",
            ));
        }
        let left = self.rows(&join.left, &[OutputMode::Append])?;
        let right = self.rows(&join.right, &[OutputMode::Append])?;
        let (left_inputs, right_inputs) = (first(&left), first(&right));
        let conditions = Conditions::of(join);
        let (left, right) =
            (self.side(join, true, left, &conditions)?, self.side(join, false, right, &conditions)?);
        bounded(join.join_type, &left, &right)?;
        let pairs = pairs(join).invalid(|| "SQL: JOIN".into())?;
        let plan = Plan {
            kind: join.join_type,
            left,
            right,
            left_inputs: left_inputs.len(),
            null_safe: join.null_equality == NullEquality::NullEqualsNull,
            filter: self.condition(&conditions.both, &pairs)?,
            pairs: Arc::new(pairs.as_arrow().clone()),
            schema: join.schema.inner().clone(),
            late_rows: Arc::new(late_rows(&pairs)),
            late: AtomicU64::new(0),
        };
        let schema = plan.schema.clone();
        let work = Work::Keyed(Arc::new(StreamJoin::new(plan)?));
        let name = self.stateful_name();
        let step = self.push(name, [left_inputs, right_inputs].concat(), work);
        let inputs = modes.iter().map(|_| vec![Input::Step { step, port: 0 }]).collect();
        Ok(Rows { inputs, chain: Chain { parts: Vec::new() }, schema })
    }

    fn side(&self, join: &Join, left: bool, rows: Rows, conditions: &Conditions<'_>) -> Result<Side> {
        let (schema, own, other) = match left {
            true => (join.left.schema(), &conditions.left, join.right.schema()),
            false => (join.right.schema(), &conditions.right, join.left.schema()),
        };
        let keys = join.on.iter().map(|(l, r)| {
            let (key, other_key) = if left { (l, (r, other.as_ref())) } else { (r, (l, other.as_ref())) };
            self.join_key((key, schema.as_ref()), other_key)
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let time = event_time_column(schema)?;
        let due = match (self.time_key(join)?, time, event_time_column(other)?) {
            (Some(key), _, _) => Some(Due::Key(key)),
            (None, Some(time), Some(other_time)) => {
                let times = Times { own: &is(schema, time), other: &is(other, other_time) };
                times.patience(&conditions.both).map(Due::After)
            }
            _ => None,
        };
        let own = self.condition(own, schema)?;
        Ok(Side { before: rows.chain, schema: rows.schema, keys, own, time, due })
    }

    pub(super) fn join_key(
        &self,
        (key, schema): (&Expr, &DFSchema),
        (other, of): (&Expr, &DFSchema),
    ) -> Result<Expression> {
        let key = Expression::new(key, schema, self.catalog)?;
        let other = Expression::new(other, of, self.catalog)?;
        if key.data_type() != other.data_type() {
            return Err(Error::invalid(format!(
                "SQL: JOIN: {} is of type {}, but {} of type {}; cast one of them",
                key.text(),
                key.data_type(),
                other.text(),
                other.data_type()
            )));
        }
        Ok(key)
    }

    /// The first key that is event time, on either side: what is equal to it has a watermark too.
    fn time_key(&self, join: &Join) -> Result<Option<usize>> {
        for (keys, schema) in [
            (join.on.iter().map(|on| &on.0).collect::<Vec<_>>(), join.left.schema()),
            (join.on.iter().map(|on| &on.1).collect(), join.right.schema()),
        ] {
            for (at, key) in keys.into_iter().enumerate() {
                let unchanged = matches!(key, Expr::Column(_)) || is_time_window(key, WINDOW).is_some();
                let key = Expression::new(key, schema, self.catalog)?;
                if unchanged && event_time::is_event_time(key.field()) {
                    return Ok(Some(at));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn condition(&self, of: &[&Expr], schema: &DFSchema) -> Result<Option<Expression>> {
        let all = conjunction(of.iter().map(|expr| (*expr).clone()));
        all.map(|all| Expression::new(&all, schema, self.catalog)).transpose()
    }
}

impl<'j> Conditions<'j> {
    fn of(join: &'j Join) -> Self {
        let mut conditions = Conditions::default();
        for expr in join.filter.iter().flat_map(split_conjunction) {
            let about = |schema: &DFSchema| {
                let columns = expr.column_refs();
                !columns.is_empty() && columns.iter().all(|column| schema.has_column(column))
            };
            if !expr.is_volatile() && about(join.left.schema()) {
                conditions.left.push(expr);
            } else if !expr.is_volatile() && about(join.right.schema()) {
                conditions.right.push(expr);
            } else {
                conditions.both.push(expr);
            }
        }
        conditions
    }
}

/// The columns of both sides.
pub(super) fn pairs(join: &Join) -> datafusion_common::Result<DFSchema> {
    join.left.schema().join(join.right.schema())
}

/// The columns of both sides, any of which may be NULL. Where both have one of a name, the side's name stands in front.
pub(super) fn late_rows(pairs: &DFSchema) -> Schema {
    let fields = pairs.iter().map(|(side, field)| {
        let same = pairs.fields().iter().filter(|other| other.name() == field.name()).count();
        let field = Field::clone(field).with_nullable(true);
        match side.filter(|_| same > 1) {
            Some(side) => {
                let name = format!("{}.{}", side.table(), field.name());
                field.with_name(name)
            }
            None => field,
        }
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn first(rows: &Rows) -> Vec<Input> {
    rows.inputs.first().cloned().unwrap_or_default()
}

/// Whether a column is the one of this index.
fn is(schema: &DFSchema, index: usize) -> impl Fn(&Column) -> bool + '_ {
    move |column| schema.maybe_index_of_column(column) == Some(index)
}

fn event_time_column(schema: &DFSchema) -> Result<Option<usize>> {
    let times: Vec<usize> = (0..)
        .zip(schema.fields())
        .filter(|(_, field)| event_time::is_event_time(field))
        .map(|(index, _)| index)
        .collect();
    match times.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let name = |index: &usize| text(&Expr::Column(Column::from(schema.qualified_field(*index))));
            let names: Vec<String> = several.iter().map(name).collect();
            Err(Error::invalid(format!(
                "SQL: JOIN: one side has several columns of event time: {}; which of them says that a row is late is not clear: select one of them in a step before",
                names.join(", ")
            )))
        }
    }
}

/// Whether this join can be kept over streams, in this mode.
fn accept(kind: JoinType, mode: OutputMode) -> Result<()> {
    let outer = matches!(kind, JoinType::Left | JoinType::Right | JoinType::Full);
    let refusal = match (kind, mode) {
        (JoinType::LeftAnti, _) => {
            "LEFT ANTI JOIN of two streams: that a row matches nothing is known once its state leaves; use LEFT JOIN with watermarks and a range of times, and WHERE the right side's key IS NULL"
        }
        (JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark | JoinType::LeftMark, _) => {
            "JOIN: of this kind two streams cannot be joined; INNER, LEFT, RIGHT, FULL and LEFT SEMI can: swap the two sides"
        }
        (_, OutputMode::Complete) => {
            "JOIN of two streams has no complete result: rows leave state; use mode = \"append\""
        }
        (_, OutputMode::Update) if outer => {
            "an outer JOIN of two streams in mode = \"update\" would have to take back rows with NULLs; use mode = \"append\""
        }
        _ => return Ok(()),
    };
    Err(Error::invalid(format!("SQL: {refusal}")))
}

/// An outer side's rows come out when they leave state, so they have to.
fn bounded(kind: JoinType, left: &Side, right: &Side) -> Result<()> {
    let outer = [
        (matches!(kind, JoinType::Left | JoinType::Full), "left", left),
        (matches!(kind, JoinType::Right | JoinType::Full), "right", right),
    ];
    let Some((_, which, _)) = outer.into_iter().find(|(outer, _, side)| *outer && side.due.is_none()) else {
        return Ok(());
    };
    let what = match (left.time, right.time) {
        (Some(_), Some(_)) => {
            "no condition bounds its time from below by the other side's, as in ON … AND b.time BETWEEN a.time AND a.time + INTERVAL '1 hour'"
        }
        _ => {
            "no condition is about the event time of both sides: set `watermark` on both sources, or on steps before, and bound one's time by the other's, as in ON … AND b.time BETWEEN a.time AND a.time + INTERVAL '1 hour'"
        }
    };
    Err(Error::invalid(format!(
        "SQL: {} JOIN of two streams: a row of the {which} side comes out with NULLs once nothing can match it any more, and that is never known here: {what}; or join on event time, such as a window",
        kind.to_string().to_uppercase()
    )))
}

/// Names that two columns of a query's result have.
pub(in crate::sql) fn same_names(schema: &SchemaRef) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    let twice = schema.fields().iter().find(|field| !seen.insert(field.name()));
    match twice {
        None => Ok(()),
        Some(field) => Err(Error::invalid(format!(
            "SQL: two columns of the result are called `{0}`; name one of them, as in a.{0} AS a_{0}",
            field.name()
        ))),
    }
}
