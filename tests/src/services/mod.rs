//! Real servers for tests and benches, run by the scripts in `tests/services`.
//!
//! A server that all tests share is started by the first that asks for it and ends with the test process: the script that runs it
//! watches its standard input. A test that stops and starts its server has one of its own.

pub mod databases;
pub mod http;
pub mod kafka;
pub mod registry;
pub mod s3;
pub mod toxiproxy;
pub mod web;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
};

/// A server that runs until this is dropped, or until the process ends.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// Where it keeps its data.
    pub data: PathBuf,
}

impl Service {
    /// Runs `tests/services/<script>` with these environment variables, and returns once the server is ready.
    pub fn start(script: &str, environment: &[(&str, String)]) -> Self {
        let path = folder().join(script);
        let mut command = Command::new("bash");
        command.arg(&path).envs(environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // What a script lacks, and how to install it, it has written to standard error.
        let line = lines.next().transpose().unwrap().unwrap_or_default();
        let data = line.strip_prefix("ready ").map(PathBuf::from);
        let data = data.unwrap_or_else(|| panic!("{} does not run; what it says is above", path.display()));
        Service { child, data }
    }

    /// Ends the server, and returns once it has ended.
    pub fn stop(mut self) {
        self.end();
    }

    /// Sends the server itself a signal: `STOP`, `CONT`, `KILL`.
    pub fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.data.join("pid")).unwrap();
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(pid.trim()).status().unwrap();
        assert!(sent.success(), "no {signal} to {pid}");
    }

    /// Returns once the server has ended by itself.
    pub fn wait(mut self) {
        self.child.wait().unwrap();
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the scripts are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("services")
}

/// The first of `count` ports in a row that nobody listens on. They are below those that the system gives to outgoing connections, and
/// no other test of this process gets them.
pub fn ports(count: u16) -> u16 {
    const FIRST: u16 = 20_000;
    const LAST: u16 = 32_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes start at different places.
    let start = (std::process::id() % u32::from(LAST - FIRST)) as u16;
    loop {
        let port = FIRST + (start + NEXT.fetch_add(count, Relaxed)) % (LAST - FIRST - count);
        let listeners: Vec<_> =
            (port..port + count).map(|port| TcpListener::bind(("127.0.0.1", port))).collect();
        if listeners.iter().all(Result::is_ok) {
            return port;
        }
    }
}
