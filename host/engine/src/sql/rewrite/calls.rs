//! Calls of functions that are something else in DataFusion's words: another function, other arguments, a cast, a `CASE`.

use super::name;
use datafusion_expr::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, ExactNumberInfo, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArguments, Ident, NullTreatment, ObjectName, TimezoneInfo,
    UnaryOperator, Value, helpers::attached_token::AttachedToken,
};

/// Spark's function of a part of a time, and that part.
const PARTS: &[(&str, &str)] = &[
    ("year", "year"),
    ("quarter", "quarter"),
    ("month", "month"),
    ("week", "week"),
    ("weekofyear", "week"),
    ("day", "day"),
    ("dayofmonth", "day"),
    ("dayofweek", "dayofweek"),
    ("weekday", "weekday"),
    ("dayofyear", "dayofyear"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("second", "wholesecond"),
];

/// Functions whose first argument is a unit of time, written without quotes, and what they are called here.
const OF_UNITS: &[(&str, &str)] = &[
    ("timestampadd", "timestampadd"),
    ("dateadd", "timestampadd"),
    ("date_add", "timestampadd"),
    ("timestampdiff", "timestampdiff"),
    ("datediff", "timestampdiff"),
    ("date_diff", "timestampdiff"),
];

/// Puts a call in the words that the functions are known by.
pub(super) fn in_other_words(expr: &mut Expr) {
    let Expr::Function(call) = expr else { return };
    let known = name(&call.name).to_lowercase();
    if let Some(other) = replaced(&known, call) {
        *expr = other;
        // What has come of it may be a call again: of `try_mod`, `mod`.
        return in_other_words(expr);
    }
    renamed(&known, call);
}

/// Puts what is written as an operator, or in words, as the call that it is.
pub(super) fn as_call(expr: &mut Expr) {
    *expr = match expr {
        Expr::RLike { negated, expr: of, pattern, .. } => {
            let like = function("regexp_like", vec![of.as_ref().clone(), pattern.as_ref().clone()]);
            if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(like) } } else { like }
        }
        Expr::Ceil { expr: of, field: CeilFloorKind::Scale(scale) } => {
            function("ceil", vec![of.as_ref().clone(), Expr::Value(scale.clone())])
        }
        Expr::Floor { expr: of, field: CeilFloorKind::Scale(scale) } => {
            function("floor", vec![of.as_ref().clone(), Expr::Value(scale.clone())])
        }
        Expr::Struct { values, fields } if fields.is_empty() => function("named_struct", named(values)),
        Expr::Substring { expr: of, substring_from, substring_for, .. } => {
            let given = [Some(&*of), substring_from.as_ref(), substring_for.as_ref()];
            function("substring", given.into_iter().flatten().map(|of| of.as_ref().clone()).collect())
        }
        Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr: of } => {
            function("bitwise_not", vec![of.as_ref().clone()])
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: of } => {
            function("negative", vec![of.as_ref().clone()])
        }
        _ => return,
    };
}

/// What stands for a call, if it is no call, or another one.
fn replaced(known: &str, call: &Function) -> Option<Expr> {
    let args = plain(call)?;
    if let Some(mut other) = of_group(known, &args) {
        match &mut other {
            Expr::Function(other) => other.filter.clone_from(&call.filter),
            _ => return None,
        }
        return Some(other);
    }
    if call.filter.is_some() {
        return None;
    }
    of_row(known, &args).or_else(|| of_array(known, &args)).or_else(|| of_time(known, &args))
}

/// Of aggregates.
fn of_group(known: &str, args: &[Expr]) -> Option<Expr> {
    Some(match (known, args) {
        ("first" | "first_value" | "any_value" | "last" | "last_value", [of, Expr::Value(skip)]) => {
            let name = if known.starts_with("last") { "last" } else { "first" };
            let mut call = function(name, vec![of.clone()]);
            if let (Expr::Function(call), Value::Boolean(true)) = (&mut call, &skip.value) {
                call.null_treatment = Some(NullTreatment::IgnoreNulls);
            }
            call
        }
        ("listagg" | "string_agg", [of]) => function("string_agg", vec![of.clone(), text("")]),
        ("count_if", [condition]) => function("count", vec![case(vec![(condition.clone(), truth())], None)]),
        _ => return None,
    })
}

