//! SQL steps: Spark's dialect and names, DataFusion's parser, types and expressions, our operators.
//!
//! A text becomes a [`Sql`], which knows what tables it reads; with a [`Catalog`] of these it becomes a logical plan
//! ([`Planned`]), whose columns are known; that adds its parts to a [`crate::plan::Dataflow`].

mod add;
mod ask;
mod called;
mod catalog;
mod common;
mod dialect;
mod error;
mod event_time;
mod expression;
mod functions;
mod optimize;
mod rewrite;
mod spark_plan;
mod text;
mod time_range;
mod tokens;
mod types;
mod where_into_join;
mod written_out;

pub use self::{
    ask::{Questions, Rows},
    called::check_function_name,
    catalog::Catalog,
    event_time::with_delay,
    text::{Sql, SqlError},
};
pub(crate) use self::{
    event_time::{delay, is_event_time, is_window},
    expression::Expression,
    functions::{EpochTime, Windows, instants, length_of_time, windows},
    functions::{check_function_types, function_usage},
};

use crate::{
    Error, OutputMode, Result,
    plan::{Dataflow, Input},
};
use arrow::datatypes::SchemaRef;
use datafusion_expr::LogicalPlan;
use std::{collections::BTreeMap, sync::Arc};

/// A query over known tables.
#[derive(Clone, Debug)]
pub struct Planned {
    plan: LogicalPlan,
    catalog: Arc<Catalog>,
}

impl Planned {
    /// The columns that come out.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema().inner().clone()
    }

    /// Whether it has state: an aggregation, a join of streams, a removal of duplicates.
    pub fn remembers(&self) -> bool {
        add::remembers(&self.plan, &self.catalog)
    }

    /// Refuses modes in which it cannot be kept over rows that are a result themselves: those of a step with state.
    pub fn over_results(&self, modes: &[OutputMode]) -> Result<()> {
        if add::groups(&self.plan) { add::over_results(modes) } else { Ok(()) }
    }

    /// The columns of rows that come too late: none unless it has state, and none if it has several parts with state, whose
    /// late rows are not alike.
    pub fn late(&self) -> Option<SchemaRef> {
        add::late(&self.plan, &self.catalog)
    }

    /// Adds its parts to a dataflow under the name of the step `name`, and answers where its rows come from, for sinks and
    /// steps that want them in one of `modes`; then where late rows come from, if [`Planned::late`] has columns. `tables`
    /// says where those of each table come from.
    pub fn add_to(
        &self,
        flow: &mut Dataflow,
        name: &str,
        tables: &BTreeMap<String, Outputs>,
        modes: &[OutputMode],
    ) -> Result<(Outputs, Option<Outputs>)> {
        add::add(&self.plan, &self.catalog, flow, name, tables, modes)
    }
}

/// Where the rows of a step come from, for each mode in which they are wanted.
#[derive(Clone, Debug, Default)]
pub struct Outputs(pub Vec<(OutputMode, Input)>);

impl Outputs {
    /// The same rows in every mode: of a source, or a step without state.
    pub fn alike(input: Input) -> Self {
        Outputs(
            [OutputMode::Append, OutputMode::Update, OutputMode::Complete].map(|mode| (mode, input)).into(),
        )
    }

    /// Where the rows of a mode come from.
    pub fn of(&self, mode: OutputMode) -> Result<Input> {
        let found = self.0.iter().find(|(of, _)| *of == mode).map(|(_, input)| *input);
        found.ok_or_else(|| Error::internal(format!("rows were not planned for mode {mode}")))
    }
}
