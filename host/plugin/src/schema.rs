//! What a plugin and the host agree on in `bind`: columns in, columns out.

use crate::{
    abi, dead_letter,
    fault::Fault,
    ipc::{self, Decoder},
    text,
};
use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{Field, Schema, SchemaRef},
};
use engine::{Error, Port, Result, Wanted};
use std::{collections::HashSet, sync::Arc};

/// Side outputs that a plugin may have.
const MOST_SIDES: usize = 64;

/// The outcome of `bind`.
pub(crate) struct Agreement {
    pub(crate) reads: Reads,
    pub(crate) main: Main,
    /// By index of the port, less one.
    pub(crate) sides: Vec<Side>,
    pub(crate) ports: Vec<Port>,
}

/// The columns that the guest sees, in the order in which it sees them.
pub(crate) struct Reads {
    pub(crate) indices: Vec<usize>,
    names: Vec<String>,
}

/// The main output.
pub(crate) enum Main {
    /// Rows of the guest's own making.
    Rows(Decoder),
    /// The input's columns and those of the decoder.
    Columns { added: Decoder, whole: SchemaRef },
}

/// A side output.
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) decoder: Decoder,
}

impl Agreement {
    /// Checks what a guest said in `bind` on rows of `input`.
    pub(crate) fn check(said: &abi::Binding, input: &SchemaRef, dead_letters: bool) -> Result<Self> {
        let reads = Reads::check(said.reads.as_deref(), input)?;
        let (main, schema) = main(&said.output, input)?;
        let mut ports = vec![Port { name: String::new(), schema }];
        let sides = sides(&said.side)?;
        ports.extend(sides.iter().map(|s| Port { name: s.name.clone(), schema: s.decoder.schema().clone() }));
        if dead_letters {
            ports.push(Port { name: dead_letter::PORT.into(), schema: dead_letter::schema(input)? });
        }
        Ok(Agreement { reads, main, sides, ports })
    }

    /// The side output of this name, and where it stands among them.
    pub(crate) fn side(&self, name: &str) -> Result<(usize, &Side), Fault> {
        let found = self.sides.iter().enumerate().find(|(_, side)| side.name == name);
        found.ok_or_else(|| {
            let name = text::shown(name, text::NAME);
            Fault::Breach(format!("it answers on a side output `{name}` that it did not name in `bind`"))
        })
    }

    /// The index of the port of dead letters, if there is one.
    pub(crate) fn dead_letters(&self) -> Option<usize> {
        self.ports.iter().rposition(|port| port.name == dead_letter::PORT)
    }

    /// Which of the input's columns have to be there, for the guest and for what is wanted of each port. A dead letter shows
    /// the row as it came.
    pub(crate) fn needs(&self, wanted: &[Wanted]) -> Wanted {
        let of = |port: usize| wanted.get(port).cloned().unwrap_or(Wanted::All);
        if self.dead_letters().is_some_and(|port| !of(port).is_nothing()) {
            return Wanted::All;
        }
        let reads = self.reads.indices.iter().copied().collect();
        match &self.main {
            Main::Rows(_) => reads,
            Main::Columns { added, whole } => {
                let passing = whole.fields().len() - added.schema().fields().len();
                (0..passing).filter(|column| of(0).has(*column)).collect::<Wanted>().and(reads)
            }
        }
    }
}

/// The outcome of `bind` with the sink of epochs.
pub(crate) struct SinkAgreement {
    pub(crate) reads: Reads,
    /// What it writes to.
    pub(crate) outputs: Vec<Side>,
}

impl SinkAgreement {
    /// Checks what a guest said in `bind` on rows of `input`.
    pub(crate) fn check(said: &abi::Binding, input: &SchemaRef) -> Result<Self> {
        if said.output != abi::Output::Nothing {
            return Err(Error::plugin("it says that rows leave it, and of a sink none do"));
        }
        let reads = Reads::check(said.reads.as_deref(), input)?;
        Ok(SinkAgreement { reads, outputs: sides(&said.side)? })
    }
}

