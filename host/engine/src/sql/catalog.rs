use super::{functions, rewrite::known::is_sparks, text::options, types::SparkTypes};
use crate::{NamedFunction, plan::NamedTable};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::{Result, TableReference, config::ConfigOptions, plan_err};
use datafusion_expr::{
    AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF,
    logical_plan::builder::LogicalTableSource,
    planner::{ContextProvider, ExprPlanner, TypePlanner},
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

/// What a query may name: tables, and Spark's functions.
pub struct Catalog {
    tables: BTreeMap<String, SchemaRef>,
    /// Those of the tables that are no streams.
    kept: BTreeMap<String, Arc<NamedTable>>,
    /// Where the rows of tables are that are all there.
    at_hand: BTreeMap<String, Arc<dyn TableSource>>,
    scalars: HashMap<String, Arc<ScalarUDF>>,
    /// Functions that Spark has not, by their names in lower case. They are among the scalars.
    provided: BTreeMap<String, Arc<NamedFunction>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    windows: HashMap<String, Arc<WindowUDF>>,
    higher_order: HashMap<String, Arc<HigherOrderUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    config: ConfigOptions,
}

impl Catalog {
    /// Tables by name; times without a zone are of `time_zone`, an IANA name.
    pub fn new(tables: BTreeMap<String, SchemaRef>, time_zone: &str) -> Self {
        Catalog {
            tables,
            kept: BTreeMap::new(),
            at_hand: BTreeMap::new(),
            scalars: functions::scalars(),
            provided: BTreeMap::new(),
            aggregates: functions::aggregates(),
            windows: HashMap::new(),
            higher_order: functions::higher_order(),
            planners: functions::planners(),
            config: options(time_zone),
        }
    }

    /// Further tables, which are no streams.
    pub fn with_tables(mut self, tables: impl IntoIterator<Item = Arc<NamedTable>>) -> Self {
        for table in tables {
            self.tables.insert(table.name.clone(), table.schema());
            self.kept.insert(table.name.clone(), table);
        }
        self
    }

    /// Further functions. None of them has the name of one that is there already: see [`NamedFunction::new`].
    #[must_use]
    pub fn with_functions(mut self, functions: impl IntoIterator<Item = Arc<NamedFunction>>) -> Self {
        for function in functions {
            let name = function.name.to_lowercase();
            self.scalars.insert(name.clone(), functions::provided(function.clone()));
            self.provided.insert(name, function);
        }
        self
    }

    /// Functions that Spark has not, by their names in lower case.
    pub(super) fn provided(&self) -> &BTreeMap<String, Arc<NamedFunction>> {
        &self.provided
    }

    /// Says where the rows of tables are. With all rows there, windows of rows (`OVER`) have a meaning.
    pub(super) fn at_hand(mut self, tables: BTreeMap<String, Arc<dyn TableSource>>) -> Self {
        self.at_hand = tables;
        self.windows = functions::windows_of_rows();
        self
    }

    /// Whether all rows are there, so that every query has an answer.
    pub(super) fn is_at_hand(&self) -> bool {
        !self.windows.is_empty()
    }

    /// The table of this name, if it is no stream.
    pub(super) fn table(&self, name: &str) -> Option<&Arc<NamedTable>> {
        self.kept.get(name)
    }

    /// The tables.
    pub(super) fn tables(&self) -> &BTreeMap<String, SchemaRef> {
        &self.tables
    }

    pub(super) fn config(&self) -> &ConfigOptions {
        &self.config
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("tables", &self.tables).finish_non_exhaustive()
    }
}

impl ContextProvider for Catalog {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        if let Some(source) = self.at_hand.get(name.table()) {
            return Ok(source.clone());
        }
        match self.tables.get(name.table()) {
            Some(schema) => Ok(Arc::new(LogicalTableSource::new(schema.clone()))),
            None => {
                let there: Vec<&str> = self.tables.keys().map(String::as_str).collect();
                plan_err!("there is no table `{name}`; there are: {}", there.join(", "))
            }
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(SparkTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalars.get(&name.to_lowercase()).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.higher_order.get(&name.to_lowercase()).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(&name.to_lowercase()).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.windows.get(&name.to_lowercase()).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.config
    }

    fn udf_names(&self) -> Vec<String> {
        [sorted(self.provided.keys(), |_| true), sorted(self.scalars.keys(), is_sparks)].concat()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        sorted(self.higher_order.keys(), is_sparks)
    }

    fn udaf_names(&self) -> Vec<String> {
        sorted(self.aggregates.keys(), is_sparks)
    }

    fn udwf_names(&self) -> Vec<String> {
        self.windows.keys().cloned().collect()
    }
}

/// Those that a query may call, in an order that is always the same, as the first of the names that are most like a misspelt one is proposed.
fn sorted<'a>(names: impl Iterator<Item = &'a String>, may: impl Fn(&str) -> bool) -> Vec<String> {
    let mut names: Vec<String> = names.filter(|name| may(name)).cloned().collect();
    names.sort();
    names
}
