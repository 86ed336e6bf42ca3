//! One stored input for each reason to refuse one, `corpus/raw/refused-<reason>`: a parser that forgets a reason is told
//! by the file, and the fuzzers start from there too. `UPDATE_EXPECT=1` writes them.

use super::forge::Forged;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_ipc::{Endianness, MessageBuilder, MessageHeader, MetadataVersion, SchemaBuilder};
use flatbuffers::FlatBufferBuilder;
use plugin::ipc::{Reason, encode_schema};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc};
use tests::fuzz::{self, Target};

/// All but those whose inputs are large (`TooManyBytes`, `TooManyColumns`, `CustomMetadata`), that an input of this form
/// cannot have (`Trailing`), and that nothing is known to have (`Panicked`).
const REASONS: [&str; 28] = [
    "BigEndian",
    "BufferCount",
    "BufferTooShort",
    "Compressed",
    "DuplicateName",
    "FalseNullCount",
    "Feature",
    "Length",
    "Metadata",
    "MetadataLength",
    "Misaligned",
    "Missing",
    "Negative",
    "NoContinuation",
    "NodeCount",
    "NullCount",
    "Offsets",
    "OutsideBody",
    "Overlap",
    "TooDeep",
    "TooManyBatches",
    "TooManyRows",
    "TooManyUnbacked",
    "Truncated",
    "Type",
    "Value",
    "Version",
    "WrongMessage",
];

/// The name of a reason's variant.
fn name(reason: &Reason) -> String {
    let text = format!("{reason:?}");
    text.split([' ', '(']).next().unwrap().to_owned()
}

#[test]
fn every_reason_to_refuse_an_input_has_one_in_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/raw");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        for input in forged() {
            let reason = fuzz::refusal(&input).unwrap().reason;
            fs::write(folder.join(format!("refused-{}", name(&reason))), input).unwrap();
        }
    }
    let stored = fuzz::corpus(Target::Raw).unwrap().into_iter().filter_map(|(path, input)| {
        let reason = path.file_name()?.to_str()?.strip_prefix("refused-")?.to_owned();
        Some((reason, fuzz::refusal(&input).map(|refusal| name(&refusal.reason))))
    });
    let expected = REASONS.map(|reason| (reason.to_owned(), Some(reason.to_owned())));
    assert_eq!(stored.collect::<BTreeMap<_, _>>(), BTreeMap::from(expected));
}

fn schema(columns: &[(&str, DataType)]) -> Vec<u8> {
    let fields = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    encode_schema(&Schema::new(fields.collect::<Vec<_>>())).unwrap()
}

fn item(data_type: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", data_type, true)))
}

/// Inputs that are refused, each for another reason.
fn forged() -> Vec<Vec<u8>> {
    let mut inputs = forged_schemas();
    let integers = schema(&[("a", DataType::Int64)]);
    inputs.extend(forged_batches().iter().map(|batch| [&integers[..], &batch.message()].concat()));
    let text = schema(&[("t", DataType::Utf8)]);
    inputs.extend(forged_texts().iter().map(|batch| [&text[..], &batch.message()].concat()));
    let nulls = schema(&[("n", item(DataType::Null))]);
    let unbacked = Forged { nodes: vec![(2, 0), (1 << 40, 1 << 40)], ..Forged::default() };
    inputs.push([nulls, unbacked.message()].concat());
    let good = Forged::default().message();
    inputs.push([integers.clone(), good.repeat(fuzz::CAPS.batches + 1)].concat());
    inputs.push([integers.clone(), good, vec![0; 8]].concat());
    inputs.push([integers.clone(), vec![0xff; 16]].concat());
    let noise = [vec![0xff, 0xff, 0xff, 0xff, 16, 0, 0, 0], vec![0xee; 16]].concat();
    inputs.push([integers.clone(), noise].concat());
    inputs.push([&integers[..], &integers].concat());
    inputs
}

fn forged_schemas() -> Vec<Vec<u8>> {
    let deep = (1..9).fold(DataType::Int8, |inner, _| item(inner));
    vec![
        bare_schema(Endianness::Big),
        bare_schema(Endianness::Little),
        schema(&[("a", DataType::Utf8View)]),
        schema(&[("a", DataType::FixedSizeBinary(-1))]),
        schema(&[("a", deep)]),
        schema(&[("a", DataType::Int8), ("a", DataType::Int8)]),
    ]
}

/// Batches for one column of int64.
fn forged_batches() -> Vec<Forged> {
    let with_buffers = |first, second| {
        let body = [vec![0b01], vec![0; 63]].concat();
        Forged {
            buffers: vec![first, second],
            nodes: vec![(2, 1)],
            body,
            body_length: 64,
            ..Forged::default()
        }
    };
    let with_rows = |rows, nodes| Forged { rows, nodes, ..Forged::default() };
    vec![
        with_buffers((0, 8), (56, 16)),
        with_buffers((0, 16), (8, 16)),
        with_buffers((0, 8), (9, 16)),
        with_buffers((0, 8), (8, 8)),
        Forged { nodes: vec![(2, 2)], ..with_buffers((0, 8), (8, 16)) },
        Forged { buffers: vec![(0, 0), (0, 16), (16, 0)], ..Forged::default() },
        with_rows(-1, vec![(2, 0)]),
        with_rows(2, vec![(1, 0)]),
        with_rows(2, vec![(2, 3)]),
        with_rows(2, vec![(2, 0), (2, 0)]),
        with_rows(i64::MAX, vec![(i64::MAX, 0)]),
        Forged { compressed: true, ..Forged::default() },
        Forged { version: MetadataVersion::V1, ..Forged::default() },
        Forged { body_length: i64::MAX - 7, ..Forged::default() },
    ]
}

/// Batches for one column of text.
fn forged_texts() -> [Forged; 2] {
    let with = |offsets: [i32; 3], text: &[u8; 8]| {
        let body = [offsets.map(i32::to_le_bytes).concat(), vec![0; 4], text.to_vec()].concat();
        Forged { buffers: vec![(0, 0), (0, 12), (16, 8)], body, body_length: 24, ..Forged::default() }
    };
    [with([0, 5, 3], b"abcdefgh"), with([0, 3, 8], b"ab\xff\xfeefgh")]
}

/// A schema without a list of fields, and with numbers of this order.
fn bare_schema(endianness: Endianness) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let mut schema = SchemaBuilder::new(&mut builder);
    schema.add_endianness(endianness);
    let schema = schema.finish().as_union_value();
    let mut message = MessageBuilder::new(&mut builder);
    message.add_version(MetadataVersion::V5);
    message.add_header_type(MessageHeader::Schema);
    message.add_header(schema);
    let message = message.finish();
    builder.finish(message, None);
    framed(builder.finished_data())
}

fn framed(metadata: &[u8]) -> Vec<u8> {
    let padded = metadata.len().next_multiple_of(8);
    let mut message = [&[0xff; 4][..], &(padded as i32).to_le_bytes(), metadata].concat();
    message.resize(8 + padded, 0);
    message
}
