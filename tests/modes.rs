//! Which query may run in which output mode, as SEMANTICS has Spark's table: refused before the first epoch, with a remedy.

use crate::binary::write;
use pipeline::PipelineFile;
use std::sync::Arc;

/// What a query is, the pipeline's steps, and whether append, update and complete are for it. The sink reads `q`.
const MATRIX: &[(&str, &str, [bool; 3])] = &[
    ("filter", "[steps.q]\nsql = 'SELECT k, v FROM s WHERE v > 1'", [true, true, false]),
    ("union", "[steps.q]\nsql = 'SELECT k FROM s UNION ALL SELECT k FROM plain'", [true, true, false]),
    ("explode", "[steps.q]\nsql = \"SELECT explode(split(k, ' ')) AS w FROM s\"", [true, true, false]),
    (
        "aggregation without watermark",
        "[steps.q]\nsql = 'SELECT k, count(*) AS n FROM plain GROUP BY k'",
        [false, true, true],
    ),
    (
        "aggregation by a window with a watermark",
        "[steps.q]\nsql = \"SELECT window(t, '1 minute') AS w, count(*) AS n FROM s GROUP BY 1\"",
        [true, true, true],
    ),
    (
        "aggregation by the event time itself",
        "[steps.q]\nsql = 'SELECT t, count(*) AS n FROM s GROUP BY t'",
        [true, true, true],
    ),
    (
        "aggregation by a window without a watermark",
        "[steps.q]\nsql = \"SELECT window(t, '1 minute') AS w, count(*) AS n FROM plain GROUP BY 1\"",
        [false, true, true],
    ),
    (
        "aggregation with a watermark but no event time in the key",
        "[steps.q]\nsql = 'SELECT k, count(*) AS n FROM s GROUP BY k'",
        [false, true, true],
    ),
    (
        "aggregation over an aggregation",
        "[steps.w]\nsql = \"SELECT window(t, '1 minute') AS w, k, count(*) AS n FROM s GROUP BY 1, 2\"\n\
         [steps.q]\nsql = \"SELECT window(window_time(w), '5 minutes') AS w, max(n) AS n FROM w GROUP BY 1\"",
        [true, false, false],
    ),
    ("count(distinct)", "[steps.q]\nsql = 'SELECT count(DISTINCT k) AS n FROM s'", [false, false, false]),
    (
        "row_number()",
        "[steps.q]\nsql = 'SELECT k, row_number() OVER (PARTITION BY k ORDER BY t) AS n FROM s'",
        [false, false, false],
    ),
    (
        "session window with another key",
        "[steps.q]\nsql = \"SELECT session_window(t, '1 minute') AS w, k, count(*) AS n FROM s GROUP BY 1, 2\"",
        [true, false, true],
    ),
    (
        "session window as the only key",
        "[steps.q]\nsql = \"SELECT session_window(t, '1 minute') AS w, count(*) AS n FROM s GROUP BY 1\"",
        [true, false, true],
    ),
    (
        "duplicates, by no event time",
        "[steps.q]\nfrom = 's'\ndrop-duplicates = { keys = ['k'] }",
        [true, true, false],
    ),
    (
        "duplicates, by event time",
        "[steps.q]\nfrom = 's'\ndrop-duplicates = { keys = ['k', 't'] }",
        [true, true, false],
    ),
    (
        "duplicates within the watermark",
        "[steps.q]\nfrom = 's'\ndrop-duplicates = { keys = ['k'], within-watermark = true }",
        [true, true, false],
    ),
    (
        "duplicates within a watermark that there is not",
        "[steps.q]\nfrom = 'plain'\ndrop-duplicates = { keys = ['k'], within-watermark = true }",
        [false, false, false],
    ),
    ("distinct", "[steps.q]\nsql = 'SELECT DISTINCT k FROM s'", [true, true, false]),
    ("inner join", "[steps.q]\nsql = 'SELECT s.k FROM s JOIN plain ON s.k = plain.k'", [true, true, false]),
    (
        "left semi join",
        "[steps.q]\nsql = \"SELECT s.k FROM s LEFT SEMI JOIN late ON s.k = late.k AND late.t BETWEEN s.t AND s.t + INTERVAL '1' MINUTE\"",
        [true, true, false],
    ),
    (
        "left outer join in time",
        "[steps.q]\nsql = \"SELECT s.k FROM s LEFT JOIN late ON s.k = late.k AND late.t BETWEEN s.t AND s.t + INTERVAL '1' MINUTE\"",
        [true, false, false],
    ),
    (
        "right outer join in time",
        "[steps.q]\nsql = \"SELECT s.k FROM s RIGHT JOIN late ON s.k = late.k AND late.t BETWEEN s.t AND s.t + INTERVAL '1' MINUTE\"",
        [true, false, false],
    ),
    (
        "full outer join in time",
        "[steps.q]\nsql = \"SELECT s.k FROM s FULL JOIN late ON s.k = late.k AND late.t BETWEEN s.t AND s.t + INTERVAL '1' MINUTE AND s.t BETWEEN late.t - INTERVAL '1' MINUTE AND late.t\"",
        [true, false, false],
    ),
    (
        "left outer join without time",
        "[steps.q]\nsql = 'SELECT s.k FROM s LEFT JOIN plain ON s.k = plain.k'",
        [false, false, false],
    ),
    (
        "left anti join of streams",
        "[steps.q]\nsql = 'SELECT s.k FROM s LEFT ANTI JOIN late ON s.k = late.k'",
        [false, false, false],
    ),
    (
        "inner join with a table",
        "[steps.q]\nsql = 'SELECT s.k FROM s JOIN names ON s.k = names.k'",
        [true, true, false],
    ),
    (
        "left outer join with a table",
        "[steps.q]\nsql = 'SELECT s.k FROM s LEFT JOIN names ON s.k = names.k'",
        [true, true, false],
    ),
    (
        "left anti join with a table",
        "[steps.q]\nsql = 'SELECT s.k FROM s LEFT ANTI JOIN names ON s.k = names.k'",
        [true, true, false],
    ),
    ("ORDER BY of a stream", "[steps.q]\nsql = 'SELECT k FROM s ORDER BY k'", [false, false, false]),
    (
        "ORDER BY after an aggregation",
        "[steps.q]\nsql = 'SELECT k, count(*) AS n FROM s GROUP BY k ORDER BY n DESC'",
        [false, false, true],
    ),
    ("LIMIT of a stream", "[steps.q]\nsql = 'SELECT k FROM s LIMIT 3'", [true, false, false]),
    (
        "LIMIT after an aggregation",
        "[steps.q]\nsql = 'SELECT k, count(*) AS n FROM s GROUP BY k LIMIT 3'",
        [false, false, true],
    ),
];

