//! `s.*` of a column that is a struct: its fields.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion_expr::sqlparser::ast::{Expr, Ident, Select, SelectItem, SelectItemQualifiedWildcardKind};
use std::collections::HashSet;

/// Writes the fields out where a table's column is meant, and no table.
pub(super) fn written_out(select: &mut Select, tables: &[SchemaRef], relations: &HashSet<String>) {
    let items = std::mem::take(&mut select.projection).into_iter().flat_map(|item| {
        let fields = match &item {
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let name = super::name(name);
                if relations.contains(&name.to_lowercase()) { None } else { fields(&name, tables) }
            }
            _ => None,
        };
        fields.unwrap_or_else(|| vec![item])
    });
    select.projection = items.collect();
}

fn fields(column: &str, tables: &[SchemaRef]) -> Option<Vec<SelectItem>> {
    let mut columns = tables.iter().flat_map(|schema| schema.fields());
    let of = columns.find(|field| field.name().eq_ignore_ascii_case(column))?;
    let DataType::Struct(fields) = of.data_type() else { return None };
    let field = |name: &str| {
        let alias = Ident::with_quote('`', name);
        let expr = Expr::CompoundIdentifier(vec![Ident::new(of.name()), alias.clone()]);
        SelectItem::ExprWithAlias { expr, alias }
    };
    Some(fields.iter().map(|of| field(of.name())).collect())
}
