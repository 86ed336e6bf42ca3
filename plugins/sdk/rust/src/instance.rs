//! One plugin, bound to a configuration and an input schema.

use arrow_schema::{Schema, SchemaRef};
use schemars::JsonSchema;

use crate::answer::Answer;
use crate::bindings::exports::streamhost::plugin::plugin::{Binding, Description, Output as Shape};
use crate::bindings::stateless::exports::streamhost::plugin::transform::Outcome;
use crate::{Context, Error, Manifest, Output, Plugin, Result, RowErrors, config, ipc, schema};

/// A plugin that has agreed on schemas.
pub(crate) struct Instance<P: Plugin> {
    config: P::Config,
    input: SchemaRef,
    outputs: Outputs,
}

/// What leaves the plugin, as the empty batch of `bind` showed it.
pub(crate) struct Outputs {
    pub(crate) kind: Kind,
    /// The columns of the rows, or the columns added to the input's.
    pub(crate) main: SchemaRef,
    pub(crate) side: Vec<(&'static str, SchemaRef)>,
}

/// The variants of [`Output`].
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Keep,
    Extend,
    KeepExtend,
    Replace,
}

/// What a plugin says of itself.
pub(crate) fn describe<C: JsonSchema>(manifest: &Manifest) -> Description {
    Description {
        name: manifest.name.into(),
        version: manifest.version.into(),
        summary: manifest.summary.into(),
        config_schema: config::schema::<C>(),
        deterministic: manifest.deterministic,
        asks: manifest.asks.iter().map(|ask| (*ask).into()).collect(),
    }
}

impl<P: Plugin> Instance<P> {
    /// Reads the configuration, picks the columns and asks the plugin, with an empty batch, what it gives for them.
    ///
    /// # Errors
    /// If the configuration is wrong, or the input lacks a column or has it with another type.
    pub(crate) fn bind(config: &str, input: &Schema) -> Result<(Self, Binding)> {
        let config = config::parse::<P::Config>(config)?;
        let reads = P::reads(&config);
        let input = schema::project(input, reads.as_deref())?;
        let empty = ipc::empty(&input)?;
        let outputs = Outputs::of(&P::process(&config, &no_context(), &empty, &mut RowErrors::default())?);
        let reads = reads.is_some().then(|| schema::names(&input));
        let binding = Binding { reads, ..outputs.binding() };
        Ok((Self { config, input, outputs }, binding))
    }

    /// Processes the messages of one call.
    ///
    /// # Errors
    /// If the plugin does, or gives other columns than it gave for the empty batch.
    pub(crate) fn process(&self, cx: &Context, messages: Vec<u8>) -> Result<Outcome> {
        let mut answer = Answer::new(&self.outputs);
        for batch in ipc::decode(messages, &self.input)? {
            let mut errors = RowErrors::default();
            let output = P::process(&self.config, cx, &batch, &mut errors)?;
            answer.add(batch.num_rows(), output, errors)?;
        }
        Ok(answer.into_outcome())
    }

    /// What leaves, for a test that plays the host.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn outputs(&self) -> &Outputs {
        &self.outputs
    }
}

impl Outputs {
    fn of(output: &Output) -> Self {
        let (kind, main) = match output {
            Output::Keep(_) => (Kind::Keep, Schema::empty().into()),
            Output::Extend(columns) => (Kind::Extend, schema::nullable(columns.schema_ref())),
            Output::KeepExtend(_, columns) => (Kind::KeepExtend, schema::nullable(columns.schema_ref())),
            Output::Replace(rows, _) => (Kind::Replace, schema::nullable(rows.schema_ref())),
        };
        let side = match output {
            Output::Replace(_, side) => {
                side.iter().map(|(name, rows)| (*name, schema::nullable(rows.schema_ref()))).collect()
            }
            _ => Vec::new(),
        };
        Self { kind, main, side }
    }

    fn binding(&self) -> Binding {
        let main = ipc::encode_schema(&self.main);
        let side = self.side.iter().map(|(name, schema)| ((*name).into(), ipc::encode_schema(schema)));
        Binding {
            reads: None,
            output: if self.kind == Kind::Replace { Shape::Rows(main) } else { Shape::Columns(main) },
            side: side.collect(),
        }
    }

    /// The schema of a side output.
    pub(crate) fn side(&self, name: &str) -> Result<&Schema> {
        match self.side.iter().find(|(declared, _)| *declared == name) {
            Some((_, schema)) => Ok(schema),
            None => Err(Error::permanent(format_args!(
                "side output `{name}` was not given for an empty batch: always give it, with no rows if there are none"
            ))),
        }
    }
}

/// The context of the empty batch that `bind` tries.
pub(crate) fn no_context() -> Context {
    Context { query: String::new(), epoch: 0, partition: 0, attempt: 0, watermark: None, now: 0 }
}
