//! Aggregate functions whose type is another one in DataFusion.

use super::calls::cast;
use datafusion_expr::sqlparser::ast::{DataType, Expr};

/// A call, whose arguments are put in DataFusion's words already, with Spark's type.
pub(super) fn typed(expr: &mut Expr) {
    let Expr::Function(call) = &*expr else { return };
    if super::name(&call.name).eq_ignore_ascii_case("approx_count_distinct") {
        *expr = cast(expr, DataType::BigInt(None));
    }
}