impl Reads {
    fn check(said: Option<&[String]>, input: &SchemaRef) -> Result<Self> {
        let indices: Vec<usize> = match said {
            None => (0..input.fields().len()).collect(),
            Some(names) => names.iter().map(|name| find(name, input)).collect::<Result<_>>()?,
        };
        let named = indices.iter().filter_map(|i| input.fields().get(*i));
        let names: Vec<String> = named.map(|field| field.name().clone()).collect();
        unique(names.iter().map(String::as_str), "it reads the column")?;
        Ok(Reads { indices, names })
    }

    /// Their names.
    pub(crate) fn names(&self) -> String {
        self.names.join(", ")
    }
}

/// A batch of `rows` rows; unlike the plain constructor, also without columns.
pub(crate) fn assemble(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}

fn find(name: &str, input: &SchemaRef) -> Result<usize> {
    input.index_of(name).map_err(|_| {
        let there: Vec<&str> = input.fields().iter().map(|f| f.name().as_str()).collect();
        Error::invalid(format!(
            "it reads the column `{}`, and its input has {}",
            text::shown(name, text::NAME),
            there.join(", ")
        ))
    })
}

fn main(said: &abi::Output, input: &SchemaRef) -> Result<(Main, SchemaRef)> {
    match said {
        abi::Output::Rows(schema) => {
            let decoder = decoder(schema, "its output")?;
            let schema = decoder.schema().clone();
            Ok((Main::Rows(decoder), schema))
        }
        abi::Output::Columns(schema) => {
            let added = decoder(schema, "the columns it adds")?;
            let whole = widened(input, added.schema())?;
            Ok((Main::Columns { added, whole: whole.clone() }, whole))
        }
        abi::Output::Nothing => {
            Err(Error::invalid("it has no output: it is a sink, so put it under [sinks], not [steps]"))
        }
    }
}

fn widened(input: &SchemaRef, added: &SchemaRef) -> Result<SchemaRef> {
    let fields: Vec<Arc<Field>> = input.fields().iter().chain(added.fields()).cloned().collect();
    unique(fields.iter().map(|f| f.name().as_str()), "its output would have the column")?;
    Ok(Arc::new(Schema::new(fields)))
}

fn sides(said: &[(String, Vec<u8>)]) -> Result<Vec<Side>> {
    if said.len() > MOST_SIDES {
        return Err(Error::invalid(format!("it has {} side outputs; {MOST_SIDES} are allowed", said.len())));
    }
    unique(said.iter().map(|(name, _)| name.as_str()), "it has the side output")?;
    said.iter().map(|(name, schema)| side(name, schema)).collect()
}

fn side(name: &str, schema: &[u8]) -> Result<Side> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > text::NAME || !name.chars().all(plain) {
        return Err(Error::invalid(format!(
            "it names a side output `{}`; a name is made of letters, digits, `-` and `_`",
            text::shown(name, text::NAME)
        )));
    }
    if [dead_letter::PORT, "late"].contains(&name) {
        return Err(Error::invalid(format!("it names a side output `{name}`, which is reserved")));
    }
    Ok(Side { name: name.to_owned(), decoder: decoder(schema, "a side output")? })
}

fn decoder(schema: &[u8], of: &str) -> Result<Decoder> {
    let doing = |e: Error| e.while_doing(format!("the schema of {of}"));
    let schema = ipc::decode_schema(schema).map_err(doing)?;
    unique(schema.fields().iter().map(|f| f.name().as_str()), "its output has the column")?;
    Decoder::new(schema).map_err(doing)
}

/// Names are the same if they differ in case only, as in SQL.
fn unique<'a>(names: impl Iterator<Item = &'a str>, what: &str) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name.to_lowercase()) {
            return Err(Error::invalid(format!("{what} `{}` twice", text::shown(name, text::NAME))));
        }
    }
    Ok(())
}
