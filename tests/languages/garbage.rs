//! Bytes that no host sends: a guest refuses them or crashes, and never takes them for rows that they are not.

use super::{
    C, GO, JS, Language, PYTHON, RUST, corpus,
    host::{block_on, built, runtime},
};
use arrow::{
    array::{Array, ArrayRef, Int64Array, RecordBatch},
    compute::concat_batches,
    datatypes::{DataType, Field, Schema, SchemaRef},
    util::display::array_value_to_string,
};
use arrow_ipc::reader::StreamReader;
use plugin::{
    Answer, BindSettings, Limits, Plugin, Probe, Role,
    ipc::{Caps, Decoder, Encoder, Reason, Refusal, encode_schema},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tests::fuzz::{Random, Target};

/// Inputs for each language and way.
const TRIES: usize = 400;
/// What an input of a few kilobytes may make an instance take.
const MOST_MEMORY: usize = 128 << 20;
const CAPS: Caps = Caps { bytes: 64 << 20, rows: 1_000_000, batches: 1_000 };

/// Some rows with what has bounds that can be wrong: bitmaps, offsets, children, lengths. No map: of a key that is there twice
/// languages keep one.
fn rows() -> RecordBatch {
    let columns =
        ["boolean", "int64", "utf8", "binary", "list-of-text", "list-of-structs", "struct", "decimal128"];
    corpus::together(|name| columns.contains(&name))
}

fn settings(schema: &SchemaRef) -> BindSettings {
    let limits = Limits {
        memory: MOST_MEMORY,
        cpu_per_call: Duration::from_secs(20),
        wall_per_call: Duration::from_secs(100),
        ..Limits::default()
    };
    BindSettings { limits, ..BindSettings::new("garbage", schema.clone()) }
}

fn decoded(decoder: &Decoder, messages: &[u8]) -> Option<RecordBatch> {
    let batches = decoder.decode(messages.to_vec(), CAPS).ok()?;
    concat_batches(decoder.schema(), &batches).ok()
}

/// Why the host would not read it.
fn refusal(decoder: &Decoder, messages: &[u8]) -> Option<Refusal> {
    let error = decoder.decode(messages.to_vec(), CAPS).err()?;
    std::error::Error::source(&error)?.downcast_ref::<Refusal>().cloned()
}

/// Whether it contradicts itself in what need not be looked at, has bytes of one column serve two, or has a header that is not aligned:
/// rows that are read of it are as good as any.
fn is_said_twice(decoder: &Decoder, messages: &[u8]) -> bool {
    use Reason::{FalseNullCount, Metadata, Misaligned, NullCount, Overlap};
    refusal(decoder, messages).is_some_and(|refusal| match refusal.reason {
        FalseNullCount { .. } | Misaligned { .. } | NullCount { .. } | Overlap { .. } => true,
        Metadata { error } => error.contains("unaligned"),
        _ => false,
    })
}

/// What arrow-rs's own reader makes of it, which is more patient.
fn understood(decoder: &Decoder, messages: &[u8]) -> Option<RecordBatch> {
    let stream = [&encode_schema(decoder.schema()).ok()?, messages].concat();
    let read = || {
        let reader = StreamReader::try_new(stream.as_slice(), None).ok()?;
        let batches = reader.collect::<Result<Vec<_>, _>>().ok()?;
        concat_batches(decoder.schema(), &batches).ok()
    };
    // It panics on some of what is broken.
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

fn difference(given: &RecordBatch, back: &RecordBatch) -> String {
    let columns = given.columns().iter().zip(back.columns()).zip(given.schema_ref().fields());
    let other = columns.filter(|((given, back), _)| given != back).map(|((given, back), field)| {
        let row = (0..given.len().min(back.len())).find(|row| given.slice(*row, 1) != back.slice(*row, 1));
        let [given, back] = [given, back].map(|column| array_value_to_string(column, row.unwrap_or(0)));
        format!("{}, row {row:?}: {back:?} and not {given:?}", field.name())
    });
    let other: Vec<String> = other.collect();
    format!("{} rows of {}: {}", back.num_rows(), given.num_rows(), other.join("; "))
}

/// Broken messages: bad lengths, cut ones, noise, and those in which little is changed.
fn inputs(good: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
    let mut inputs = vec![
        Vec::new(),
        vec![0; 8],
        vec![0xff; 8],
        vec![0xff; 4096],
        [vec![0xff; 4], vec![0xf8, 0xff, 0xff, 0x7f]].concat(),
        [vec![0xff; 4], vec![0, 0, 0, 0x70], vec![0x11; 64]].concat(),
        good[..good.len() / 2].to_vec(),
        good[..16].to_vec(),
        [good, good].concat(),
        [good, &[0xff; 8]].concat(),
    ];
    while inputs.len() < TRIES {
        let mut input = good.to_vec();
        let target = if random.one_in(2) { Target::Raw } else { Target::Changed };
        target.mutate(random, &mut input);
        inputs.push(input);
    }
    inputs
}

/// How bytes come into a plugin.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The batch of a transform.
    Batch,
    /// The arguments of a function.
    Arguments,
    /// The rows of keys, and the keys.
    Groups,
    /// The entries of a table that is migrated.
    Entries,
}

impl Way {
    const ALL: [Way; 4] = [Way::Batch, Way::Arguments, Way::Groups, Way::Entries];

    fn plugin(self) -> &'static str {
        match self {
            Way::Batch => "echo",
            Way::Arguments => "echo-function",
            Way::Groups | Way::Entries => "echo-keyed",
        }
    }

    /// Good rows.
    fn rows(self) -> RecordBatch {
        match self {
            Way::Batch => rows(),
            Way::Arguments => corpus::together(|name| name == "struct"),
            Way::Groups | Way::Entries => {
                let values = corpus::together(|name| name == "list-of-structs").column(0).clone();
                let places: ArrayRef = Arc::new(Int64Array::from_iter_values(0..values.len() as i64));
                RecordBatch::try_from_iter([("place", places), ("value", values)]).unwrap()
            }
        }
    }

    async fn probe(self, plugin: &Plugin) -> Probe {
        let schema = self.rows().schema();
        let started = match self {
            Way::Batch => plugin.probe(Role::Transform, settings(&schema), &[]).await,
            Way::Arguments => {
                plugin.probe(Role::Functions, settings(&SchemaRef::new(Schema::empty())), &[]).await
            }
            Way::Groups | Way::Entries => {
                let key = Arc::new(Field::new("key", DataType::Int64, true));
                let fields: Vec<_> = [key].into_iter().chain(schema.fields().iter().cloned()).collect();
                plugin.probe(Role::Keyed, settings(&SchemaRef::new(Schema::new(fields))), &["key"]).await
            }
        };
        started.unwrap()
    }

    async fn hand(self, probe: &mut Probe, schema: &[u8], bytes: &[u8]) -> Answer {
        match self {
            Way::Batch => probe.process(bytes).await,
            Way::Arguments => probe.call("struct", bytes).await,
            // Bytes that are no rows are no keys either.
            Way::Groups => probe.process_groups(&one_key(), &[0], bytes).await.unwrap(),
            Way::Entries => probe.migrate("last", 1, schema, bytes).await,
        }
    }
}

