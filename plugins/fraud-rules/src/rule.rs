//! One rule.

use streamhost::Interval;

use crate::{Alert, Transaction};

/// What a transaction meets together with those of the window before it.
#[streamhost::config]
pub(crate) struct Rule {
    /// How its alerts are called.
    name: String,
    /// How many transactions there are at least.
    count: usize,
    /// The least amount of a transaction that counts; every one does without it.
    at_least: Option<f64>,
    /// What their amounts come to at least.
    total: Option<f64>,
}

impl Rule {
    /// The alert that a transaction raises, which is among `recent` itself.
    pub(crate) fn alert(
        &self,
        transaction: &Transaction,
        recent: &[Transaction],
        Interval(window): Interval,
    ) -> Option<Alert> {
        let counts = |other: &&Transaction| self.at_least.is_none_or(|least| other.amount >= least);
        let within =
            |other: &&Transaction| other.time <= transaction.time && other.time + window > transaction.time;
        if !counts(&transaction) {
            return None;
        }
        let amounts = recent.iter().filter(within).filter(counts).map(|other| other.amount);
        let (n, total) = amounts.fold((0, 0.0), |(n, total), amount| (n + 1, total + amount));
        let met = n >= self.count && self.total.is_none_or(|least| total >= least);
        met.then(|| Alert { rule: self.name.clone(), at: transaction.time, n: n as i64, total })
    }
}
