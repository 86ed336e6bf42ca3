//! Dead letters put through again: a pipeline that reads them where they lie, and goes on with the step that could not process them.

use crate::{
    assemble,
    file::PipelineFile,
    graph::{DEAD_LETTER, Upstream},
    planner::Planner,
    query,
    settings::{Pipeline, Sink, Source, Step, Trigger},
    world::World,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use connectors::{
    delta::DeltaSettings,
    files::{FileFormat, FilesSettings, sink::FileSinkSettings},
    formats::{csv::decode::CsvInput, ddl},
    kafka::{Format, KafkaSettings, KafkaSinkSettings, SinkFormat},
    source::{OnBadData, SchemaOption},
    sql::SqlSourceSettings,
    units::Interval,
};
use engine::{Error, History, Result, plan::Planner as _};
use indexmap::IndexMap;
use plugin::DEAD_LETTER_COLUMNS;
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

/// What to replay.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The sink that has the letters.
    pub sink: String,
    /// For a table: the column of it that rises.
    pub column: Option<String>,
    /// What the replay remembers; none: beside the pipeline's own.
    pub checkpoint: Option<PathBuf>,
}

/// The names of what only the replay has.
const SOURCE: &str = "dead-letters";
const ROWS: &str = "dead-letters-rows";

/// A pipeline that reads the letters of a sink, from where an earlier replay ended, and puts them through the step that they are
/// of and all that is behind it. It has an identity and a checkpoint of its own, so each letter that passes is stored once, and
/// those that do not pass are letters again, which the next replay reads.
pub async fn replay(file: &PipelineFile, world: &World, replay: &Replay) -> Result<PipelineFile> {
    let (index, sink) = letters_of(file, &replay.sink)?;
    let (name, _) = step(file, index)?;
    let input = input_of(file, world, index).await?;
    let behind = behind(file, index)?;
    let settings = &file.settings;
    let place = place(file, &replay.sink, sink, replay.column.as_deref(), &input)?;
    // A Delta table says itself what its columns are.
    let schema = place.delta.is_none().then(|| SchemaOption::Ddl(ddl::print(&letter(&input))));
    let source = Source { schema, on_bad_data: OnBadData::Fail, ..place };
    let names: Vec<String> =
        input.fields().iter().map(|field| format!("`{}`", field.name().replace('`', "``"))).collect();
    let rows = Step::of_sql(format!("SELECT {} FROM `{SOURCE}`", names.join(", ")));
    let mut steps = IndexMap::from([(ROWS.to_owned(), rows)]);
    for (index, (step_name, step)) in
        settings.steps.iter().enumerate().filter(|(index, _)| behind.contains(index))
    {
        let mut step = step.clone();
        if step_name == name {
            step.from = Some(ROWS.into());
        } else if step.sql.is_none() && step.from.is_none() {
            // What was above it is not among the steps of the replay, or is not above it there.
            step.from = above(file, index);
        }
        steps.insert(step_name.clone(), step);
    }
    let mut sinks = IndexMap::new();
    for ((sink_name, sink), upstream) in settings.sinks.iter().zip(&file.graph.sinks) {
        if matches!(upstream, Upstream::Step(step, _) if behind.contains(step)) {
            sinks.insert(sink_name.clone(), Sink { from: Some(written(file, upstream)), ..sink.clone() });
        }
    }
    let pipeline = Pipeline {
        name: Some(format!("{}-{}", file.name(), replay.sink)),
        trigger: Trigger::AvailableNow,
        checkpoint: Some(checkpoint(file, replay)?),
        sources: IndexMap::from([(SOURCE.to_owned(), source)]),
        steps,
        sinks,
        tests: Vec::new(),
        ..settings.clone()
    };
    let made = file.replaying(pipeline)?;
    refuse_state(&made, world).await?;
    Ok(made)
}

/// The step whose letters a sink has.
fn letters_of<'f>(file: &'f PipelineFile, name: &str) -> Result<(usize, &'f Sink)> {
    let of = |upstream: &Upstream| match upstream {
        Upstream::Step(step, Some(output)) if output == DEAD_LETTER => Some(*step),
        _ => None,
    };
    let all = || file.settings.sinks.iter().zip(&file.graph.sinks);
    let found = all().find(|((sink, _), _)| *sink == name);
    if let Some(((_, sink), upstream)) = found
        && let Some(step) = of(upstream)
    {
        return Ok((step, sink));
    }
    let there: Vec<&str> =
        all().filter(|(_, upstream)| of(upstream).is_some()).map(|((sink, _), _)| sink.as_str()).collect();
    let there = if there.is_empty() { "none does".into() } else { format!("these do: {}", there.join(", ")) };
    Err(Error::invalid(format!("no sink `{name}` reads the dead letters of a step; {there}")))
}

