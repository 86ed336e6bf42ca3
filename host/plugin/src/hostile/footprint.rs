//! What attacks cost the host in memory. Each test measures in a process of its own, where no other test runs.

use super::*;
use std::{env, fs, process::Command};

/// Set in the process that measures.
const MEASURING: &str = "STREAMHOST_TEST_MEASURING";
const MIB: u64 = 1 << 20;

/// The most bytes of memory that `attack` took beyond what the process had, measured in a process that runs the test `name`
/// of this file and nothing else; none in the process that only started that one.
async fn peak(name: &str, attack: impl AsyncFnOnce()) -> Option<u64> {
    if env::var_os(MEASURING).is_none() {
        let name = format!("hostile::footprint::{name}");
        let mut again = Command::new(env::current_exe().unwrap());
        let output = again.args([&name, "--exact"]).env(MEASURING, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return None;
    }
    // The first instance sets up what the process keeps.
    run(&bound(&Guest::default(), |_| {}).await, 0..64).await.unwrap();
    // Makes the system forget the peak so far.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    attack().await;
    Some(status("VmHWM") - before)
}

/// A value of this process's status, in bytes.
fn status(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn guests_that_take_all_they_can_get_do_not_add_up() {
    let name = "guests_that_take_all_they_can_get_do_not_add_up";
    // Touches what it gets, so that the system has to provide it.
    let greedy = "(loop $more
        (memory.fill (i32.const 65536) (i32.const 1) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 65536)))
        (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 64))))) unreachable";
    let attack = async || {
        let step = bound(&Guest::on_call(greedy), |s| s.limits.memory = 32 << 20).await;
        for _ in 0..20 {
            let said = run(&step, 0..1).await.unwrap_err();
            assert!(said.contains("more than 32 MiB of memory"), "{said}");
        }
    };
    let Some(peak) = peak(name, attack).await else { return };
    assert!((24 * MIB..64 * MIB).contains(&peak), "{} MiB for guests of 32", peak / MIB);
}

#[tokio::test]
async fn guests_with_large_tables_do_not_add_up() {
    let grow = "(drop (table.grow $t (ref.null func) (i32.const 99000))) unreachable";
    let guest = Guest::on_call(grow).with_behind("(table $t 1 funcref)");
    let attack = async || {
        let step = bound(&guest, |_| {}).await;
        for _ in 0..200 {
            assert!(run(&step, 0..1).await.unwrap_err().contains("unreachable"));
        }
    };
    let Some(peak) = peak("guests_with_large_tables_do_not_add_up", attack).await else { return };
    assert!(peak < 32 * MIB, "{} MiB", peak / MIB);
}

/// The guest's memory has 120 MiB, which nobody has touched, so it takes none of the machine's.
const LARGE: &str = "(drop (memory.grow (i32.const 1900)))";

/// What of an answer at `offset` is a list of `length` elements.
fn list(offset: u32, length: u32) -> String {
    format!(
        "(i32.store offset={offset} (local.get $answer) (i32.const 65536))
         (i32.store offset={} (local.get $answer) (i32.const {length}))",
        offset + 4
    )
}

#[tokio::test]
async fn a_huge_list_is_refused_before_it_is_copied() {
    let pass = "(call $log (i32.const 2) (i32.const 65536) (i32.const 120000000))";
    let import = r#"(import "streamhost:plugin/log@0.9.0" "write" (func $log (param i32 i32 i32)))"#;
    let kept = "(i32.store8 offset=4 (local.get $answer) (i32.const 1))";
    let guests = [
        Guest::on_call(&format!("{LARGE}{pass}")).with_top(import),
        Guest::answering(&format!("{LARGE}{kept}{}", list(8, 120_000_000))),
        // Side outputs of 16 bytes and row errors of 16 bytes, each of which is more on the host's side.
        Guest::answering(&format!("{LARGE}{kept}{}", list(24, 7_500_000))),
        Guest::answering(&format!("{LARGE}{kept}{}", list(32, 7_500_000))),
    ];
    let attack = async || {
        for guest in &guests {
            let said = failure(guest, |_| {}).await;
            assert!(said.contains("handed over more than 1"), "{said}");
        }
    };
    let Some(peak) = peak("a_huge_list_is_refused_before_it_is_copied", attack).await else { return };
    assert!(peak <= 64 * MIB, "{} MiB", peak / MIB);
}
