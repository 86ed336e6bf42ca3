//! `GROUP BY session_window(time, gap)`.

use super::{Adding, Rows, accept};
use crate::{
    Error, OutputMode, Result,
    operators::{
        chain::Chain,
        session::{Gap, Plan, Sessions},
    },
    plan::Input,
    sql::{
        error::OrError,
        event_time,
        expression::{Expression, constant, text},
        functions::{SESSION_WINDOW, WINDOW, duration, is_time_window},
    },
};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::{Expr, logical_plan};
use std::sync::{Arc, atomic::AtomicU64};

/// At which place a session is among what is grouped by.
pub(super) fn place(of: &logical_plan::Aggregate) -> Option<usize> {
    of.group_expr.iter().position(|expr| is_time_window(expr, SESSION_WINDOW).is_some())
}

impl Adding<'_> {
    /// The session is at this place of what is grouped by.
    pub(super) fn sessions(
        &mut self,
        aggregate: &logical_plan::Aggregate,
        place: usize,
        modes: &[OutputMode],
    ) -> Result<Rows> {
        let (&[mode] | &[mode, ..]) = modes else { return Err(Error::internal("sessions for nobody")) };
        if modes.contains(&OutputMode::Update) {
            return Err(Error::invalid(
                "SQL: in mode = \"update\" a session that another one grew into would have to be taken back; use mode = \"append\" or \"complete\" for session_window()",
            ));
        }
        let schema = aggregate.schema.inner().clone();
        let watermark = schema.fields().get(place).is_some_and(|field| event_time::is_event_time(field));
        accept(mode, watermark, aggregate)?;
        let Rows { inputs, chain: before, .. } = self.rows(&aggregate.input, &[OutputMode::Append])?;
        let input = aggregate.input.schema();
        let (time, gap, of) = self.session(aggregate.group_expr.get(place), input)?;
        let keys = self.other_keys(&aggregate.group_expr, place, input)?;
        let aggregates = self.aggregations(&aggregate.aggr_expr, input)?;
        let late = AtomicU64::new(0);
        let plan = Plan {
            before,
            keys,
            place,
            time,
            gap,
            of,
            aggregates,
            watermark,
            mode,
            schema: schema.clone(),
            late,
        };
        let step = self.push_keyed(inputs, Sessions::new(plan, Arc::new(input.as_arrow().clone()))?);
        let inputs = modes.iter().map(|_| vec![Input::Step { step, port: 0 }]).collect();
        Ok(Rows { inputs, chain: Chain { parts: Vec::new() }, schema })
    }

    /// Time, gap and type of a session.
    fn session(
        &self,
        of: Option<&Expr>,
        schema: &DFSchema,
    ) -> Result<(Expression, Gap, arrow::datatypes::DataType)> {
        let call = of.and_then(|expr| Some((expr, is_time_window(expr, SESSION_WINDOW)?)));
        let call = call.map(|(expr, call)| (expr, &call.args[..]));
        let Some((expr, [time, gap])) = call else {
            return Err(Error::invalid(
                "SQL: session_window() has a time and a gap: session_window(t, '5 minutes')",
            ));
        };
        let of = Expression::new(expr, schema, self.catalog)?.data_type().clone();
        Ok((Expression::new(time, schema, self.catalog)?, self.gap(gap, schema)?, of))
    }

    fn gap(&self, gap: &Expr, schema: &DFSchema) -> Result<Gap> {
        let Some(ScalarValue::Utf8(written)) = constant(gap) else {
            return Ok(Gap::OfRow(Expression::new(gap, schema, self.catalog)?));
        };
        let micros = duration(&written.unwrap_or_default()).invalid(|| "SQL: session_window()".into())?;
        match micros {
            1.. => Ok(Gap::Fixed(micros)),
            _ => Err(Error::invalid(format!(
                "SQL: session_window(): {} is not above 0, and a gap is above 0",
                text(gap)
            ))),
        }
    }

    fn other_keys(&self, all: &[Expr], place: usize, schema: &DFSchema) -> Result<Vec<Expression>> {
        let others = all.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, expr)| expr);
        let others: Vec<&Expr> = others.collect();
        let is_window =
            |expr: &&&Expr| [WINDOW, SESSION_WINDOW].iter().any(|name| is_time_window(expr, name).is_some());
        if let Some(second) = others.iter().find(is_window) {
            return Err(Error::invalid(format!(
                "SQL: {}: rows are grouped by one window() or one session_window(), and no second",
                text(second)
            )));
        }
        others.into_iter().map(|expr| Expression::new(expr, schema, self.catalog)).collect()
    }
}