fn one_key() -> Vec<u8> {
    let key: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let key = RecordBatch::try_from_iter([("key", key)]).unwrap();
    Encoder::new(&key.schema()).unwrap().encode(&key).unwrap()
}

/// What a guest does that it must not, a line each.
async fn wrong(language: &Language) -> Vec<String> {
    let mut wrong = Vec::new();
    for way in Way::ALL {
        let plugin = runtime().load(&built(&language.plugin(way.plugin()))).await.unwrap();
        let faults = wrong_rows(way, &plugin).await;
        wrong.extend(faults.into_iter().map(|what| format!("{way:?}, {what}")));
    }
    let plugin = runtime().load(&built(&language.plugin("echo"))).await.unwrap();
    wrong.extend(wrong_schemas(&plugin).await);
    wrong
}

async fn wrong_rows(way: Way, plugin: &Plugin) -> Vec<String> {
    let rows = way.rows();
    let mut encoder = Encoder::new(&rows.schema()).unwrap();
    let good = encoder.encode(&rows).unwrap();
    let schema = encode_schema(encoder.schema()).unwrap();
    let decoder = Decoder::new(encoder.schema().clone()).unwrap();
    let mut random = Random::new(7);
    let mut probe = way.probe(plugin).await;
    let mut wrong = Vec::new();
    for (number, input) in inputs(&good, &mut random).into_iter().enumerate() {
        let answer = way.hand(&mut probe, &schema, &input).await;
        let is_crash = matches!(answer, Answer::Crash(_));
        wrong.extend(misuse(way, &decoder, &input, answer).map(|what| format!("input {number}: {what}")));
        if is_crash {
            probe = way.probe(plugin).await;
        }
    }
    // What was refused has left nothing behind.
    let after = way.hand(&mut probe, &schema, &good).await;
    wrong.extend(misuse(way, &decoder, &good, after.clone()).map(|what| format!("afterwards: {what}")));
    if !matches!(after, Answer::Rows(_)) {
        wrong.push(format!("afterwards good rows are {after:?}"));
    }
    wrong
}

