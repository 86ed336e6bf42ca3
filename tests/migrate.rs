//! Pipelines whose steps with state have changed, on the checkpoint that there is: what goes on, what is refused, and what a
//! migration carries over. With the real binary.

use crate::binary::{fails, ok, write};
use std::path::Path;

fn pipeline(steps: &str) -> String {
    format!(
        "checkpoint = 'ckpt'\ntrigger = 'available-now'\n[sources.events]\nschema = 'k STRING, v INT'\nmax-per-trigger = {{ files = 1 }}\n\
         [sources.events.files]\npath = 'in'\nformat = 'json'\n{steps}"
    )
}

const COUNTS: &str = "[steps.counts]\nsql = 'SELECT k, count(*) AS n FROM events GROUP BY k'\n\
                      [sinks.out]\nfrom = 'counts'\nmode = 'update'\n[sinks.out.stdout]\nformat = 'csv'\n";

/// Runs the pipeline with these steps over one more file, which has `a` once.
fn go(folder: &Path, steps: &str, file: u32) -> String {
    write(folder.join("p.toml"), pipeline(steps));
    write(folder.join(format!("in/{file}.json")), "{\"k\":\"a\",\"v\":1}\n");
    ok(folder, ["run", "p.toml"])
}

#[test]
fn what_leaves_state_alone_may_change() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(go(dir.path(), COUNTS, 1), "a,1\n");
    let filtered = COUNTS.replace(
        "[sinks.out]\nfrom = 'counts'",
        "[steps.big]\nsql = 'SELECT n + 100 AS n, k FROM counts WHERE n > 1'\n[sinks.out]\nfrom = 'big'",
    );
    assert_eq!(go(dir.path(), &filtered, 2), "102,a\n", "a filter and a column behind, other columns out");
    let second = format!("{COUNTS}[sinks.more]\nfrom = 'counts'\nmode = 'update'\nnoop = {{}}\n");
    assert_eq!(go(dir.path(), &second, 3), "a,3\n", "another sink");
}

#[test]
fn a_cast_in_a_key_is_a_change_even_where_the_types_stay() {
    let dir = tempfile::tempdir().unwrap();
    let by = |key: &str| {
        let sql = format!("sql = \"SELECT {key} AS k, count(*) AS n FROM events GROUP BY 1\"");
        COUNTS.replace("sql = 'SELECT k, count(*) AS n FROM events GROUP BY k'", &sql)
    };
    assert_eq!(go(dir.path(), &by("CAST(v AS DOUBLE)"), 1), "1.0,1\n");
    for other in ["CAST(CAST(v AS TINYINT) AS DOUBLE)", "CAST(CAST(v AS STRING) AS DOUBLE)"] {
        write(dir.path().join("p.toml"), pipeline(&by(other)));
        let said = fails(2, dir.path(), ["run", "p.toml"]);
        assert!(said.contains("step `counts` is now aggregate") && said.contains("CAST("), "{said}");
    }
    assert_eq!(go(dir.path(), &by("CAST(v AS DOUBLE)"), 2), "1.0,2\n");
}

#[test]
fn a_step_that_has_state_keeps_it_under_another_name_by_a_migration() {
    let dir = tempfile::tempdir().unwrap();
    go(dir.path(), COUNTS, 1);
    let totals = COUNTS.replace("counts", "totals");
    write(dir.path().join("p.toml"), pipeline(&totals));
    let said = fails(2, dir.path(), ["run", "p.toml"]);
    assert!(
        said.contains("step `counts`") && said.contains("`streamhost checkpoint migrate` carries over"),
        "{said}"
    );
    let said = ok(dir.path(), ["checkpoint", "migrate", "ckpt", "ckpt2", "--rename", "counts=totals"]);
    assert_eq!(said, "ckpt2 goes on after epoch 0; the host of ckpt is replaced\n");
    std::fs::remove_dir_all(dir.path().join("ckpt")).unwrap();
    std::fs::rename(dir.path().join("ckpt2"), dir.path().join("ckpt")).unwrap();
    assert_eq!(
        go(dir.path(), &totals, 2),
        "a,2\n",
        "the first file is not read again, and its count is known"
    );
}

#[test]
fn a_migration_leaves_state_behind_and_lets_a_new_step_begin_with_none() {
    let dir = tempfile::tempdir().unwrap();
    go(dir.path(), COUNTS, 1);
    ok(dir.path(), ["checkpoint", "migrate", "ckpt", "new", "--forget", "counts", "--empty", "sums"]);
    let sums = "checkpoint = 'new'\n".to_owned()
        + &pipeline("[steps.sums]\nsql = 'SELECT k, sum(v) AS v FROM events GROUP BY k'\n[sinks.out]\nmode = 'update'\n[sinks.out.stdout]\nformat = 'csv'\n")
            .replace("checkpoint = 'ckpt'\n", "");
    write(dir.path().join("p.toml"), sums);
    for (file, sum) in [(2, "a,1\n"), (3, "a,2\n")] {
        write(dir.path().join(format!("in/{file}.json")), "{\"k\":\"a\",\"v\":1}\n");
        assert_eq!(ok(dir.path(), ["run", "p.toml"]), sum);
    }
}

#[test]
fn a_migration_that_means_nothing_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    go(dir.path(), COUNTS, 1);
    let migrate = |more: &[&str]| {
        let args = ["checkpoint", "migrate", "ckpt", "new"];
        fails(2, dir.path(), args.iter().chain(more))
    };
    assert!(
        migrate(&["--forget", "count"])
            .contains("there is no state of a step `count`; there is that of counts")
    );
    assert!(migrate(&["--rename", "counts"]).contains("as in counts=totals"));
    assert!(migrate(&["--empty", "counts"]).contains("two steps would have the name `counts`"));
    let said = fails(2, dir.path(), ["checkpoint", "migrate", "ckpt", "ckpt"]);
    assert!(said.contains("is a checkpoint already"), "{said}");
}

#[test]
fn a_step_cannot_be_given_a_name_that_leads_out_of_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    go(dir.path(), COUNTS, 1);
    let said =
        fails(2, dir.path(), ["checkpoint", "migrate", "ckpt", "a/b", "--rename", "counts=../../../out"]);
    assert!(said.contains("is no name of a step"), "{said}");
    assert!(!dir.path().join("a").exists() && !dir.path().join("out").exists());
}

#[test]
fn a_checkpoint_with_a_number_that_nobody_could_count_on_from_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    go(dir.path(), COUNTS, 1);
    for folder in ["owners", "offsets", "commits"] {
        let path = dir.path().join("ckpt").join(folder);
        std::fs::copy(path.join("0"), path.join(u64::MAX.to_string())).unwrap();
        let said = fails(4, dir.path(), ["run", "p.toml"]);
        assert!(said.contains(&format!("{folder} holds `{}`", u64::MAX)), "{said}");
        std::fs::remove_file(path.join(u64::MAX.to_string())).unwrap();
    }
}

#[test]
fn groups_that_leave_for_one_sink_and_stay_for_another_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let steps = "[steps.counts]\nsql = 'SELECT k, count(*) AS n FROM events GROUP BY k'\n\
                 [sinks.all]\nmode = 'complete'\nnoop = {}\n[sinks.changes]\nmode = 'update'\nnoop = {}\n";
    write(dir.path().join("p.toml"), pipeline(steps));
    std::fs::create_dir(dir.path().join("in")).unwrap();
    let said = fails(2, dir.path(), ["check", "p.toml"]);
    assert!(said.contains("p.toml:10:") && said.contains("write the query as two steps"), "{said}");
}