#[test]
fn each_query_runs_in_the_modes_that_spark_has_for_it_and_in_no_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    let mut wrong = Vec::new();
    for (what, steps, allowed) in MATRIX {
        for (mode, allowed) in ["append", "update", "complete"].into_iter().zip(allowed) {
            let said = runtime.block_on(explained(dir.path(), steps, mode));
            match (&said, allowed) {
                (Ok(_), true) => {}
                (Err(said), false) if said.contains("pipeline.toml:") && said.len() > 60 => {}
                _ => wrong.push(format!("{what}, {mode}: {said:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refusal_says_what_is_wrong_with_the_mode_that_was_asked_for_and_what_lost_the_event_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    let twice = "an aggregation of what has state itself is not for mode = \"complete\"";
    for (steps, mode, said) in [
        (
            "[steps.w]\nsql = 'SELECT k, count(*) AS n FROM s GROUP BY k'\n[steps.q]\nsql = 'SELECT max(n) AS n FROM w'",
            "complete",
            twice,
        ),
        (
            "[steps.w]\nsql = 'SELECT k, count(*) AS n FROM s GROUP BY k'\n[steps.v]\nsql = 'SELECT n FROM w WHERE n > 1'\n\
             [steps.q]\nsql = 'SELECT max(n) AS n FROM v'",
            "complete",
            twice,
        ),
        (
            "[steps.q]\nsql = 'SELECT max(n) AS n FROM (SELECT k, count(*) AS n FROM s GROUP BY k)'",
            "complete",
            twice,
        ),
        (
            "[steps.q]\nsql = \"SELECT window(t + INTERVAL '1 hour', '1 minute') AS w, count(*) AS n FROM s GROUP BY 1\"",
            "append",
            "s.t + INTERVAL 3600 s` is none any more: a column stays event time under any name",
        ),
        (
            "[steps.q]\nsql = \"SELECT window(u, '1 minute') AS w, count(*) AS n FROM (SELECT date_trunc('hour', t) AS u FROM s) GROUP BY 1\"",
            "append",
            "s.t)` is none any more",
        ),
    ] {
        let refused = runtime.block_on(explained(dir.path(), steps, mode)).unwrap_err();
        assert!(refused.contains("pipeline.toml:") && refused.contains(said), "{steps}: {refused}");
    }
}

/// What `explain` says of a pipeline with these steps and a sink of this mode.
async fn explained(folder: &std::path::Path, steps: &str, mode: &str) -> Result<String, String> {
    let text = format!(
        "[sources.s]\nschema = 'k STRING, v DOUBLE, t TIMESTAMP'\nwatermark = {{ column = 't', delay = '5 seconds' }}\n\
         files = {{ path = 'in', format = 'json' }}\n\
         [sources.late]\nschema = 'k STRING, v DOUBLE, t TIMESTAMP'\nwatermark = {{ column = 't', delay = '1 minute' }}\n\
         files = {{ path = 'in', format = 'json' }}\n\
         [sources.plain]\nschema = 'k STRING, v DOUBLE, t TIMESTAMP'\nfiles = {{ path = 'in', format = 'json' }}\n\
         [tables.names]\nschema = 'k STRING, name STRING'\nfiles = {{ path = 'in', format = 'json' }}\n\
         {steps}\n[sinks.out]\nfrom = 'q'\nmode = '{mode}'\nnoop = {{}}\n"
    );
    let path = folder.join("pipeline.toml");
    write(&path, text);
    let file = PipelineFile::read(&path, &|_| None).map_err(|e| e.report())?;
    let world = tests::conformance::world().map_err(|e| e.report())?;
    pipeline::explain::explain(&Arc::new(file), &world).await.map_err(|e| e.report())
}
