//! Expressions, ready to run.

use super::{
    Catalog,
    error::OrError,
    functions::{CAST, MOST_BYTES},
    types::name_of,
};
use crate::{Kind, Result, ResultExt, Wanted};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano},
};
use datafusion_common::{
    Column, DFSchema, Result as DfResult, ScalarValue, exec_err,
    tree_node::{Transformed, TreeNode},
};
use datafusion_expr::{
    ColumnarValue, Expr, execution_props::ExecutionProps, expr::ScalarFunction,
    physical_planning_context::PhysicalPlanningContext,
};
use datafusion_physical_expr::{
    PhysicalExpr, create_physical_expr, expressions::BinaryExpr, utils::collect_columns,
};
use std::sync::Arc;

/// One column, worked out from the others.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    physical: Arc<dyn PhysicalExpr>,
    field: FieldRef,
    text: String,
    exact: String,
}

impl Expression {
    /// `expr` over rows of `schema`.
    pub(super) fn new(expr: &Expr, schema: &DFSchema, catalog: &Catalog) -> Result<Self> {
        let doing = || format!("SQL: {}", text(expr));
        let props = props(catalog);
        let physical = create_physical_expr(expr, schema, &props, &PhysicalPlanningContext::default());
        let physical = physical.and_then(ansi).invalid(doing)?;
        let field = physical.return_field(schema.as_arrow()).invalid(doing)?;
        Ok(Expression { physical, field: plain(field), text: text(expr), exact: text(&with_casts(expr)) })
    }

    pub(crate) fn data_type(&self) -> &DataType {
        self.field.data_type()
    }

    pub(crate) fn field(&self) -> &Field {
        &self.field
    }

    pub(crate) fn evaluate(&self, rows: &RecordBatch) -> Result<ArrayRef> {
        let value = self.physical.evaluate(rows).and_then(|value| column(value, rows.num_rows()));
        let value = value.data(|| self.text.clone())?;
        if value.data_type() == self.data_type() {
            return Ok(value);
        }
        cast(&value, self.data_type()).doing(Kind::Internal, || self.text.clone())
    }

    /// The rows for which it is true.
    pub(crate) fn holds(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        let value = self.physical.evaluate(rows).and_then(|value| value.into_array(rows.num_rows()));
        let value = value.and_then(|value| Ok(datafusion_common::cast::as_boolean_array(&value)?.clone()));
        value.data(|| self.text.clone())
    }

    /// The columns that it looks at.
    pub(crate) fn reads(&self) -> Wanted {
        collect_columns(&self.physical).iter().map(|column| column.index()).collect()
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text with every cast: what tells it from others that may come to another value.
    pub(crate) fn exact(&self) -> &str {
        &self.exact
    }
}

/// A column of `rows` rows, also of what is one value for all of them.
fn column(value: ColumnarValue, rows: usize) -> DfResult<ArrayRef> {
    if let ColumnarValue::Scalar(value) = &value {
        let bytes = (value.size() as u64).saturating_mul(rows as u64);
        if bytes > MOST_BYTES {
            return exec_err!(
                "a constant of {} bytes beside {rows} rows would take {bytes} bytes, and {MOST_BYTES} is the most; make it shorter",
                value.size()
            );
        }
    }
    value.into_array(rows)
}

/// The value of an expression that names no column.
pub(super) fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Alias(alias) => constant(&alias.expr),
        _ => None,
    }
}

pub(super) fn props(catalog: &Catalog) -> ExecutionProps {
    let mut props = ExecutionProps::new();
    props.config_options = Some(Arc::new(catalog.config().clone()));
    props
}

/// The expression with its casts as what they are, where a text of it would leave them out. A whole number that is written
/// down is of type INT without one.
pub(super) fn with_casts(expr: &Expr) -> Expr {
    let cast = |how: &str, of: &Expr, to: &DataType| {
        let text = format!("{how}({} AS {})", text(of), name_of(to));
        Transformed::yes(Expr::Column(Column::new_unqualified(text)))
    };
    let written = expr.clone().transform_up(|expr| {
        Ok(match &expr {
            Expr::Cast(of) if of.expr.as_literal().is_some() && of.field.data_type() == &DataType::Int32 => {
                Transformed::no(expr)
            }
            Expr::Cast(of) => cast("CAST", &of.expr, of.field.data_type()),
            Expr::TryCast(of) => cast("TRY_CAST", &of.expr, of.field.data_type()),
            Expr::ScalarFunction(call) => match cast_of(call) {
                Some(name) => Transformed::yes(Expr::Column(Column::new_unqualified(name))),
                None => Transformed::no(expr),
            },
            _ => Transformed::no(expr),
        })
    });
    written.map_or_else(|_| expr.clone(), |written| written.data)
}

/// What is written for a cast of ours.
fn cast_of(call: &ScalarFunction) -> Option<String> {
    (call.func.name() == CAST).then(|| call.func.schema_name(&call.args).ok())?
}

/// An expression as people write it.
pub(super) fn text(expr: &Expr) -> String {
    let readable = expr.clone().transform_up(|expr| {
        Ok(match &expr {
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) => {
                Transformed::yes(Expr::Column(Column::new_unqualified(interval_text(*interval))))
            }
            _ => Transformed::no(expr),
        })
    });
    readable.map_or_else(
        |_| expr.human_display().to_string(),
        |readable| readable.data.human_display().to_string(),
    )
}

/// `INTERVAL 1 month 2 days 3600 s`, without the parts that are zero.
fn interval_text(IntervalMonthDayNano { months, days, nanoseconds }: IntervalMonthDayNano) -> String {
    let parts = [
        (months != 0).then(|| format!(" {months} months")),
        (days != 0).then(|| format!(" {days} days")),
        (nanoseconds != 0 || (months, days) == (0, 0)).then(|| format!(" {} s", nanoseconds as f64 / 1e9)),
    ];
    format!("INTERVAL{}", parts.into_iter().flatten().collect::<String>())
}

/// A number that gets too large for its type is an error, never another number.
pub(super) fn ansi(expr: Arc<dyn PhysicalExpr>) -> DfResult<Arc<dyn PhysicalExpr>> {
    let checked = expr.transform_up(|expr| {
        Ok(match expr.downcast_ref::<BinaryExpr>() {
            Some(binary) => {
                let (left, right) = (binary.left().clone(), binary.right().clone());
                let binary = BinaryExpr::new(left, *binary.op(), right).with_fail_on_overflow(true);
                Transformed::yes(Arc::new(binary) as Arc<dyn PhysicalExpr>)
            }
            None => Transformed::no(expr),
        })
    });
    Ok(checked?.data)
}

/// Columns of text come in one layout alone.
fn plain(field: FieldRef) -> FieldRef {
    match field.data_type() {
        DataType::Utf8View | DataType::LargeUtf8 => {
            Arc::new(Field::clone(&field).with_data_type(DataType::Utf8))
        }
        DataType::BinaryView | DataType::LargeBinary => {
            Arc::new(Field::clone(&field).with_data_type(DataType::Binary))
        }
        _ => field,
    }
}