fn misuse(way: Way, decoder: &Decoder, input: &[u8], answer: Answer) -> Option<String> {
    match answer {
        // Refusing what is in order is no harm: no host sends it.
        Answer::Failure(_) => None,
        Answer::Crash(why) if why.contains("limits.") => Some(why),
        Answer::Crash(_) => None,
        // They are kept, and what leaves is what was there before.
        Answer::Rows(rows) if matches!(way, Way::Groups) => {
            let before = |rows: &RecordBatch| rows.num_rows() > 0;
            decoded(decoder, &rows).filter(before).map(|rows| format!("{} rows of nothing", rows.num_rows()))
        }
        Answer::Rows(rows) => {
            // What the host cannot read it does not use.
            let back = decoded(decoder, &rows)?;
            // What is laid out otherwise than the host does it may be understood.
            match decoded(decoder, input).or_else(|| understood(decoder, input)) {
                Some(given) => (given != back).then(|| difference(&given, &back)),
                None if is_said_twice(decoder, input) => None,
                None => {
                    let why = refusal(decoder, input);
                    Some(format!("{} rows of what the host calls {why:?}", back.num_rows()))
                }
            }
        }
        answer => Some(format!("{answer:?}")),
    }
}

/// Of a schema that is broken something may be left that can be read: it is bound to, or refused, in little memory and time.
async fn wrong_schemas(plugin: &Plugin) -> Vec<String> {
    let (mut random, mut wrong) = (Random::new(7), Vec::new());
    let mut probe: Option<Probe> = None;
    for number in 0..TRIES / 4 {
        let mut fresh = match probe.take() {
            Some(probe) => probe,
            None => Way::Batch.probe(plugin).await,
        };
        let mut schema = fresh.schema().to_vec();
        Target::Raw.mutate(&mut random, &mut schema);
        match fresh.bind(&schema).await {
            Answer::Crash(why) if why.contains("limits.") => wrong.push(format!("schema {number}: {why}")),
            Answer::Crash(_) => {}
            _ => probe = Some(fresh),
        }
    }
    wrong
}

#[track_caller]
fn is_refused(language: &Language) {
    let wrong = block_on(wrong(language));
    assert!(wrong.is_empty(), "{}:\n{}", language.name, wrong.join("\n"));
}

#[test]
fn garbage_is_refused_in_rust() {
    is_refused(&RUST);
}

#[test]
fn garbage_is_refused_in_go() {
    is_refused(&GO);
}

#[test]
fn garbage_is_refused_in_javascript() {
    is_refused(&JS);
}

#[test]
fn garbage_is_refused_in_python() {
    is_refused(&PYTHON);
}

#[test]
fn garbage_is_refused_in_c() {
    is_refused(&C);
}
