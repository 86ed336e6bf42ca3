//! Lines from a TCP server, such as `nc -lk 9999`.

use crate::{
    feed::{self, Feed},
    files::FileFormat,
    formats::{csv::decode::CsvInput, ddl},
    line_input::LineInput,
    source::{SchemaOption, SourceOptions},
    units::ByteSize,
};
use arrow::{
    array::{ArrayRef, RecordBatch, TimestampMicrosecondArray},
    datatypes::{Field, FieldRef, Schema, SchemaRef},
};
use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    BadRows, Batch, BatchStream, Clock, Error, History, Kind, Offset, Planned, Range, Reach, Result, Source,
    SourceFacts,
};
use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    net::{Shutdown, TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;

/// How long a connection may take to be accepted.
const CONNECT: Duration = Duration::from_secs(10);

/// Lines that a TCP server sends. They come once and cannot be replayed. When the connection ends the query fails with an
/// error that is retried as the pipeline's `restart` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { host = \"localhost\", port = 9999 }"
)]
pub struct SocketSettings {
    /// The server's name or address.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// Add a column `timestamp TIMESTAMP` with the time at which the epoch took the line. Default: false.
    #[serde(default)]
    pub include_timestamp: bool,
    /// `json`, `csv` or `text`. Default: `text`, which has one column, `value STRING`.
    #[serde(default)]
    pub format: Option<FileFormat>,
    /// How CSV is read.
    #[serde(default)]
    pub csv: Option<CsvInput>,
    /// The longest line that is read; a longer one is a bad row. Default: `16MiB`.
    #[serde(default)]
    pub max_line_bytes: Option<ByteSize>,
}

/// Lines from a TCP server.
pub struct SocketSource {
    name: String,
    settings: SocketSettings,
    input: LineInput,
    schema: Schema,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    feed: Feed,
    reach: Reach,
    /// Kept to close it, which ends the thread that reads it.
    connection: Option<Connection>,
}

struct Connection(TcpStream);

impl Drop for Connection {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl SocketSource {
    /// A source called `name`; connects when rows are first asked for. [`Kind::Invalid`] for a format that has no lines,
    /// and for a schema that would have to be inferred.
    pub fn new(
        name: impl Into<String>,
        settings: SocketSettings,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let name = name.into();
        if options.schema == Some(SchemaOption::Infer) {
            return Err(Error::invalid("a socket has no schema to infer; name the columns"));
        }
        let SocketSettings { format, csv, max_line_bytes, .. } = settings.clone();
        let input = LineInput::new(format, csv, max_line_bytes, options)?;
        let schema = input.schema()?;
        let state = Mutex::new(State { feed: Feed::default(), reach: Reach::Endless, connection: None });
        Ok(SocketSource { name, settings, input, schema: schema.unwrap_or_else(Schema::empty), clock, state })
    }

    fn address(&self) -> String {
        format!("{}:{}", self.settings.host, self.settings.port)
    }

    async fn connect(&self, state: &mut State) -> Result<()> {
        if !state.feed.is_unconnected() {
            return Ok(());
        }
        let address = self.address();
        let connected = tokio::task::spawn_blocking({
            let address = address.clone();
            move || open(&address)
        });
        let failed = |e: std::io::Error| {
            Error::new(Kind::Unavailable, format!("connecting to {address}; is a server listening there?"))
                .caused_by(e)
        };
        let stream =
            connected.await.map_err(|e| Error::internal("connecting").caused_by(e))?.map_err(failed)?;
        state.connection = Some(Connection(stream.try_clone().map_err(failed)?));
        let lines = feed::read_lines(stream, self.input.longest())?;
        state.feed.connect(self.input.decode(Vec::new(), lines, self.schema.clone(), &address)?);
        Ok(())
    }

