//! Bytes that no host sends: a guest refuses them or crashes, and never takes them for rows that they are not.

use super::{
    C, GO, JS, Language, PYTHON, corpus,
    host::{block_on, built, runtime},
};
use arrow::{
    array::{Array, RecordBatch},
    compute::concat_batches,
    datatypes::{Schema, SchemaRef},
    util::display::array_value_to_string,
};
use arrow_ipc::reader::StreamReader;
use plugin::{
    Answer, BindSettings, Limits, Plugin, Probe,
    ipc::{Caps, Decoder, Encoder, Reason, Refusal, encode_schema},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tests::fuzz::{Random, Target};

/// Inputs for each language.
const TRIES: usize = 600;
/// What an input of a few kilobytes may make an instance take.
const MOST_MEMORY: usize = 128 << 20;
const CAPS: Caps = Caps { bytes: 64 << 20, rows: 1_000_000, batches: 1_000 };

/// Some rows with what has bounds that can be wrong: bitmaps, offsets, children, lengths. No map: of a key that is there twice
/// languages keep one.
fn rows() -> RecordBatch {
    let wanted =
        ["boolean", "int64", "utf8", "binary", "list-of-text", "list-of-structs", "struct", "decimal128"];
    let columns = corpus::columns().into_iter().filter(|(name, _)| wanted.contains(name));
    let batches = columns.map(|(name, values)| corpus::batches(name, &values).remove(2));
    let batches: Vec<RecordBatch> = batches.collect();
    let fields: Vec<_> = batches.iter().flat_map(|batch| batch.schema().fields().to_vec()).collect();
    let columns = batches.iter().flat_map(|batch| batch.columns().to_vec()).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
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

/// Whether it contradicts itself in what need not be looked at, or has bytes of one column serve two: rows that are read of it
/// are as good as any.
fn is_said_twice(decoder: &Decoder, messages: &[u8]) -> bool {
    use Reason::{FalseNullCount, Misaligned, NullCount, Overlap};
    refusal(decoder, messages).is_some_and(|refusal| {
        matches!(
            refusal.reason,
            FalseNullCount { .. } | Misaligned { .. } | NullCount { .. } | Overlap { .. }
        )
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

/// What a guest does that it must not, a line each.
async fn wrong(language: &Language) -> Vec<String> {
    let plugin = runtime().load(&built(&language.plugin("echo"))).await.unwrap();
    let rows = rows();
    let mut encoder = Encoder::new(&rows.schema()).unwrap();
    let good = encoder.encode(&rows).unwrap();
    let decoder = Decoder::new(encoder.schema().clone()).unwrap();
    let mut random = Random::new(7);
    let mut probe = plugin.probe(settings(&rows.schema())).await.unwrap();
    let mut wrong = Vec::new();
    for (number, input) in inputs(&good, &mut random).into_iter().enumerate() {
        let answer = probe.process(&input).await;
        let is_crash = matches!(answer, Answer::Crash(_));
        wrong.extend(misuse(&decoder, &input, answer).map(|what| format!("input {number}: {what}")));
        if is_crash {
            probe = plugin.probe(settings(&rows.schema())).await.unwrap();
        }
    }
    // What was refused has left nothing behind.
    let after = probe.process(&good).await;
    wrong.extend(misuse(&decoder, &good, after.clone()).map(|what| format!("afterwards: {what}")));
    if !matches!(after, Answer::Rows(_)) {
        wrong.push(format!("afterwards good rows are {after:?}"));
    }
    wrong.extend(wrong_schemas(&plugin, &rows, &mut random).await);
    wrong
}

fn misuse(decoder: &Decoder, input: &[u8], answer: Answer) -> Option<String> {
    match answer {
        // Refusing what is in order is no harm: no host sends it.
        Answer::Failure(_) => None,
        Answer::Crash(why) if why.contains("limits.") => Some(why),
        Answer::Crash(_) => None,
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
async fn wrong_schemas(plugin: &Plugin, rows: &RecordBatch, random: &mut Random) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut probe: Option<Probe> = None;
    for number in 0..TRIES / 4 {
        let mut fresh = match probe.take() {
            Some(probe) => probe,
            None => plugin.probe(settings(&rows.schema())).await.unwrap(),
        };
        let mut schema = fresh.schema().to_vec();
        Target::Raw.mutate(random, &mut schema);
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