/// Of what is worked out for each row.
fn of_row(known: &str, args: &[Expr]) -> Option<Expr> {
    Some(match (known, args) {
        (known, [of]) if type_of(known).is_some() => cast(of, type_of(known)?),
        ("to_timestamp_ntz", [of]) => cast(of, DataType::TimestampNtz(None)),
        ("isnull", [of]) => Expr::IsNull(Box::new(of.clone())),
        ("isnotnull", [of]) => Expr::IsNotNull(Box::new(of.clone())),
        // As in Spark, what is given back is of the type of the first.
        ("nullif", [of, other]) => {
            let same = binary(of, BinaryOperator::Eq, other);
            case(vec![(same, Expr::Value(Value::Null.into()))], Some(of.clone()))
        }
        ("equal_null", [left, right]) => binary(left, BinaryOperator::Spaceship, right),
        ("nullifzero", [of]) => function("nullif", vec![of.clone(), number("0")]),
        ("zeroifnull", [of]) => function("coalesce", vec![of.clone(), number("0")]),
        ("positive", [of]) => of.clone(),
        ("replace", [of, what]) => function("replace", vec![of.clone(), what.clone(), text("")]),
        ("mod", [left, right]) => binary(left, BinaryOperator::Modulo, right),
        ("try_divide", [left, right]) => unless_zero(right, binary(left, BinaryOperator::Divide, right)),
        ("try_mod", [left, right]) => unless_zero(right, binary(left, BinaryOperator::Modulo, right)),
        ("like", [of, pattern]) => like(of, pattern, false),
        ("ilike", [of, pattern]) => like(of, pattern, true),
        ("decode", [of, pairs @ ..]) if pairs.len() > 1 => decoded(of, pairs),
        // The greatest of pairs, of which the first decides.
        ("max_by", [value, by]) => beside("max", value, by),
        ("min_by", [value, by]) => beside("min", value, by),
        _ => return None,
    })
}

/// Of arrays, maps and structs.
fn of_array(known: &str, args: &[Expr]) -> Option<Expr> {
    Some(match (known, args) {
        ("struct", values) => function("named_struct", named(values)),
        ("sort_array", [of]) => sorted(of, "ASC", "NULLS FIRST"),
        ("sort_array", [of, Expr::Value(up)]) => match up.value {
            Value::Boolean(true) => sorted(of, "ASC", "NULLS FIRST"),
            _ => sorted(of, "DESC", "NULLS LAST"),
        },
        ("array_sort", [of]) => sorted(of, "ASC", "NULLS LAST"),
        ("array_position", [of, element]) => {
            let null = |of: &Expr| Expr::IsNull(Box::new(of.clone()));
            let nothing = binary(&null(of), BinaryOperator::Or, &null(element));
            let found = cast(&function("list_position", args.to_vec()), DataType::BigInt(None));
            let found = function("coalesce", vec![found, cast(&number("0"), DataType::BigInt(None))]);
            case(vec![(nothing, Expr::Value(Value::Null.into()))], Some(found))
        }
        ("map_contains_key", [map, key]) => {
            function("array_contains", vec![function("map_keys", vec![map.clone()]), key.clone()])
        }
        ("explode_outer", [of]) => {
            let some = binary(&function("size", vec![of.clone()]), BinaryOperator::Gt, &number("0"));
            let none = function("array", vec![Expr::Value(Value::Null.into())]);
            function("unnest", vec![case(vec![(some, of.clone())], Some(none))])
        }
        _ => return None,
    })
}

/// Of dates and times.
fn of_time(known: &str, args: &[Expr]) -> Option<Expr> {
    Some(match (known, args) {
        ("unix_timestamp", []) => function("unix_timestamp", vec![function("current_timestamp", Vec::new())]),
        ("date_part" | "datepart", [Expr::Value(part), of]) => match &part.value {
            Value::SingleQuotedString(part)
                if part.to_lowercase().starts_with("sec") || part.eq_ignore_ascii_case("s") =>
            {
                function("seconds", vec![of.clone()])
            }
            Value::SingleQuotedString(part) if part.chars().any(char::is_uppercase) => {
                function("date_part", vec![text(&part.to_lowercase()), of.clone()])
            }
            _ => return None,
        },
        (known, [Expr::Identifier(unit), rest @ ..]) if rest.len() == 2 => {
            let (_, ours) = OF_UNITS.iter().find(|(spark, _)| *spark == known)?;
            function(ours, [vec![text(&unit.value)], rest.to_vec()].concat())
        }
        _ => return None,
    })
}

/// Gives a call the name and arguments of the function that does it.
fn renamed(known: &str, call: &mut Function) {
    if known == "explode" {
        call.name = ObjectName::from(vec![Ident::new("unnest")]);
    }
    let part = PARTS.iter().find(|(spark, _)| *spark == known).map(|(_, part)| *part);
    if let (Some(part), FunctionArguments::List(list)) = (part, &mut call.args)
        && list.args.len() == 1
    {
        call.name = ObjectName::from(vec![Ident::new("date_part")]);
        list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(text(part))));
    }
}

