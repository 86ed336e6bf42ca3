//! Calls of functions in the text of a query: which of them name none, and where they stand.

use super::{
    Catalog, Sql, SqlError,
    rewrite::{
        self,
        known::{is_sparks, is_there, nearest},
    },
};
use crate::{Error, Result};
use datafusion_expr::sqlparser::ast::{Expr, Function, Query, SelectItem, SetExpr, Visit, Visitor};
use std::{collections::BTreeMap, ops::ControlFlow};

/// Refuses a name that a query could not call a function by: one that is taken, or no name of a function at all.
pub fn check_function_name(name: &str) -> Result<()> {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !letters || name.is_empty() || name.len() > 64 || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Error::invalid(format!(
            "{name:?} is no name of a function; it has 1 to 64 letters, digits and `_`, and no digit in front"
        )));
    }
    let known = name.to_lowercase();
    if is_sparks(&known) || is_there(&Catalog::new(BTreeMap::new(), "UTC"), &known) {
        return Err(Error::invalid(format!(
            "SQL has a function `{known}` already, which this one would hide; choose another name"
        )));
    }
    match Sql::parse(&format!("SELECT {name}(1)")) {
        Ok(sql) if is_call(sql.query(), name) => Ok(()),
        _ => Err(Error::invalid(format!("`{name}` is a word of SQL itself; choose another name"))),
    }
}

/// Whether a query is nothing but a call of this function.
fn is_call(query: &Query, name: &str) -> bool {
    let SetExpr::Select(select) = &*query.body else { return false };
    match &select.projection[..] {
        [SelectItem::UnnamedExpr(Expr::Function(call))] => rewrite::name(&call.name) == name,
        _ => false,
    }
}

/// Refuses a call of a function that is nowhere, if there are functions beside Spark's: then these are told.
pub(super) fn refuse_unknown(query: &Query, catalog: &Catalog) -> Result<(), SqlError> {
    if catalog.provided().is_empty() {
        return Ok(()); // The planner says what it has.
    }
    let unknown =
        calls(query).into_iter().find(|call| !is_sparks(&call.name) && !is_there(catalog, &call.name));
    let Some(Call { name, at }) = unknown else { return Ok(()) };
    let own: Vec<&str> = catalog.provided().values().map(|function| function.name.as_str()).collect();
    let near = nearest(catalog, &name);
    let what = format!(
        "SQL: there is no function `{name}`; this pipeline has {} beside Spark's functions, of which the nearest are {near}",
        own.join(", ")
    );
    Err(SqlError { at, error: Error::invalid(what) })
}

/// Where the call stands that an error of planning is about, if it is the only one of a function that was provided.
pub(super) fn place(query: &Query, catalog: &Catalog, error: &str) -> Option<(usize, usize)> {
    let mut provided = catalog.provided().iter();
    let (blamed, _) =
        provided.find(|(_, function)| error.contains(&format!("{} is called", function.usage())))?;
    let mut of_it = calls(query).into_iter().filter(|call| call.name == *blamed);
    match (of_it.next(), of_it.next()) {
        (Some(only), None) => only.at,
        _ => None,
    }
}

/// A call: the name in lower case, and its line and column.
struct Call {
    name: String,
    at: Option<(usize, usize)>,
}

fn calls(query: &Query) -> Vec<Call> {
    let mut calls = Calls(Vec::new());
    let _ = query.visit(&mut calls);
    calls.0
}

struct Calls(Vec<Call>);

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(call) = expr {
            self.0.push(Call { name: rewrite::name(&call.name).to_lowercase(), at: at(call) });
        }
        ControlFlow::Continue(())
    }
}

fn at(call: &Function) -> Option<(usize, usize)> {
    let start = call.name.0.first()?.as_ident()?.span.start;
    (start.line > 0).then_some((start.line as usize, start.column as usize))
}
