use super::{bind::Bound, epoch::Opened};
use crate::{
    abi::Failure,
    fault::Overrun,
    ipc::{self, Caps, Decoder, Encoder},
    limits::Limits,
    outcome::MOST_BATCHES,
    schema::Side,
    tally::Cost,
    text,
};
use arrow::array::RecordBatch;
use engine::{Error, Kind, Partition, Result};
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;

/// What a guest may reach of the epoch that it is the sink of.
pub(crate) struct Exchange {
    bound: Arc<Bound>,
    /// None once there are no more.
    rows: Option<mpsc::Receiver<RecordBatch>>,
    encoder: Encoder,
    /// Gone once the epoch was abandoned.
    outputs: Weak<Vec<Opened>>,
    /// Why the epoch cannot be stored any more, whatever the guest answers.
    doom: Option<Error>,
    /// Written since the last batch was handed over.
    written: Written,
    cost: Cost,
    rows_in: usize,
}

#[derive(Default)]
struct Written {
    bytes: usize,
    rows: usize,
}

/// Why something is not written.
pub(super) enum Refused {
    /// The guest has used up what it may use.
    Overrun(Overrun),
    /// What the guest is told. The epoch is doomed.
    Failed(Failure),
}

impl Exchange {
    pub(super) fn new(
        bound: Arc<Bound>,
        rows: mpsc::Receiver<RecordBatch>,
        outputs: Weak<Vec<Opened>>,
    ) -> Result<Self> {
        let encoder = Encoder::of_columns(&bound.settings.input, &bound.agreed.reads.indices)?;
        Ok(Exchange {
            bound,
            rows: Some(rows),
            encoder,
            outputs,
            doom: None,
            written: Written::default(),
            cost: Cost::default(),
            rows_in: 0,
        })
    }

    /// The next batch as a message of the columns that the guest reads.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(receiver) = &mut self.rows else { return Ok(None) };
        let Some(rows) = receiver.recv().await else {
            self.rows = None;
            return Ok(None);
        };
        let message = self.encoder.encode(&rows)?;
        self.written = Written::default();
        self.cost.bytes_in += message.len();
        self.rows_in += rows.num_rows();
        Ok(Some(message))
    }

    /// Puts rows of the columns that were agreed on into an output.
    pub(super) async fn write(&mut self, name: &str, rows: Vec<u8>) -> Result<(), Refused> {
        let bound = self.bound.clone();
        let (at, output) = self.find(&bound, name)?;
        let batches = self.decode(&output.decoder, name, rows)?;
        let outputs = self.outputs()?;
        let Some(writer) = outputs.get(at).and_then(Opened::writer) else { return Ok(()) };
        for rows in batches {
            let written = writer.write(Partition(0), rows).await;
            written.map_err(|e| self.doom(in_output(name, e)))?;
        }
        Ok(())
    }

    /// Runs a statement on an output, and answers how many rows it changed.
    pub(super) async fn execute(
        &mut self,
        name: &str,
        statement: &str,
        schema: &[u8],
        parameters: Vec<u8>,
    ) -> Result<u64, Refused> {
        let bound = self.bound.clone();
        let (at, _) = self.find(&bound, name)?;
        let decoder = ipc::decode_schema(schema).and_then(Decoder::new);
        let decoder = decoder.map_err(|e| self.doom(self.breach(name, e)))?;
        let batches = self.decode(&decoder, name, parameters)?;
        let outputs = self.outputs()?;
        let Some(writer) = outputs.get(at).and_then(Opened::writer) else { return Ok(0) };
        let mut changed = 0;
        for parameters in batches {
            let executed = writer.execute(statement, parameters).await;
            changed += executed.map_err(|e| self.doom(in_output(name, e)))?;
        }
        Ok(changed)
    }

    /// The output of this name, and where it stands among them. In an epoch that is doomed there is none.
    fn find<'b>(&mut self, bound: &'b Bound, name: &str) -> Result<(usize, &'b Side), Refused> {
        if self.doom.is_some() {
            let failure = Failure::Permanent("the epoch has failed already".into());
            return Err(Refused::Failed(failure));
        }
        let outputs = &bound.agreed.outputs;
        let found = outputs.iter().enumerate().find(|(_, output)| output.name == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            let name = text::shown(name, text::NAME);
            self.doom(bound.blame(format!("it writes to an output `{name}`; in `bind` it named: {known}")))
        })
    }

    /// The batches with rows in them, within what the guest may write.
    fn decode(&mut self, decoder: &Decoder, name: &str, rows: Vec<u8>) -> Result<Vec<RecordBatch>, Refused> {
        let Limits { output_bytes, output_rows, .. } = self.bound.settings.limits;
        self.written.bytes += rows.len();
        self.cost.bytes_out += rows.len();
        if self.written.bytes > output_bytes {
            return Err(Refused::Overrun(Overrun::Output(output_bytes)));
        }
        let caps = Caps { bytes: output_bytes, rows: output_rows, batches: MOST_BATCHES };
        let batches = decoder.decode(rows, caps).map_err(|e| self.doom(self.breach(name, e)))?;
        let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
        self.written.rows += count;
        self.cost.rows_out += count;
        if self.written.rows > output_rows {
            return Err(Refused::Overrun(Overrun::Rows(output_rows)));
        }
        Ok(batches.into_iter().filter(|rows| rows.num_rows() > 0).collect())
    }

    fn outputs(&mut self) -> Result<Arc<Vec<Opened>>, Refused> {
        self.outputs.upgrade().ok_or_else(|| self.doom(Error::internal("the epoch was abandoned")))
    }

    fn breach(&self, name: &str, error: Error) -> Error {
        error.while_doing(self.bound.says(format!("what it writes to output `{name}`")))
    }

    /// Notes why the epoch cannot be stored, whatever the guest makes of it. It is told of its own mistakes; what happens elsewhere
    /// is not its business.
    pub(super) fn doom(&mut self, error: Error) -> Refused {
        let failure = match error.kind() {
            Kind::Plugin => Failure::Invalid(error.report()),
            Kind::Unavailable => Failure::Transient("the output cannot take this now".into()),
            _ => Failure::Permanent("the output does not take this".into()),
        };
        self.doom.get_or_insert(error);
        Refused::Failed(failure)
    }

    /// Adds what the call has cost to the sink's tally; `cost` has what is known without the rows.
    pub(super) fn tally(&self, cost: Cost) {
        let Cost { bytes_in, bytes_out, rows_out, .. } = self.cost;
        self.bound.tally.call(&Cost { bytes_in, bytes_out, rows_out, ..cost });
        self.bound.tally.batch(self.rows_in, rows_out, 0);
    }

    /// Why the epoch cannot be stored, if so.
    pub(super) fn into_result(self) -> Result<()> {
        self.doom.map_or(Ok(()), Err)
    }
}

fn in_output(name: &str, error: Error) -> Error {
    error.while_doing(format!("output `{name}`"))
}