fn step(file: &PipelineFile, index: usize) -> Result<(&String, &Step)> {
    let step = file.settings.steps.get_index(index);
    step.ok_or_else(|| Error::internal("the pipeline's graph names a step that is not there"))
}

/// The columns that the step was given.
async fn input_of(file: &PipelineFile, world: &World, index: usize) -> Result<SchemaRef> {
    let planner = Planner::new(Arc::new(file.clone()), world.clone())?;
    let mut schemas = Vec::new();
    for named in planner.sources().await? {
        let restored =
            named.source.restore(History::default(), query::trigger(file.settings.trigger).reach()).await;
        let schema = restored.and_then(|()| named.source.schema(None));
        schemas.push(schema.map_err(|e| planner.of("source", &named.name, e))?);
    }
    let inputs = planner.inputs(&schemas).await?;
    inputs.into_iter().nth(index).ok_or_else(assemble::missing)
}

/// The columns of a letter.
fn letter(input: &Schema) -> Schema {
    let added = DEAD_LETTER_COLUMNS.iter().map(|name| {
        let kind = if *name == "_epoch" { DataType::Int64 } else { DataType::Utf8 };
        Arc::new(Field::new(*name, kind, true))
    });
    Schema::new(input.fields().iter().cloned().chain(added).collect::<Vec<_>>())
}

/// The step and those that get its rows. The error names one that gets others' too: the replay would be without them.
fn behind(file: &PipelineFile, first: usize) -> Result<BTreeSet<usize>> {
    let mut behind = BTreeSet::from([first]);
    for (index, upstreams) in file.graph.steps.iter().enumerate().skip(first + 1) {
        let streams = upstreams.iter().filter(|(_, upstream)| !matches!(upstream, Upstream::Table(_)));
        let is_behind =
            |upstream: &Upstream| matches!(upstream, Upstream::Step(step, _) if behind.contains(step));
        let (inside, outside): (Vec<_>, Vec<_>) = streams.partition(|(_, upstream)| is_behind(upstream));
        match (inside.is_empty(), outside.is_empty()) {
            (false, true) => drop(behind.insert(index)),
            (false, false) => {
                let (name, _) = step(file, index)?;
                return Err(Error::invalid(format!(
                    "step `{name}` joins these rows with others, which a replay does not have; give the letters to the pipeline as one more source"
                )));
            }
            (true, _) => {}
        }
    }
    Ok(behind)
}

/// What stands above a step that names nothing.
fn above(file: &PipelineFile, index: usize) -> Option<String> {
    let (_, upstream) = file.graph.steps.get(index)?.first()?;
    Some(written(file, upstream))
}

/// An upstream as a file has it.
fn written(file: &PipelineFile, upstream: &Upstream) -> String {
    let settings = &file.settings;
    let name = |name: Option<&String>| name.cloned().unwrap_or_default();
    match upstream {
        Upstream::Source(index) => name(settings.sources.get_index(*index).map(|(name, _)| name)),
        Upstream::Table(index) => name(settings.tables.get_index(*index).map(|(name, _)| name)),
        Upstream::Step(index, output) => {
            let step = name(settings.steps.get_index(*index).map(|(name, _)| name));
            output.as_ref().map_or_else(|| step.clone(), |output| format!("{step}.{output}"))
        }
    }
}