/// The arguments of a call that has nothing but these, and perhaps a filter.
fn plain(call: &Function) -> Option<Vec<Expr>> {
    match &call.args {
        FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => {
            let args = list.args.iter().map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            });
            call.over.is_none().then(|| args.collect())?
        }
        FunctionArguments::None => Some(Vec::new()),
        _ => None,
    }
}

/// The type that a function of this name casts to.
fn type_of(name: &str) -> Option<DataType> {
    Some(match name {
        "boolean" => DataType::Boolean,
        "tinyint" => DataType::TinyInt(None),
        "smallint" => DataType::SmallInt(None),
        "int" => DataType::Int(None),
        "bigint" => DataType::BigInt(None),
        "float" => DataType::Float(ExactNumberInfo::None),
        "double" => DataType::Double(ExactNumberInfo::None),
        "decimal" => DataType::Decimal(ExactNumberInfo::None),
        "string" => DataType::String(None),
        "binary" => DataType::Binary(None),
        "date" => DataType::Date,
        "timestamp" => DataType::Timestamp(None, TimezoneInfo::None),
        _ => return None,
    })
}

pub(super) fn cast(of: &Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(of.clone()), data_type, array: false, format: None }
}

fn function(name: &str, args: Vec<Expr>) -> Expr {
    use datafusion_expr::sqlparser::ast::FunctionArgumentList;
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn number(digits: &str) -> Expr {
    Expr::Value(Value::Number(digits.into(), false).into())
}

pub(super) fn text(of: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(of.to_owned()).into())
}

fn truth() -> Expr {
    Expr::Value(Value::Boolean(true).into())
}

fn binary(left: &Expr, op: BinaryOperator, right: &Expr) -> Expr {
    let nested = |of: &Expr| Box::new(Expr::Nested(Box::new(of.clone())));
    Expr::BinaryOp { left: nested(left), op, right: nested(right) }
}

fn like(of: &Expr, pattern: &Expr, any_case: bool) -> Expr {
    let (expr, pattern) = (Box::new(of.clone()), Box::new(pattern.clone()));
    match any_case {
        true => Expr::ILike { negated: false, any: false, expr, pattern, escape_char: None },
        false => Expr::Like { negated: false, any: false, expr, pattern, escape_char: None },
    }
}

/// The values of a struct and the names that they have there.
fn named(values: &[Expr]) -> Vec<Expr> {
    let pairs = values.iter().enumerate().map(|(at, value)| match value {
        Expr::Named { expr, name } => [text(&name.value), expr.as_ref().clone()],
        Expr::Identifier(name) => [text(&name.value), value.clone()],
        Expr::CompoundIdentifier(names) => {
            let name = names.last().map_or("", |name| name.value.as_str());
            [text(name), value.clone()]
        }
        value => [text(&format!("col{}", at + 1)), value.clone()],
    });
    pairs.flatten().collect()
}

fn sorted(of: &Expr, order: &str, nulls: &str) -> Expr {
    function("array_sort", vec![of.clone(), text(order), text(nulls)])
}

fn beside(best: &str, value: &Expr, by: &Expr) -> Expr {
    let pair = function("named_struct", vec![text("by"), by.clone(), text("value"), value.clone()]);
    let there = Expr::IsNotNull(Box::new(by.clone()));
    let best = function(best, vec![case(vec![(there, pair)], None)]);
    function("get_field", vec![best, text("value")])
}

/// `otherwise`, but NULL where the divisor is zero.
fn unless_zero(divisor: &Expr, otherwise: Expr) -> Expr {
    let zero = binary(divisor, BinaryOperator::Eq, &number("0"));
    case(vec![(zero, Expr::Value(Value::Null.into()))], Some(otherwise))
}

/// `decode(of, a, x, b, y[, otherwise])`, to which NULL is equal to NULL.
fn decoded(of: &Expr, pairs: &[Expr]) -> Expr {
    let (pairs, rest) = pairs.as_chunks::<2>();
    let pairs = pairs.iter().map(|[key, value]| (binary(of, BinaryOperator::Spaceship, key), value.clone()));
    case(pairs.collect(), rest.first().cloned())
}

fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    let conditions = branches.into_iter().map(|(condition, result)| CaseWhen { condition, result });
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: conditions.collect(),
        else_result: otherwise.map(Box::new),
    }
}
