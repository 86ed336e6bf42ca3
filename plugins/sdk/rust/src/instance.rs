//! One plugin, bound to a configuration and an input schema.

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{Schema, SchemaRef};

use crate::bindings::exports::streamhost::plugin::plugin::{Binding, Description, Output as Shape};
use crate::bindings::exports::streamhost::plugin::transform::{Outcome, Rows};
use crate::plugin::Side;
use crate::{Context, Error, Output, Plugin, Result, RowErrors, config, ipc, schema};

/// A plugin that has agreed on schemas.
pub struct Instance<P: Plugin> {
    config: P::Config,
    input: SchemaRef,
    outputs: Outputs,
}

/// The schemas of what leaves, fixed by `bind`.
struct Outputs {
    main: Option<SchemaRef>,
    side: Vec<(&'static str, SchemaRef)>,
}

/// What the plugin says of itself.
pub(crate) fn describe<P: Plugin>() -> Description {
    Description {
        name: P::MANIFEST.name.into(),
        version: P::MANIFEST.version.into(),
        summary: P::MANIFEST.summary.into(),
        config_schema: config::schema::<P::Config>(),
        deterministic: P::MANIFEST.deterministic,
        asks: Vec::new(),
    }
}

impl<P: Plugin> Instance<P> {
    /// Reads the configuration, picks the columns and asks the plugin, with an empty batch, what it gives for them.
    ///
    /// # Errors
    /// If the configuration is wrong, or the input lacks a column or has it with another type.
    pub fn bind(config: &str, input: &Schema) -> Result<(Self, Binding)> {
        let config = config::parse::<P::Config>(config)?;
        let input = schema::project(input, P::reads(&config).as_deref())?;
        let empty = RecordBatch::new_empty(input.clone());
        let mut errors = RowErrors::default();
        let output = P::process(&config, &no_context(), &empty, &mut errors)?;
        let outputs = Outputs::of(&output);
        let reads = P::reads(&config).is_some().then(|| schema::names(&input));
        let side = outputs.side.iter().map(|(name, schema)| ((*name).into(), ipc::encode_schema(schema))).collect();
        let binding = Binding { reads, output: shape(&output, outputs.main.as_deref()), side };
        Ok((Self { config, input, outputs }, binding))
    }

    /// Processes the messages of one call.
    ///
    /// # Errors
    /// If the plugin does, or gives other columns than it gave for the empty batch.
    pub fn process(&self, cx: &Context, messages: Vec<u8>) -> Result<Outcome> {
        let batch = ipc::decode(messages, &self.input)?;
        let mut errors = RowErrors::default();
        let output = P::process(&self.config, cx, &batch, &mut errors)?;
        let (main, side) = match output {
            Output::Keep(keep) => (Rows::Keep(bitmap(&keep, batch.num_rows(), &errors)?), Vec::new()),
            Output::Extend(columns) => {
                same_length("new columns", columns.num_rows(), batch.num_rows())?;
                (Rows::Extend(self.outputs.encode(&columns)?), Vec::new())
            }
            Output::KeepExtend(keep, columns) => {
                let bits = bitmap(&keep, batch.num_rows(), &errors)?;
                same_length("new columns", columns.num_rows(), ones(&bits))?;
                (Rows::KeepExtend((bits, self.outputs.encode(&columns)?)), Vec::new())
            }
            Output::Replace(rows, side) => {
                (Rows::Replace(self.outputs.encode(&rows)?), self.outputs.encode_side(side)?)
            }
        };
        Ok(Outcome { main, side, errors: errors.into_inner() })
    }
}

impl Outputs {
    fn of(output: &Output) -> Self {
        match output {
            Output::Keep(_) => Self { main: None, side: Vec::new() },
            Output::Extend(columns) | Output::KeepExtend(_, columns) => {
                Self { main: Some(schema::nullable(columns.schema_ref())), side: Vec::new() }
            }
            Output::Replace(rows, side) => Self {
                main: Some(schema::nullable(rows.schema_ref())),
                side: side.iter().map(|(name, rows)| (*name, schema::nullable(rows.schema_ref()))).collect(),
            },
        }
    }

    fn encode(&self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match &self.main {
            Some(schema) => encode("the output", batch, schema),
            None => Err(Error::permanent("the plugin gave columns, and only rows to keep for an empty batch")),
        }
    }

    /// Every declared side output, those without rows left out.
    fn encode_side(&self, side: Vec<Side>) -> Result<Vec<(String, Vec<u8>)>> {
        side.into_iter()
            .filter(|(_, rows)| rows.num_rows() > 0)
            .map(|(name, rows)| {
                let Some((_, schema)) = self.side.iter().find(|(declared, _)| *declared == name) else {
                    return Err(Error::permanent(format!(
                        "side output `{name}` was not given for an empty batch: always give it, with no rows if there are none"
                    )));
                };
                Ok((name.to_owned(), encode(&format!("side output `{name}`"), &rows, schema)?))
            })
            .collect()
    }
}

fn encode(what: &str, batch: &RecordBatch, schema: &Schema) -> Result<Vec<u8>> {
    schema::same_columns(schema, batch.schema_ref()).map_err(|error| error.context(what))?;
    ipc::encode(batch)
}

fn shape(output: &Output, schema: Option<&Schema>) -> Shape {
    let empty = Schema::empty();
    let bytes = ipc::encode_schema(schema.unwrap_or(&empty));
    match output {
        Output::Replace(..) => Shape::Rows(bytes),
        _ => Shape::Columns(bytes),
    }
}

/// Arrow's bitmap of the rows to keep: neither null nor in error; bits past the last row clear.
fn bitmap(keep: &BooleanArray, rows: usize, errors: &RowErrors) -> Result<Vec<u8>> {
    same_length("the rows to keep", keep.len(), rows)?;
    let kept = match keep.nulls() {
        Some(valid) if valid.null_count() > 0 => keep.values() & valid.inner(),
        _ => keep.values().clone(),
    };
    let bits = kept.sliced();
    let mut bits = bits.get(..rows.div_ceil(8)).map(<[u8]>::to_vec).unwrap_or_default();
    if let (Some(last), 1..) = (bits.last_mut(), rows % 8) {
        *last &= (1 << (rows % 8)) - 1;
    }
    for row in errors.rows() {
        if let Some(byte) = bits.get_mut(row / 8) {
            *byte &= !(1 << (row % 8));
        }
    }
    Ok(bits)
}

fn ones(bits: &[u8]) -> usize {
    bits.iter().map(|byte| byte.count_ones() as usize).sum()
}

fn same_length(what: &str, given: usize, wanted: usize) -> Result<()> {
    if given == wanted {
        return Ok(());
    }
    Err(Error::permanent(format!("{what} are {given}, not {wanted}, one for each row")))
}

/// The context of the empty batch that `bind` tries.
fn no_context() -> Context {
    Context { query: String::new(), epoch: 0, partition: 0, attempt: 0, watermark: None, now: 0 }
}