/// The place of a sink, as a source of the rows that a step was given.
fn place(
    file: &PipelineFile,
    name: &str,
    sink: &Sink,
    column: Option<&str>,
    input: &Schema,
) -> Result<Source> {
    if let Some(files) = &sink.files {
        return Ok(Source { files: Some(files_of(files)), ..Source::default() });
    }
    if let Some(sql) = &sink.sql {
        let (Some(table), Some(column)) = (&sql.table, column) else {
            return Err(file.locate(&["sinks", name], Error::invalid(format!(
                "sink `{name}`: a table has no order in which its rows were added; name a column of it that rises with --column, such as \
                 an identity column that the database fills in"
            ))));
        };
        let sql = SqlSourceSettings {
            connection: sql.connection.clone(),
            table: Some(table.clone()),
            query: None,
            column: column.to_owned(),
            every: Interval::millis(1_000),
            settle: Interval::millis(0),
        };
        return Ok(Source { sql: Some(sql), ..Source::default() });
    }
    if let Some(delta) = &sink.delta {
        return Ok(Source { delta: Some(DeltaSettings::of(delta.path.clone())), ..Source::default() });
    }
    if let Some(kafka) = &sink.kafka
        && let (Some(topic), SinkFormat::Json) = (&kafka.topic, kafka.value)
    {
        if let Some((setting, column)) = beside_the_value(kafka, input) {
            return Err(file.locate(&["sinks", name], Error::invalid(format!(
                "sink `{name}`: `{setting}` takes column `{column}` out of what is written as JSON, and a replay reads that alone: the letters \
                 would be put through without it; leave the setting out for dead letters, or give the topic to the pipeline as one more source"
            ))));
        }
        let client = kafka.client.of_connection();
        let of = KafkaSettings::of(&kafka.bootstrap_servers, topic);
        return Ok(Source {
            kafka: Some(KafkaSettings { value: Format::Json, client, ..of }),
            ..Source::default()
        });
    }
    let what = format!(
        "sink `{name}`: letters are read again from files, databases, Delta tables and topics with JSON, and it writes to none of these"
    );
    Err(file.locate(&["sinks", name], Error::invalid(what)))
}

/// A setting that puts one of these columns elsewhere than into the value of a message.
fn beside_the_value<'s>(sink: &'s KafkaSinkSettings, of: &Schema) -> Option<(&'static str, &'s str)> {
    let KafkaSinkSettings {
        key_from_column,
        topic_from_column,
        partition_from_column,
        headers_from_column,
        ..
    } = sink;
    let settings = [
        ("key-from-column", key_from_column),
        ("topic-from-column", topic_from_column),
        ("partition-from-column", partition_from_column),
        ("headers-from-column", headers_from_column),
    ];
    let settings = settings.into_iter().filter_map(|(setting, column)| Some((setting, column.as_deref()?)));
    let is_one = |column: &str| of.fields().iter().any(|field| field.name().eq_ignore_ascii_case(column));
    let mut settings = settings.filter(|(_, column)| is_one(column));
    settings.next()
}

fn files_of(sink: &FileSinkSettings) -> FilesSettings {
    let csv = sink.csv.as_ref().map(|csv| CsvInput {
        header: csv.header,
        delimiter: csv.delimiter,
        quote: csv.quote,
        escape: csv.escape,
        null_value: csv.null_value.clone(),
        ..CsvInput::default()
    });
    let by_path = sink.path.extension().is_none().then_some(FileFormat::Parquet);
    FilesSettings {
        format: sink.format.or(by_path),
        csv,
        settle: Interval::millis(0),
        ..FilesSettings::at(&sink.path)
    }
}

fn checkpoint(file: &PipelineFile, replay: &Replay) -> Result<PathBuf> {
    if let Some(given) = &replay.checkpoint {
        return Ok(given.clone());
    }
    let own = file.settings.checkpoint.as_ref().ok_or_else(|| {
        Error::invalid(
            "the pipeline has no `checkpoint` to put the replay's beside; name one with --checkpoint",
        )
    })?;
    let name = own.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(own.with_file_name(format!("{name}-replay-{}", replay.sink)))
}

/// State belongs to the pipeline's own query: letters would be counted without the rows before them.
async fn refuse_state(made: &PipelineFile, world: &World) -> Result<()> {
    let planner = Planner::new(Arc::new(made.clone()), world.clone())?;
    let mut schemas = Vec::new();
    for named in planner.sources().await? {
        named.source.restore(History::default(), engine::Reach::AvailableNow).await?;
        schemas.push(named.source.schema(None)?);
    }
    let alone = "planning the steps for letters alone, which have no watermark; steps that remember rows are not replayed";
    let flow = planner.dataflow(&schemas).await.map_err(|e| e.while_doing(alone))?;
    match flow.keyed().next() {
        Some((_, name, _)) => Err(Error::invalid(format!(
            "step `{name}` remembers rows, and a replay does not know what it remembers; give the letters to the pipeline as one more source"
        ))),
        None => Ok(()),
    }
}