    fn with_timestamp(&self) -> SchemaRef {
        let mut fields: Vec<FieldRef> = self.schema.fields().iter().cloned().collect();
        if self.settings.include_timestamp {
            fields.push(Arc::new(Field::new("timestamp", ddl::timestamp(), true)));
        }
        Arc::new(Schema::new(fields))
    }
}

fn open(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// `batch` with a last column that says `now` in each row.
fn stamped(batch: Batch, schema: &SchemaRef, now: i64) -> Result<Batch> {
    let times = TimestampMicrosecondArray::from_value(now, batch.len()).with_timezone("UTC");
    let mut columns = batch.rows.columns().to_vec();
    columns.push(Arc::new(times) as ArrayRef);
    let rows = RecordBatch::try_new(schema.clone(), columns);
    Ok(Batch { rows: rows.map_err(|e| Error::internal("adding a timestamp").caused_by(e))?, ..batch })
}

#[async_trait]
impl Source for SocketSource {
    fn facts(&self) -> SourceFacts {
        let description = format!("SocketSource[{}]", self.address());
        SourceFacts {
            identity: description.clone(),
            description,
            replayable: false,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        Ok(self.with_timestamp())
    }

    async fn restore(&self, history: History, reach: Reach) -> Result<()> {
        let mut state = self.state.lock().await;
        state.reach = reach;
        state.feed.restore(&history.ranges, reach)
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let mut state = self.state.lock().await;
        self.connect(&mut state).await?;
        let reach = state.reach;
        let planned = state.feed.plan(start, reach, self.input.max_rows()).await?;
        if planned.is_none() && state.feed.ended && reach == Reach::Endless {
            // All that came before is planned already; the next call connects again.
            state.feed.ended = false;
            state.connection = None;
            return Err(Error::new(Kind::Unavailable, format!("{} closed the connection", self.address())));
        }
        let now = serde_json::json!({ "now": self.clock.now() });
        Ok(planned.map(|p| Planned { range: Range { detail: now, ..p.range }, ..p }))
    }

    async fn wait(&self) {
        let mut state = self.state.lock().await;
        if !state.feed.ended {
            state.feed.wait().await;
        }
    }

    async fn read(&self, range: &Range, _: usize) -> Result<Vec<BatchStream>> {
        let streams = self.state.lock().await.feed.read(range, &self.name);
        if !self.settings.include_timestamp {
            return Ok(streams);
        }
        let now = range.detail.get("now").and_then(serde_json::Value::as_i64).unwrap_or_default();
        let schema = self.with_timestamp();
        let stamp = |stream: BatchStream| -> BatchStream {
            let schema = schema.clone();
            Box::pin(stream.map(move |batch| batch.and_then(|b| stamped(b, &schema, now))))
        };
        Ok(streams.into_iter().map(stamp).collect())
    }

    async fn release(&self, range: &Range) -> Result<Option<Bytes>> {
        self.state.lock().await.feed.release(range);
        Ok(None)
    }

    fn bad_rows(&self) -> BadRows {
        self.input.bad_rows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ManualClock;
    use std::{io::Write, net::TcpListener};

    fn source(port: u16, include_timestamp: bool) -> SocketSource {
        let settings = SocketSettings {
            host: "127.0.0.1".into(),
            port,
            include_timestamp,
            format: None,
            csv: None,
            max_line_bytes: None,
        };
        let clock = Arc::new(ManualClock::new(engine::Timestamp(5)));
        SocketSource::new("in", settings, SourceOptions::default(), clock).unwrap()
    }

    /// The rows of the next epoch, as soon as there are some.
    async fn next(source: &SocketSource, start: Option<&Offset>) -> (Vec<RecordBatch>, Range) {
        loop {
            if let Some(planned) = source.latest(start).await.unwrap() {
                let streams = source.read(&planned.range, 1).await.unwrap();
                let batches = streams.into_iter().next().unwrap().map(|b| b.unwrap().rows).collect().await;
                source.release(&planned.range).await.unwrap();
                return (batches, planned.range);
            }
            source.wait().await;
        }
    }

    #[tokio::test]
    async fn lines_come_with_the_time_they_were_taken_at() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let source = source(server.local_addr().unwrap().port(), true);
        source.restore(History::default(), Reach::Endless).await.unwrap();
        assert!(source.latest(None).await.unwrap().is_none());
        let (mut client, _) = server.accept().unwrap();
        client.write_all(b"hello world\n").unwrap();
        let (batches, range) = next(&source, None).await;
        let columns = batches[0].columns().to_vec();
        let text: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["hello world"]));
        let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(5, 1).with_timezone("UTC"));
        assert_eq!(columns, [text, time]);
        assert_eq!(range.end.0, serde_json::json!({"rows": 1}));
        client.write_all(b"again\n").unwrap();
        assert_eq!(next(&source, Some(&range.end)).await.0[0].num_rows(), 1);
    }

    #[tokio::test]
    async fn a_closed_connection_is_unavailable_and_then_opened_again() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let source = source(server.local_addr().unwrap().port(), false);
        source.restore(History::default(), Reach::Endless).await.unwrap();
        source.latest(None).await.unwrap();
        let (mut client, _) = server.accept().unwrap();
        client.write_all(b"a\n").unwrap();
        drop(client);
        let (_, range) = next(&source, None).await;
        let error = loop {
            source.wait().await;
            if let Err(error) = source.latest(Some(&range.end)).await {
                break error;
            }
        };
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.report().ends_with("closed the connection"), "{}", error.report());
        assert!(source.latest(Some(&range.end)).await.unwrap().is_none());
        server.accept().unwrap().0.write_all(b"b\n").unwrap();
        assert_eq!(next(&source, Some(&range.end)).await.1.end.0["rows"], 2);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        drop(server);
        let error = source(port, false).latest(None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.report().contains("is a server listening there?"), "{}", error.report());
    }
}
