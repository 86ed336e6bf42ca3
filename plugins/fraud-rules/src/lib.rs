#![doc = include_str!("../README.md")]

mod rule;

use streamhost::Interval;
use streamhost::prelude::*;

use rule::Rule;

/// Which transactions are suspicious.
#[streamhost::config]
pub struct Config {
    /// The column of event time, a TIMESTAMP.
    time: String,
    /// The column of amounts, a DOUBLE or a smaller number.
    amount: String,
    /// How far back a rule looks from a transaction.
    window: Interval,
    /// Each transaction raises an alert by each rule that it meets.
    rules: Vec<Rule>,
    /// How many transactions are remembered of a key; the oldest go first.
    #[serde(default = "thousand")]
    remember: usize,
}

fn thousand() -> usize {
    1000
}

fn columns(config: &Config) -> Vec<String> {
    vec![config.time.clone(), config.amount.clone()]
}

/// A transaction, as it comes and as it is remembered.
#[derive(Row, Clone)]
pub struct Transaction {
    time: Timestamp,
    amount: f64,
}

/// That a transaction meets a rule. The key's columns stand before these.
#[derive(Row)]
pub struct Alert {
    rule: String,
    /// The transaction's time.
    at: Timestamp,
    /// How many transactions the rule counts, this one included.
    n: i64,
    /// What their amounts come to.
    total: f64,
}

/// Holds each transaction of a key against the rules, together with those before it.
///
/// # Errors
/// None that a row causes: one without time or amount is in error by itself.
#[streamhost::keyed(expired = forget, reads = columns)]
pub fn watch(
    transactions: Group<Transaction>,
    recent: &mut Vec<Transaction>,
    timers: &mut Timers,
    config: &Config,
) -> Result<Vec<Alert>> {
    let mut alerts = Vec::new();
    for transaction in transactions {
        recent.push(transaction.clone());
        let of = config.rules.iter().filter_map(|rule| rule.alert(&transaction, recent, config.window));
        alerts.extend(of);
        let excess = recent.len().saturating_sub(config.remember);
        recent.drain(..excess);
    }
    wait(recent, timers, config)?;
    Ok(alerts)
}

/// No transaction that still comes looks back at one that is a window behind the watermark.
fn forget(
    fired: Fired,
    recent: &mut Vec<Transaction>,
    timers: &mut Timers,
    config: &Config,
) -> Result<Vec<Alert>> {
    recent.retain(|transaction| transaction.time + config.window.0 > fired.at);
    wait(recent, timers, config)?;
    Ok(Vec::new())
}

/// One timer, for the oldest transaction.
fn wait(recent: &[Transaction], timers: &mut Timers, config: &Config) -> Result<()> {
    match recent.iter().map(|transaction| transaction.time).min() {
        Some(oldest) => {
            let at = (oldest + config.window.0).max(timers.earliest(Clock::EventTime));
            timers.replace(Clock::EventTime, at)
        }
        None => {
            timers.clear_all(Clock::EventTime);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::keyed_cases::<watch>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn what_no_rule_can_look_back_at_is_forgotten() {
        let config = r#"{"time": "t", "amount": "x", "window": "1m", "rules": [], "remember": 2}"#;
        let mut job =
            testing::bind_keyed::<watch>(config, "id INT, t TIMESTAMP, x INT", &["id"]).expect("a job");
        let row = |at: &str| format!("{{\"id\": 1, \"t\": \"2025-03-01T12:{at}Z\", \"x\": 1}}\n");
        job.epoch(&(row("00:00") + &row("00:30") + &row("00:20"))).expect("rows");
        assert_eq!(job.state("recent").expect("a table").len(), 2);
        let mut left = |watermark: &str| {
            job.watermark(watermark).expect("a time").epoch("").expect("timers");
            let (state, timers) = (job.state("recent").expect("a table"), job.timers(Clock::EventTime));
            (state.len(), timers.expect("timers").len())
        };
        assert_eq!(left("2025-03-01T12:01:19Z"), (2, 1));
        assert_eq!(left("2025-03-01T12:01:20Z"), (1, 1));
        assert_eq!(left("2025-03-01T12:01:30Z"), (0, 0));
    }
}
