use std::{fmt, time::Duration};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What one instance of a plugin may use. Each bound holds for every single call, unless it says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Linear memory of the instance in bytes, summed over all its memories. Holds for the life of the instance.
    pub memory: usize,
    /// Elements of all its tables together. Holds for the life of the instance.
    pub table_elements: usize,
    /// Core instances inside the component.
    pub instances: usize,
    /// Linear memories inside the component.
    pub memories: usize,
    /// Tables inside the component.
    pub tables: usize,
    /// Time on a processor, counted in ticks of 10 ms.
    pub cpu_per_call: Duration,
    /// Time on the clock, waiting in host calls included, but for outputs and requests.
    pub wall_per_call: Duration,
    /// Bytes of an answer, and of what one host call may hand over.
    pub output_bytes: usize,
    /// An answer may be so many times as large as the input, plus [`Limits::output_slack`].
    pub output_ratio: usize,
    /// Bytes that any answer may have, however small the input.
    pub output_slack: usize,
    /// Rows of an answer.
    pub output_rows: usize,
    /// Handles to host resources, such as streams, that may be open.
    pub resources: usize,
    /// Calls of host functions.
    pub host_calls: u64,
    /// Bytes of one line of its log; the rest of the line is cut.
    pub log_line: usize,
    /// Bytes of log; the rest is dropped and counted.
    pub log_per_call: usize,
    /// Bytes of log in a minute; the rest is dropped and counted.
    pub log_per_minute: usize,
    /// Time that failing calls may take together while the bad rows of one batch are searched for.
    pub search: Duration,
    /// Requests over HTTP.
    pub http_requests: usize,
    /// Requests that may be under way at once, up to the end of the answer, in one instance.
    pub http_concurrent: usize,
    /// Time on the clock that one request may take, up to the end of the answer.
    pub http_time: Duration,
    /// Time on the clock that a call may wait for requests. It does not count as the call's own.
    pub http_wait: Duration,
    /// Bytes of the body of one answer.
    pub http_response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 128 * MIB,
            table_elements: 100_000,
            instances: 64,
            memories: 8,
            tables: 32,
            cpu_per_call: Duration::from_secs(2),
            wall_per_call: Duration::from_secs(10),
            output_bytes: 64 * MIB,
            output_ratio: 16,
            output_slack: MIB,
            output_rows: 1_000_000,
            resources: 1_000,
            host_calls: 10_000,
            log_line: 8 * KIB,
            log_per_call: 64 * KIB,
            log_per_minute: MIB,
            search: Duration::from_secs(60),
            http_requests: 1_000,
            http_concurrent: 8,
            http_time: Duration::from_secs(10),
            http_wait: Duration::from_secs(60),
            http_response: 8 * MIB,
        }
    }
}

impl Limits {
    /// The most bytes that the answer to `input` bytes may have.
    pub fn output_for(&self, input: usize) -> usize {
        input.saturating_mul(self.output_ratio).saturating_add(self.output_slack).min(self.output_bytes)
    }
}

impl fmt::Display for Limits {
    /// Those that a pipeline can set, by their names there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cpu, wall, search) = (self.cpu_per_call, self.wall_per_call, self.search);
        write!(f, "limits: memory {}, cpu-per-call {cpu:?}, wall-per-call {wall:?}, ", size(self.memory))?;
        write!(f, "output {}, output-rows {}, ", size(self.output_bytes), self.output_rows)?;
        write!(f, "table-elements {}, instances {}, ", self.table_elements, self.instances)?;
        write!(f, "resources {}, host-calls {}, ", self.resources, self.host_calls)?;
        write!(f, "log-line {}, log-per-call {}, ", size(self.log_line), size(self.log_per_call))?;
        write!(f, "log-per-minute {}, search {search:?}", size(self.log_per_minute))
    }
}

impl Limits {
    /// Those of requests, by their names in a pipeline.
    pub(crate) fn of_http(&self) -> String {
        let Limits { http_requests, http_concurrent, http_time, http_wait, http_response, .. } = self;
        let response = size(*http_response);
        format!(
            "limits of requests: http-requests {http_requests}, http-concurrent {http_concurrent}, \
             http-time {http_time:?}, http-wait {http_wait:?}, http-response {response}"
        )
    }
}

/// Bytes in the largest unit that leaves a whole number.
fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes % MIB == 0 => format!("{} MiB", bytes / MIB),
        bytes if bytes % KIB == 0 => format!("{} KiB", bytes / KIB),
        bytes => format!("{bytes} bytes"),
    }
}

/// How much of one limit was used at the worst moment so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The limit's name, as in the pipeline file.
    pub limit: &'static str,
    /// The most that was used at once.
    pub used: u64,
    /// What is allowed.
    pub allowed: u64,
    /// What both count: `bytes`, `ms`, `rows`, `calls`.
    pub unit: &'static str,
}
