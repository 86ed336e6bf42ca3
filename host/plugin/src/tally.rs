use crate::limits::{Limits, Share};
use engine::StepProgress;
use serde_json::{Map, Number, Value};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Names of metrics that one step may have; more are ignored.
const MOST_METRICS: usize = 100;

/// What a step did, summed over its lanes.
#[derive(Default)]
pub(crate) struct Tally {
    calls: AtomicU64,
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    rows_error: AtomicU64,
    nanos: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    metrics: Mutex<Metrics>,
    /// The sum of the fingerprints of all answers.
    answers: AtomicU64,
    worst: Worst,
}

/// The most of each limit that any call used.
#[derive(Default)]
struct Worst {
    memory: AtomicU64,
    table_elements: AtomicU64,
    cpu_ms: AtomicU64,
    wall_ms: AtomicU64,
    output_bytes: AtomicU64,
    output_rows: AtomicU64,
    host_calls: AtomicU64,
    log_bytes: AtomicU64,
}

/// What one call cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) bytes_in: usize,
    pub(crate) bytes_out: usize,
    pub(crate) rows_out: usize,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) memory: usize,
    pub(crate) table_elements: usize,
    pub(crate) host_calls: u64,
    pub(crate) log_bytes: usize,
}

impl Tally {
    pub(crate) fn call(&self, cost: &Cost) {
        self.calls.fetch_add(1, Relaxed);
        self.nanos.fetch_add(cost.wall.as_nanos() as u64, Relaxed);
        self.bytes_in.fetch_add(cost.bytes_in as u64, Relaxed);
        self.bytes_out.fetch_add(cost.bytes_out as u64, Relaxed);
        self.worst.call(cost);
    }

    /// A batch is done with: so many rows came in, so many left by the main and side outputs, so many were rejected.
    pub(crate) fn batch(&self, rows_in: usize, rows_out: usize, rejected: usize) {
        self.rows_in.fetch_add(rows_in as u64, Relaxed);
        self.rows_out.fetch_add(rows_out as u64, Relaxed);
        self.rows_error.fetch_add(rejected as u64, Relaxed);
    }

    pub(crate) fn answered(&self, fingerprint: u64) {
        self.answers.fetch_add(fingerprint, Relaxed);
    }

    /// Of what was answered since this was last asked.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.answers.swap(0, Relaxed)
    }

    pub(crate) fn metrics(&self, said: &mut Metrics) {
        if !said.is_empty() {
            self.metrics.lock().unwrap_or_else(PoisonError::into_inner).merge(std::mem::take(said));
        }
    }

    /// What happened since this was last asked.
    pub(crate) fn progress(&self) -> StepProgress {
        let take = |n: &AtomicU64| n.swap(0, Relaxed);
        let metrics = std::mem::take(&mut *self.metrics.lock().unwrap_or_else(PoisonError::into_inner));
        StepProgress {
            calls: take(&self.calls),
            rows_in: take(&self.rows_in),
            rows_out: take(&self.rows_out),
            rows_error: take(&self.rows_error),
            micros: take(&self.nanos) / 1_000,
            bytes_in: take(&self.bytes_in),
            bytes_out: take(&self.bytes_out),
            peak_memory: self.worst.memory.load(Relaxed),
            metrics: metrics.into_json(),
        }
    }

    /// How near any call came to each limit.
    pub(crate) fn shares(&self, limits: &Limits) -> Vec<Share> {
        let share = |limit, unit, used: &AtomicU64, allowed: u64| Share {
            limit,
            used: used.load(Relaxed),
            allowed,
            unit,
        };
        let worst = &self.worst;
        vec![
            share("memory", "bytes", &worst.memory, limits.memory as u64),
            share("table-elements", "elements", &worst.table_elements, limits.table_elements as u64),
            share("cpu-per-call", "ms", &worst.cpu_ms, limits.cpu_per_call.as_millis() as u64),
            share("wall-per-call", "ms", &worst.wall_ms, limits.wall_per_call.as_millis() as u64),
            share("output", "bytes", &worst.output_bytes, limits.output_bytes as u64),
            share("output-rows", "rows", &worst.output_rows, limits.output_rows as u64),
            share("host-calls", "calls", &worst.host_calls, limits.host_calls),
            share("log-per-call", "bytes", &worst.log_bytes, limits.log_per_call as u64),
        ]
    }
}

impl Worst {
    fn call(&self, cost: &Cost) {
        let most = |worst: &AtomicU64, value: u64| {
            // A plain load first: an unconditional read-modify-write would bounce the line between lanes.
            if value > worst.load(Relaxed) {
                worst.fetch_max(value, Relaxed);
            }
        };
        most(&self.memory, cost.memory as u64);
        most(&self.table_elements, cost.table_elements as u64);
        most(&self.cpu_ms, cost.cpu.as_millis() as u64);
        most(&self.wall_ms, cost.wall.as_millis() as u64);
        most(&self.output_bytes, cost.bytes_out as u64);
        most(&self.output_rows, cost.rows_out as u64);
        most(&self.host_calls, cost.host_calls);
        most(&self.log_bytes, cost.log_bytes as u64);
    }
}

/// Counters and gauges that a guest reported.
#[derive(Debug, Default)]
pub(crate) struct Metrics(BTreeMap<String, Metric>);

#[derive(Clone, Copy, Debug)]
enum Metric {
    Counter(u64),
    Gauge(f64),
}

impl Metrics {
    pub(crate) fn count(&mut self, name: String, add: u64) {
        self.put(name, Metric::Counter(add));
    }

    pub(crate) fn gauge(&mut self, name: String, value: f64) {
        self.put(name, Metric::Gauge(value));
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn merge(&mut self, later: Metrics) {
        for (name, metric) in later.0 {
            self.put(name, metric);
        }
    }

    fn put(&mut self, name: String, metric: Metric) {
        if self.0.len() >= MOST_METRICS && !self.0.contains_key(&name) {
            return;
        }
        let now = match (self.0.get(&name), metric) {
            (Some(Metric::Counter(n)), Metric::Counter(add)) => Metric::Counter(n.saturating_add(add)),
            _ => metric,
        };
        self.0.insert(name, now);
    }

    /// A gauge that is no number is left out: JSON has none.
    fn into_json(self) -> Map<String, Value> {
        self.0.into_iter().filter_map(|(name, metric)| Some((name, metric.json()?))).collect()
    }
}

impl Metric {
    fn json(self) -> Option<Value> {
        match self {
            Metric::Counter(n) => Some(n.into()),
            Metric::Gauge(x) => Number::from_f64(x).map(Value::Number),
        }
    }
}
