//! What the condition of a join says about the times of rows that match: how long a row has to wait for the others.
//!
//! A condition such as `ct <= it + INTERVAL 3 MINUTES` is brought into the form `own > other + c`. Rows of the other side
//! are above the watermark, or they are late; so a row whose own time is at most `watermark + c` waits in vain. As in Spark,
//! this is reckoned in whole milliseconds, a `>=` gives it one more, and of several conditions the most patient one counts.

use datafusion_common::{Column, ScalarValue};
use datafusion_expr::{Between, BinaryExpr, Expr, Operator};

/// The event-time columns of the side that waits, and of the other one.
pub(super) struct Times<'a> {
    pub(super) own: &'a dyn Fn(&Column) -> bool,
    pub(super) other: &'a dyn Fn(&Column) -> bool,
}

/// A sum of times and lengths of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    /// How often the waiting side's time is in it; negative where it is subtracted.
    own: i64,
    /// How often the other side's time is in it.
    other: i64,
    micros: i64,
}

impl Sum {
    fn minus(self, of: Sum) -> Option<Sum> {
        Some(Sum {
            own: self.own.checked_sub(of.own)?,
            other: self.other.checked_sub(of.other)?,
            micros: self.micros.checked_sub(of.micros)?,
        })
    }

    fn plus(self, of: Sum) -> Option<Sum> {
        self.minus(Sum::default().minus(of)?)
    }
}

impl Times<'_> {
    /// By how many milliseconds the watermark has to be past a row's time before nothing can match it any more, if these
    /// conditions, all of which hold, say so.
    pub(super) fn patience(&self, conditions: &[&Expr]) -> Option<i64> {
        conditions.iter().flat_map(|condition| self.bounds(condition)).max()
    }

    fn bounds(&self, condition: &Expr) -> Vec<i64> {
        let bounds = match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::Lt => vec![self.bound(left, right, false)],
                Operator::LtEq => vec![self.bound(left, right, true)],
                Operator::Gt => vec![self.bound(right, left, false)],
                Operator::GtEq => vec![self.bound(right, left, true)],
                _ => Vec::new(),
            },
            Expr::Between(Between { expr, negated: false, low, high }) => {
                vec![self.bound(low, expr, true), self.bound(expr, high, true)]
            }
            _ => Vec::new(),
        };
        bounds.into_iter().flatten().collect()
    }

    /// Of `less < more`, or `less <= more`.
    fn bound(&self, less: &Expr, more: &Expr, equal: bool) -> Option<i64> {
        let Sum { own: -1, other: 1, micros } = self.sum(less)?.minus(self.sum(more)?)? else { return None };
        micros.div_euclid(1000).checked_neg()?.checked_add(i64::from(equal))
    }

    fn sum(&self, expr: &Expr) -> Option<Sum> {
        match expr {
            Expr::Column(column) if (self.own)(column) => Some(Sum { own: 1, ..Sum::default() }),
            Expr::Column(column) if (self.other)(column) => Some(Sum { other: 1, ..Sum::default() }),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => {
                self.sum(left)?.plus(self.sum(right)?)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                self.sum(left)?.minus(self.sum(right)?)
            }
            Expr::Negative(of) => Sum::default().minus(self.sum(of)?),
            Expr::Alias(alias) => self.sum(&alias.expr),
            Expr::Cast(cast) if is_time(cast.field.data_type()) => self.sum(&cast.expr),
            Expr::Literal(value, _) => Some(Sum { micros: length(value)?, ..Sum::default() }),
            _ => None,
        }
    }
}

/// Whether a cast to the type leaves an instant what it is.
fn is_time(of: &arrow::datatypes::DataType) -> bool {
    matches!(of, arrow::datatypes::DataType::Timestamp(..))
}

/// Microseconds of a length of time; months have none.
fn length(value: &ScalarValue) -> Option<i64> {
    const DAY: i64 = 86_400_000_000;
    match value {
        ScalarValue::IntervalMonthDayNano(Some(of)) if of.months == 0 => {
            i64::from(of.days).checked_mul(DAY)?.checked_add(of.nanoseconds.div_euclid(1000))
        }
        ScalarValue::IntervalDayTime(Some(of)) => {
            i64::from(of.days).checked_mul(DAY)?.checked_add(i64::from(of.milliseconds).checked_mul(1000)?)
        }
        ScalarValue::DurationMicrosecond(Some(micros)) => Some(*micros),
        ScalarValue::DurationMillisecond(Some(millis)) => millis.checked_mul(1000),
        ScalarValue::DurationSecond(Some(seconds)) => seconds.checked_mul(1_000_000),
        ScalarValue::DurationNanosecond(Some(nanos)) => Some(nanos.div_euclid(1000)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::IntervalMonthDayNano;
    use datafusion_expr::{col, lit};

    fn minutes(of: i64) -> Expr {
        lit(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(0, 0, of * 60_000_000_000))))
    }

    /// How patient rows of the side whose time is `own` are, with `other` the other side's.
    fn patience(condition: Expr, own: &str, other: &str) -> Option<i64> {
        let times = Times { own: &|of| of.name == own, other: &|of| of.name == other };
        times.patience(&datafusion_expr::utils::split_conjunction(&condition))
    }

    #[test]
    fn each_side_waits_for_as_long_as_the_other_may_be_behind() {
        let range = col("ct").gt_eq(col("it")).and(col("ct").lt_eq(col("it") + minutes(3)));
        assert_eq!(patience(range.clone(), "it", "ct"), Some(180_001));
        assert_eq!(patience(range, "ct", "it"), Some(1));
    }

    #[test]
    fn between_is_a_range_and_a_strict_bound_is_a_millisecond_shorter() {
        let between = col("ct").between(col("it") - minutes(1), col("it") + minutes(3));
        assert_eq!(patience(between.clone(), "it", "ct"), Some(180_001));
        assert_eq!(patience(between, "ct", "it"), Some(60_001));
        assert_eq!(patience(col("ct").lt(col("it") + minutes(3)), "it", "ct"), Some(180_000));
    }

    #[test]
    fn of_several_bounds_the_most_patient_one_counts() {
        let both = col("ct").lt(col("it") + minutes(3)).and(col("it").gt(col("ct") - minutes(5)));
        assert_eq!(patience(both, "it", "ct"), Some(300_000));
    }

    #[test]
    fn what_bounds_the_other_side_alone_or_is_no_sum_says_nothing() {
        assert_eq!(patience(col("ct").gt(col("it")), "it", "ct"), None);
        assert_eq!(patience(col("ct").lt(col("it") + col("gap")), "it", "ct"), None);
        let months = lit(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(1, 0, 0))));
        assert_eq!(patience(col("ct").lt(col("it") + months), "it", "ct"), None);
        assert_eq!(patience(col("ct").eq(col("it")), "it", "ct"), None);
    }
}
