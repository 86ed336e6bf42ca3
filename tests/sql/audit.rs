//! The table that says what became of each epoch.

use super::{each, job};
use crate::{
    binary::{fails, ok},
    kill::kill_at,
};

#[test]
fn each_epoch_is_in_the_audit_the_killed_and_the_failed_ones_too() {
    each("audited", |database, table, folder| {
        let rest = format!(
            "name = \"job\"\naudit = {{ connection = \"db\", table = \"{table}_epochs\" }}\n---\n{}\
             [sinks.out.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncreate = true\n",
            database.connection()
        );
        let schema = "n INT";
        job(
            folder,
            schema,
            &["{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n", "{\"n\":4}\n{\"n\":\"bad\"}\n"],
            &rest,
        );
        let pipeline = folder.join("pipeline.toml");
        let lenient = std::fs::read_to_string(&pipeline).unwrap();
        std::fs::write(&pipeline, lenient.replace("schema = ", "on-bad-data = \"fail\"\nschema = ")).unwrap();
        let query = if database.url.starts_with("mariadb") { "`rows`" } else { "\"rows\"" };
        let seen = || {
            let finished = "CASE WHEN started IS NULL OR finished < started THEN 'wrong' WHEN finished IS NULL THEN 'open' ELSE 'done' END";
            database.rows(&format!(
                "SELECT batch_id, query, status, {query}, {finished} FROM {table}_epochs ORDER BY batch_id"
            ))
        };
        assert!(kill_at(folder, "0:ran"));
        assert_eq!(seen(), ["0|job|running|NULL|open"]);
        // All is stored and no record says how many rows that was: they are counted anew.
        assert!(kill_at(folder, "0:sink-committed"));
        assert!(kill_at(folder, "0:committed"));
        assert_eq!(seen(), ["0|job|running|NULL|open"]);
        fails(4, folder, ["run", "pipeline.toml"]);
        assert_eq!(seen(), ["0|job|committed|2|done", "1|job|committed|1|done", "2|job|failed|NULL|done"]);
        std::fs::write(&pipeline, lenient).unwrap();
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(seen()[2], "2|job|committed|2|done");
        // Another query of the same name has rows of its own.
        std::fs::rename(folder.join("checkpoint"), folder.join("before")).unwrap();
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(seen().len(), 6);
        let queries = format!("SELECT count(DISTINCT query_id) FROM {table}_epochs");
        assert_eq!(database.rows(&queries), ["2"]);
    });
}

#[test]
fn an_audit_that_cannot_be_written_keeps_epochs_from_starting() {
    each("unaudited", |database, table, folder| {
        let rest = format!(
            "audit = {{ connection = \"db\", table = \"{table}_epochs\" }}\n---\n{}[sinks.out.files]\npath = \"out\"\nformat = \"json\"\n",
            database.connection()
        );
        job(folder, "n INT", &["{\"n\":1}\n"], &rest);
        database.run(&format!("CREATE TABLE {table}_epochs (batch_id BIGINT)"));
        let error = fails(2, folder, ["run", "pipeline.toml"]);
        assert!(
            error.contains(&format!("table {table}_epochs has no column query, which an audit needs")),
            "{error}"
        );
        let stored = std::fs::read_dir(folder.join("out"))
            .unwrap()
            .filter(|f| f.as_ref().unwrap().path().extension().is_some_and(|of| of == "json"));
        assert_eq!(stored.count(), 0);
    });
}
