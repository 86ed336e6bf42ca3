//! What it costs to store rows in PostgreSQL, beside its own client.

use crate::{
    process::Workshop,
    table::{self, median, ratio},
};
use engine::{Error, Kind, Result, ResultExt};
use std::{fs, path::Path, process::Command};
use tests::services::databases::{Database, Postgres};

/// Runs of either side whose median is taken.
const RUNS: usize = 3;

/// Events from JSON to a table, a whole run of the program, beside psql's `\copy` of the same rows from CSV. A process takes its
/// snapshot and commits either way.
pub(crate) fn rows(workshop: &Workshop, input: &Path) -> Result<()> {
    let server = Postgres::own();
    let database = server.database();
    let csv = workshop.path("events.csv");
    let pipeline = workshop.path("postgres.toml");
    let text = format!(
        "trigger = \"once\"\n{}[sources.events]\nschema = \"{}\"\n[sources.events.files]\npath = {:?}\nformat = \"json\"\n\
         [sinks.table.sql]\nconnection = \"db\"\ntable = \"events\"\ncreate = true\n",
        database.connection(),
        crate::events::SCHEMA,
        input.display().to_string()
    );
    fs::write(&pipeline, text).doing(Kind::Unavailable, || "writing a pipeline")?;
    let run = || workshop.time(workshop.streamhost().args(["run", "--log", "error"]).arg(&pipeline));
    // Makes the table, and from it the file.
    run()?;
    workshop.time(psql(&database, &format!("\\copy events TO '{}' CSV", csv.display()))?.arg("-q"))?;
    let counted = database.rows("SELECT count(*) FROM events");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        database.run("TRUNCATE events; CHECKPOINT");
        theirs.push(
            workshop.time(&mut psql(&database, &format!("\\copy events FROM '{}' CSV", csv.display()))?)?,
        );
        database.run("TRUNCATE events; CHECKPOINT");
        ours.push(run()?);
        if database.rows("SELECT count(*) FROM events") != counted {
            return Err(Error::internal("another number of rows is in the table"));
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let times = ratio(ours, theirs);
    table::row(
        "2 M events, JSON → PostgreSQL, beside psql's `\\copy` of them from CSV",
        &format!("{:.2} s, {times:.2} ×", ours.as_secs_f64()),
        "≤ 1.5 ×",
        times <= 1.5,
    );
    Ok(())
}

fn psql(database: &Database, statement: &str) -> Result<Command> {
    let url = &database.url;
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-c", statement, url]).env("PGPASSWORD", database.password.unwrap_or_default());
    Ok(command)
}
