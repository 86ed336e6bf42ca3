//! Tables of a running query, asked from another process.
//!
//! A query with memory sinks listens on a socket of its user's, named after the query. A question is a line of JSON; the
//! answer is a line of JSON and, if it went well, an Arrow IPC stream. One question a connection.

use crate::{answer, cli::QueryArgs, process};
use arrow::ipc::{reader::StreamReader, writer::StreamWriter};
use connectors::memory::{LiveTables, Snapshot};
use engine::{
    Clock, Error, Kind, Result, ResultExt,
    sql::{Questions, Rows},
};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::DirBuilderExt,
        net::{UnixListener, UnixStream},
    },
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The longest question.
const QUESTION: u64 = 1 << 20;
/// Who neither asks nor reads for so long is not waited for: others have questions too.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Serialize, Deserialize)]
struct Question {
    sql: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Head {
    /// Rows follow; times are to be shown in this zone.
    TimeZone(String),
    /// There are none, and why.
    Error(String),
}

/// Answers questions about a query's tables for as long as it lives.
pub(crate) struct Listener {
    socket: PathBuf,
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Another start removes what is left.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// What questions are answered from.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) tables: LiveTables,
    pub(crate) time_zone: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) questions: Arc<Questions>,
}

impl Asked {
    fn answer(&self, sql: &str) -> Result<Rows> {
        let tables = self
            .tables
            .snapshot()
            .into_iter()
            .map(|(name, Snapshot { schema, rows, .. })| (name, Rows { schema, batches: rows }));
        Ok(self.questions.ask(sql, tables.collect(), &self.time_zone, self.clock.clone())?)
    }
}

/// Starts to listen for questions to the query `name`. None if another process of that name does.
pub(crate) fn listen(name: &str, asked: Asked) -> Result<Option<Listener>> {
    let socket = socket(name)?;
    let doing = || format!("listening for `streamhost query {name}` on {}", socket.display());
    if UnixStream::connect(&socket).is_ok() {
        tracing::warn!(
            "another query named {name} is running, and `streamhost query {name}` asks that one; give this one another `name`"
        );
        return Ok(None);
    }
    let folder = socket.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).doing(Kind::Unavailable, doing)?;
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).doing(Kind::Unavailable, doing)?;
    let answering = move || {
        // One question at a time: what it may take in memory is taken once.
        for stream in listener.incoming().flatten() {
            let answered = catch_unwind(AssertUnwindSafe(|| answer(&stream, &asked)));
            let answered = answered.unwrap_or_else(|_| Err(Error::internal("answering it panicked")));
            if let Err(error) = answered {
                tracing::warn!("a question was not answered: {}", error.report());
            }
        }
    };
    std::thread::Builder::new().spawn(answering).doing(Kind::Unavailable, doing)?;
    Ok(Some(Listener { socket }))
}

/// A question on its way in, which has to be there by a time.
struct Asking<'s> {
    stream: &'s UnixStream,
    clock: &'s dyn Clock,
    until: Duration,
}

impl Read for Asking<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_sub(self.clock.monotonic());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the question did not come to its end"));
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(into)
    }
}

/// Reads a question and answers it, with rows or with what is wrong. An error of this side of the socket's is said to the asker
/// as well, unless rows are on their way: nobody would take it for what it is.
fn answer(stream: &UnixStream, asked: &Asked) -> Result<()> {
    let doing = || "the asker has gone";
    stream.set_write_timeout(Some(PATIENCE)).doing(Kind::Unavailable, doing)?;
    let rows = match question(stream, asked) {
        Ok(None) => return Ok(()), // Somebody only looked whether anyone listens.
        Ok(Some(question)) => asked.answer(&question.sql),
        Err(error) => Err(error),
    };
    let Rows { schema, batches } = match rows {
        Ok(rows) => rows,
        Err(error) => return send(stream, &Head::Error(error.report())),
    };
    send(stream, &Head::TimeZone(asked.time_zone.clone()))?;
    let written = StreamWriter::try_new(stream, &schema).and_then(|mut writer| {
        batches.iter().try_for_each(|rows| writer.write(rows))?;
        writer.finish()
    });
    written.doing(Kind::Unavailable, doing)
}

/// What is asked; none if nothing came at all.
fn question(stream: &UnixStream, asked: &Asked) -> Result<Option<Question>> {
    let until = asked.clock.monotonic() + PATIENCE;
    let asking = Asking { stream, clock: &*asked.clock, until };
    let mut line = Vec::new();
    let read = BufReader::new(asking).take(QUESTION).read_until(b'\n', &mut line);
    read.doing(Kind::Unavailable, || "reading the question")?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == QUESTION {
        return Err(Error::invalid(format!("the question is longer than {QUESTION} bytes; ask for less")));
    }
    serde_json::from_slice(&line)
        .doing(Kind::Invalid, || "no question: it is a line of JSON, {\"sql\": \"…\"}")
        .map(Some)
}

fn send(mut stream: &UnixStream, line: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(line).doing(Kind::Internal, || "a question as JSON")?;
    line.push(b'\n');
    stream.write_all(&line).doing(Kind::Unavailable, || "the other side of the socket has gone")
}

/// Where a query of this name listens.
fn socket(name: &str) -> Result<PathBuf> {
    let folder = process::sockets().ok_or_else(|| {
        Error::invalid("neither XDG_RUNTIME_DIR nor HOME is set: there is no place for the query's socket")
    })?;
    Ok(folder.join(format!("{name}.sock")))
}

/// `streamhost query`.
pub(crate) fn query(args: &QueryArgs) -> Result<()> {
    let (rows, zone) = answered(&args.name, &args.sql)?;
    crate::print(&answer::text(&rows, args.format, zone)?)
}

/// Asks the running query of this name.
fn answered(name: &str, sql: &str) -> Result<(Rows, TimeZone)> {
    let socket = socket(name)?;
    let stream = UnixStream::connect(&socket).map_err(|_| nobody(name, &socket))?;
    // Who does not take all of a question may have said why.
    let sent = send(&stream, &Question { sql: sql.to_owned() });
    let gone = || format!("query {name} ended while it was asked");
    let mut from = BufReader::new(stream);
    let mut line = String::new();
    let read = from.read_line(&mut line);
    if line.is_empty() {
        sent?;
    }
    read.doing(Kind::Unavailable, gone)?;
    let zone = match serde_json::from_str(&line).doing(Kind::Unavailable, gone)? {
        Head::Error(error) => return Err(Error::invalid(error)),
        Head::TimeZone(zone) => TimeZone::get(&zone).doing(Kind::Internal, || "the query's time zone")?,
    };
    let reader = StreamReader::try_new(from, None).doing(Kind::Unavailable, gone)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<_, _>>().doing(Kind::Unavailable, gone)?;
    Ok((Rows { schema, batches }, zone))
}

/// No query of this name listens; these do.
fn nobody(name: &str, socket: &Path) -> Error {
    let sockets =
        socket.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let sockets = sockets.map(|entry| entry.path()).filter(|path| UnixStream::connect(path).is_ok());
    let names: BTreeMap<String, ()> =
        sockets.filter_map(|path| Some((path.file_stem()?.to_string_lossy().into_owned(), ()))).collect();
    let running: Vec<String> = names.into_keys().collect();
    let those =
        if running.is_empty() { "none is".into() } else { format!("running: {}", running.join(", ")) };
    Error::new(
        Kind::Unavailable,
        format!("no query named {name} with a memory sink is running here; {those}"),
    )
}
