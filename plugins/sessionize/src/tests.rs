use super::*;
use streamhost::testing;

#[test]
fn the_cases_pass() {
    testing::keyed_cases::<Sessionize>(env!("CARGO_MANIFEST_DIR"));
}

const CONFIG: &str = r#"{"time": "at", "gap": "2 minutes", "first": ["page"], "last": ["page"]}"#;

fn row(user: i32, at: &str, page: &str) -> String {
    format!("{{\"user\": {user}, \"at\": \"2025-03-01T{at}Z\", \"page\": \"{page}\"}}\n")
}

#[test]
fn a_key_beyond_a_batch_has_one_session() {
    let mut job = testing::bind_keyed::<Sessionize>(CONFIG, "user INT, at TIMESTAMP, page STRING", &["user"])
        .expect("a job");
    job.batch_rows(2).watermark("2025-03-01T12:30:00Z").expect("a time");
    // The first two rows are over already, and still belong to what the third begins.
    let rows = row(1, "12:01:00", "b") + &row(1, "12:00:00", "a") + &row(1, "12:29:00", "c");
    job.epoch(&rows).expect("rows").expect("");
    job.watermark("2025-03-01T12:31:00Z").expect("a time").epoch("").expect("timers").expect(
        r#"{"user": 1, "start": "2025-03-01T12:00:00Z", "end": "2025-03-01T12:29:00Z", "n": 3, "first_page": "a", "last_page": "c"}"#,
    );
}

#[test]
fn nothing_is_left_of_a_session_that_ended() {
    let mut job = testing::bind_keyed::<Sessionize>(CONFIG, "user INT, at TIMESTAMP, page STRING", &["user"])
        .expect("a job");
    job.epoch(&(row(1, "12:00:00", "a") + &row(2, "12:05:00", "a"))).expect("rows");
    job.epoch(&row(1, "12:01:00", "b")).expect("rows");
    assert_eq!(job.timers(Clock::EventTime).expect("timers").len(), 2);
    job.watermark("2025-03-01T12:03:00Z").expect("a time").epoch("").expect("timers");
    for table in ["open", "first", "last"] {
        assert_eq!(job.state(table).expect("a table").len(), 1, "{table}");
    }
    assert_eq!(job.timers(Clock::EventTime).expect("timers").len(), 1);
}
