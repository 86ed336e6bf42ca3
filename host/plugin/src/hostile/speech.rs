//! What a guest says, as it comes to the host's log.

use super::*;
use std::{cell::RefCell, io::Write, sync::Once};

thread_local! {
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The log of this thread, from its start on.
pub(super) struct Log;

impl Log {
    pub(super) fn start() -> Self {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            // One subscriber for all threads: with one a thread, tracing remembers of a place that logs that nobody listens
            // if a thread without one comes there first.
            let log = tracing_subscriber::fmt().with_ansi(false).with_writer(|| ThisThread).finish();
            tracing::subscriber::set_global_default(log).unwrap();
        });
        WRITTEN.take();
        Log
    }

    pub(super) fn text(&self) -> String {
        WRITTEN.with_borrow(|bytes| String::from_utf8(bytes.clone()).unwrap())
    }
}

struct ThisThread;

impl Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.with_borrow_mut(|written| written.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const IMPORT: &str = r#"(import "streamhost:plugin/log@0.9.0" "write" (func $log (param i32 i32 i32)))"#;

/// Says `size` bytes from address 3000 on, which begin with `text` and go on with `z`, `times` times.
fn saying(text: &str, size: u32, times: u32) -> Guest {
    let say = format!("(call $log (i32.const 2) (i32.const 3000) (i32.const {size}))").repeat(times as usize);
    let say = format!(
        "(memory.fill (i32.const 3000) (i32.const 122) (i32.const 20000))
        (memory.init $text (i32.const 3000) (i32.const 0) (i32.const {})) {say}",
        text.len()
    );
    let data: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    Guest::on_call(&say).with_top(IMPORT).with_behind(&format!("(data $text \"{data}\")"))
}

/// What one call put in the log.
async fn heard(guest: &Guest) -> String {
    let step = bound(guest, |_| {}).await;
    let log = Log::start();
    run(&step, 0..1).await.unwrap();
    log.text()
}

#[tokio::test]
async fn terminal_escapes_and_line_breaks_come_escaped() {
    let text = "\u{1b}[2J\u{202e}\r\nERROR plugin: forged";
    let log = heard(&saying(text, text.len() as u32, 1)).await;
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains(r"\u{1b}[2J\u{202e}\r\nERROR plugin: forged"), "{log}");
    assert!(!log.trim_end().contains(|c: char| c.is_control()), "{log:?}");
}

#[tokio::test]
async fn a_line_without_an_end_is_cut() {
    let log = heard(&saying("", 20_000, 1)).await;
    let said = log.chars().filter(|c| *c == 'z').count();
    assert_eq!(said, 8 << 10);
}

#[tokio::test]
async fn a_flood_is_dropped_and_told_in_one_line() {
    let log = heard(&saying("", 8_000, 30)).await;
    assert_eq!(log.matches(&"z".repeat(8_000)).count(), 8, "64 KiB a call");
    assert!(log.contains("176000 bytes of this plugin's log were dropped: it says too much"), "{log}");
}
