//! Arrow from a guest: every malformed kind is refused by name, and what is fuzzed neither panics nor lies.

use super::forge::Forged;
use arrow::{
    array::RecordBatch,
    buffer::Buffer,
    datatypes::{DataType, Field, Fields, Schema, UnionFields, UnionMode},
    ipc::reader::StreamDecoder,
};
use arrow_ipc::{MessageHeader, MetadataVersion};
use engine::Kind;
use plugin::ipc::{Caps, Decoder, Encoder, Reason, Refusal, decode_schema, encode_schema};
use std::{error::Error as _, sync::Arc};
use tests::fuzz::{self, CAPS, Random, Target};

/// What arrow-rs's own stream reader makes of a schema message and a record-batch message.
fn read_by_arrow(encoder: &Encoder, message: &[u8]) -> RecordBatch {
    let mut stream = encode_schema(encoder.schema()).unwrap();
    stream.extend_from_slice(message);
    // A body of no bytes is only recognised once something follows.
    stream.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let mut stream = Buffer::from_vec(stream);
    StreamDecoder::new().decode(&mut stream).unwrap().unwrap()
}

#[test]
fn any_batch_crosses_as_it_is_whatever_its_types_and_slices() {
    let mut random = Random::new(1);
    for _ in 0..3_000 {
        let schema = fuzz::schema(&mut random, false);
        let rows = random.below(40);
        let batch = fuzz::batch(&mut random, &schema, rows);
        let mut encoder = Encoder::new(&schema).unwrap();
        let message = encoder.encode(&batch).unwrap();
        assert_eq!(read_by_arrow(&encoder, &message), batch);
        assert_eq!(Decoder::new(schema).unwrap().decode(message, CAPS).unwrap(), [batch]);
    }
}

#[test]
fn what_a_guest_cannot_take_crosses_as_its_plain_form() {
    let mut random = Random::new(2);
    for _ in 0..1_000 {
        let schema = fuzz::schema(&mut random, true);
        let rows = random.below(40);
        let batch = fuzz::batch(&mut random, &schema, rows);
        let mut encoder = Encoder::new(&schema).unwrap();
        let message = encoder.encode(&batch).unwrap();
        let read = read_by_arrow(&encoder, &message);
        assert_eq!(read.num_rows(), batch.num_rows());
        for (guest, host) in read.columns().iter().zip(batch.columns()) {
            assert_eq!(guest, &arrow::compute::cast(host, guest.data_type()).unwrap());
        }
        Decoder::new(encoder.schema().clone()).unwrap().decode(message, CAPS).unwrap();
    }
}

#[test]
fn the_corpus_replays() {
    for target in Target::ALL {
        let corpus = fuzz::corpus(target).unwrap();
        assert!(!corpus.is_empty(), "the corpus of {} is gone", target.name());
        for (path, input) in corpus {
            target.check(&input).unwrap_or_else(|what| panic!("{}: {what}", path.display()));
        }
    }
}

/// Seeds, and inputs a seed: seconds in a usual run, minutes under `cargo xtask long`.
fn effort() -> (u64, u64) {
    if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { (10, 50_000) } else { (1, 5_000) }
}

fn fuzz(target: Target) {
    let corpus: Vec<_> = fuzz::corpus(target).unwrap().into_iter().map(|(_, input)| input).collect();
    let (seeds, inputs) = effort();
    for seed in 0..seeds {
        let tally = fuzz::run(target, seed, &corpus, |tried| tried < inputs);
        let tally = tally.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        assert!(tally.accepted > 0, "{target:?} refused everything: it tests nothing");
    }
}

#[test]
fn fuzzing_any_bytes_finds_nothing() {
    fuzz(Target::Raw);
}

#[test]
fn fuzzing_one_changed_integer_finds_nothing() {
    fuzz(Target::Changed);
}

#[test]
fn fuzzing_what_is_done_with_accepted_batches_finds_nothing() {
    fuzz(Target::Touched);
}

fn refusal<T: std::fmt::Debug>(result: engine::Result<T>) -> Refusal {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Plugin);
    error.source().unwrap().downcast_ref::<Refusal>().unwrap().clone()
}

fn decode(columns: &[(&str, DataType)], messages: Vec<u8>, caps: Caps) -> engine::Result<Vec<RecordBatch>> {
    let fields = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Decoder::new(Arc::new(Schema::new(fields.collect::<Fields>()))).unwrap().decode(messages, caps)
}

/// Why messages of one column `a` of int64 are refused.
fn why(messages: Vec<u8>) -> Reason {
    refusal(decode(&[("a", DataType::Int64)], messages, CAPS)).reason
}

#[test]
fn what_is_forged_without_a_fault_is_taken() {
    let batches = decode(&[("a", DataType::Int64)], Forged::default().message(), CAPS).unwrap();
    assert_eq!((batches.len(), batches[0].num_rows()), (1, 2));
    assert!(decode(&[("a", DataType::Int64)], Vec::new(), CAPS).unwrap().is_empty());
}

#[test]
fn a_refusal_names_message_and_column() {
    let good = Forged::default().message();
    let bad = Forged { buffers: vec![(0, 0), (8, 16)], ..Forged::default() }.message();
    let error = decode(&[("a", DataType::Int64)], [good, bad].concat(), CAPS).unwrap_err();
    assert_eq!(
        error.report(),
        "the plugin's Arrow is refused: message 1: column `a`: buffer 1 ends at byte 24 of a body of 16"
    );
}

#[test]
fn buffers_out_of_the_body_overlapping_misaligned_or_short_are_refused() {
    let with = |buffers: [(i64, i64); 2]| {
        // The second row is null.
        let body = [vec![0b01], vec![0; 63]].concat();
        why(Forged {
            buffers: buffers.to_vec(),
            body,
            body_length: 64,
            nodes: vec![(2, 1)],
            ..Forged::default()
        }
        .message())
    };
    assert_eq!(with([(0, 8), (56, 16)]), Reason::OutsideBody { buffer: 1, end: 72, body: 64 });
    assert_eq!(
        with([(i64::MAX, 8), (8, 16)]),
        Reason::OutsideBody { buffer: 0, end: i64::MAX as u64 + 8, body: 64 }
    );
    assert_eq!(with([(0, 16), (8, 16)]), Reason::Overlap { buffer: 1 });
    assert_eq!(with([(0, 8), (9, 16)]), Reason::Misaligned { what: "buffer", at: 9 });
    assert_eq!(with([(0, 8), (8, 8)]), Reason::BufferTooShort { buffer: 1, bytes: 8, needs: 16 });
    assert_eq!(with([(0, 0), (8, 16)]), Reason::BufferTooShort { buffer: 0, bytes: 0, needs: 1 });
    assert_eq!(with([(-8, 8), (8, 16)]), Reason::Negative { what: "offset of a buffer", number: -8 });
    assert_eq!(with([(0, 8), (8, -1)]), Reason::Negative { what: "length of a buffer", number: -1 });
}

#[test]
fn counts_that_do_not_hold_together_are_refused() {
    let rows = |rows, nodes| why(Forged { rows, nodes, ..Forged::default() }.message());
    assert_eq!(rows(-1, vec![(2, 0)]), Reason::Negative { what: "number of rows", number: -1 });
    assert_eq!(rows(2, vec![(-2, 0)]), Reason::Negative { what: "length", number: -2 });
    assert_eq!(rows(2, vec![(2, -1)]), Reason::Negative { what: "null count", number: -1 });
    assert_eq!(rows(2, vec![(1, 0)]), Reason::Length { found: 1, expected: 2 });
    assert_eq!(rows(2, vec![(2, 3)]), Reason::NullCount { nulls: 3, rows: 2 });
    assert_eq!(rows(2, vec![(2, 0), (2, 0)]), Reason::NodeCount { found: 2, expected: 1 });
    assert!(matches!(rows(i64::MAX, vec![(i64::MAX, 0)]), Reason::TooManyRows { .. }));
    let nodes = vec![(2, 0), (i64::MAX, 0)];
    let buffers = vec![(0, 0), (0, 12), (16, 0), (16, 0)];
    let items = Forged { nodes, buffers, ..Forged::default() }.message();
    let items = refusal(decode(&[("l", DataType::List(item(DataType::Int64)))], items, CAPS));
    assert_eq!(items.column.as_deref(), Some("l.item"));
    assert_eq!(items.reason, Reason::BufferTooShort { buffer: 3, bytes: 0, needs: u64::MAX });
    let buffers = vec![(0, 0), (0, 16), (16, 0)];
    assert_eq!(
        why(Forged { buffers, ..Forged::default() }.message()),
        Reason::BufferCount { found: 3, expected: 2 }
    );
}

#[test]
fn compression_and_view_buffers_are_refused() {
    assert_eq!(why(Forged { compressed: true, ..Forged::default() }.message()), Reason::Compressed);
    let variadic_counts = vec![i64::MAX];
    assert_eq!(
        why(Forged { variadic_counts, ..Forged::default() }.message()),
        Reason::Feature { what: "views" }
    );
}

#[test]
fn a_message_that_is_cut_off_or_is_none_is_refused() {
    let message = Forged::default().message();
    for end in 1..message.len() {
        why(message[..end].to_vec());
    }
    assert_eq!(why([message.clone(), vec![0; 8]].concat()), Reason::NoContinuation);
    assert!(matches!(why(vec![0xff; 16]), Reason::MetadataLength { length: -1, .. }));
    let end_of_stream = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0].to_vec();
    assert!(matches!(why(end_of_stream), Reason::MetadataLength { length: 0, .. }));
    let noise = [vec![0xff, 0xff, 0xff, 0xff, 16, 0, 0, 0], vec![0xee; 16]].concat();
    assert!(matches!(why(noise), Reason::Metadata { .. }));
    assert_eq!(
        why(Forged { body_length: -16, ..Forged::default() }.message()),
        Reason::Negative { what: "length of the body", number: -16 }
    );
    assert_eq!(
        why(Forged { body_length: i64::MAX, ..Forged::default() }.message()),
        Reason::Truncated { part: "body", needs: i64::MAX as u64, left: 16 }
    );
    assert_eq!(
        why(Forged { body_length: 15, ..Forged::default() }.message()),
        Reason::Misaligned { what: "end of the body", at: 15 }
    );
}

#[test]
fn other_messages_versions_and_long_metadata_are_refused() {
    let schema = encode_schema(&Schema::new(vec![Field::new("a", DataType::Int64, true)])).unwrap();
    assert!(
        matches!(why(schema), Reason::WrongMessage { expected: "RecordBatch", found } if found == "Schema")
    );
    for header in [MessageHeader::DictionaryBatch, MessageHeader::Tensor, MessageHeader(99)] {
        // A record batch in the guise of another message may fail to verify instead.
        let reason = why(Forged { header, ..Forged::default() }.message());
        assert!(
            matches!(reason, Reason::WrongMessage { .. } | Reason::Metadata { .. }),
            "{header:?}: {reason}"
        );
    }
    let version = MetadataVersion::V1;
    assert_eq!(why(Forged { version, ..Forged::default() }.message()), Reason::Version { found: 0 });
    assert!(matches!(
        why(Forged { custom: 100_000, ..Forged::default() }.message()),
        Reason::CustomMetadata { .. }
    ));
}

#[test]
fn caps_hold_over_all_batches_of_an_answer() {
    let two = [Forged::default().message(), Forged::default().message()].concat();
    let with = |caps| refusal(decode(&[("a", DataType::Int64)], two.clone(), caps));
    assert_eq!(with(Caps { rows: 3, ..CAPS }).reason, Reason::TooManyRows { rows: 4, most: 3 });
    assert_eq!(with(Caps { batches: 1, ..CAPS }).reason, Reason::TooManyBatches { most: 1 });
    let most = two.len() - 1;
    assert_eq!(with(Caps { bytes: most, ..CAPS }).reason, Reason::TooManyBytes { bytes: most + 1, most });
}

#[test]
fn rows_that_no_byte_carries_are_capped() {
    let empty = |rows: i64, nodes| {
        Forged { rows, nodes, buffers: Vec::new(), body: Vec::new(), body_length: 0, ..Forged::default() }
            .message()
    };
    let no_columns = refusal(decode(&[], empty(1 << 40, Vec::new()), CAPS)).reason;
    assert_eq!(no_columns, Reason::TooManyRows { rows: 1 << 40, most: CAPS.rows });
    let nodes = vec![(2, 0), (1 << 40, 1 << 40)];
    let lists = Forged { nodes, ..Forged::default() }.message();
    let nulls = refusal(decode(&[("n", DataType::List(item(DataType::Null)))], lists, CAPS)).reason;
    assert_eq!(nulls, Reason::TooManyUnbacked { rows: 1 << 40, most: CAPS.rows });
    assert_eq!(decode(&[], empty(5, Vec::new()), CAPS).unwrap()[0].num_rows(), 5);
}

#[test]
fn offsets_out_of_order_and_text_that_is_not_utf_8_are_refused() {
    let text = |offsets: [i32; 3], text: &[u8; 8]| {
        let offsets = offsets.map(i32::to_le_bytes).concat();
        let body = [offsets, vec![0; 4], text.to_vec()].concat();
        let buffers = vec![(0, 0), (0, 12), (16, 8)];
        let message = Forged { buffers, body, body_length: 24, ..Forged::default() }.message();
        decode(&[("t", DataType::Utf8)], message, CAPS)
    };
    assert_eq!(text([0, 3, 8], b"abcdefgh").unwrap()[0].num_rows(), 2);
    for (offsets, bytes) in [
        ([0, 5, 3], b"abcdefgh"),
        ([0, 3, 9], b"abcdefgh"),
        ([-1, 3, 8], b"abcdefgh"),
        ([0, i32::MIN, 8], b"abcdefgh"),
        ([0, 3, 8], b"ab\xff\xfeefgh"),
        ([0, 1, 8], b"\xc3\x9ccdefgh"),
    ] {
        let refusal = refusal(text(offsets, bytes));
        assert!(matches!(refusal.reason, Reason::Value { .. } | Reason::Offsets), "{offsets:?}: {refusal}");
        assert_eq!(refusal.message, Some(0));
    }
}

#[test]
fn a_null_where_the_schema_has_none_and_a_false_null_count_are_refused() {
    let nodes = vec![(2, 1)];
    let buffers = vec![(0, 8), (8, 16)];
    let forged = |body: Vec<u8>| {
        Forged { nodes: nodes.clone(), buffers: buffers.clone(), body, body_length: 24, ..Forged::default() }
            .message()
    };
    let strict = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
    let one_null = forged([vec![0b10], vec![0; 23]].concat());
    assert!(decode(&[("a", DataType::Int64)], one_null.clone(), CAPS).is_ok());
    let refused = refusal(Decoder::new(strict).unwrap().decode(one_null, CAPS));
    assert!(matches!(refused.reason, Reason::Value { .. }), "{refused}");
    let two_nulls = forged(vec![0; 24]);
    assert_eq!(why(two_nulls), Reason::FalseNullCount { nulls: 1, found: 2 });
}

/// Why the schema of these columns is refused.
fn why_schema(columns: impl IntoIterator<Item = (String, DataType)>) -> Refusal {
    let fields = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true));
    let schema = Schema::new(fields.collect::<Fields>());
    refusal(decode_schema(&encode_schema(&schema).unwrap()))
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, true))
}

#[test]
fn a_schema_with_what_does_not_cross_is_refused_by_name() {
    let run_ends = Arc::new(Field::new("run_ends", DataType::Int32, false));
    let union = UnionFields::try_new([0], [Field::new("x", DataType::Int32, true)]).unwrap();
    for (data_type, what) in [
        (DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), "dictionaries"),
        (DataType::Utf8View, "views"),
        (DataType::BinaryView, "views"),
        (DataType::ListView(item(DataType::Int8)), "views"),
        (DataType::RunEndEncoded(run_ends, item(DataType::Int8)), "run-end encoded arrays"),
        (DataType::Union(union, UnionMode::Sparse), "unions"),
    ] {
        let inner = DataType::List(item(data_type.clone()));
        let expected = Reason::Feature { what };
        assert_eq!(
            why_schema([("a".into(), data_type)]),
            Refusal { message: None, column: Some("a".into()), reason: expected.clone() }
        );
        assert_eq!(
            why_schema([("a".into(), inner)]),
            Refusal { message: None, column: Some("a.item".into()), reason: expected }
        );
    }
}

#[test]
fn a_schema_too_deep_too_wide_or_with_one_name_twice_is_refused() {
    let deep = |levels| (1..levels).fold(DataType::Int8, |inner, _| DataType::List(item(inner)));
    let schema = Schema::new(vec![Field::new("a", deep(8), true)]);
    assert_eq!(*decode_schema(&encode_schema(&schema).unwrap()).unwrap(), schema);
    assert_eq!(why_schema([("a".into(), deep(9))]).reason, Reason::TooDeep { most: 8 });
    let wide = |columns| (0..columns).map(|i| (format!("c{i}"), DataType::Int8));
    assert_eq!(why_schema(wide(1_025)).reason, Reason::TooManyColumns { most: 1_024 });
    let refused = why_schema(["a", "b", "a"].map(|name| (name.to_owned(), DataType::Int8)));
    assert_eq!((refused.column.as_deref(), refused.reason), (Some("a"), Reason::DuplicateName));
}

#[test]
fn a_schema_with_impossible_parameters_is_refused() {
    for data_type in [
        DataType::FixedSizeBinary(-1),
        DataType::FixedSizeBinary(0),
        DataType::FixedSizeList(item(DataType::Int8), i32::MIN),
        DataType::FixedSizeList(item(DataType::Int8), 0),
        DataType::Decimal128(99, 2),
        DataType::Decimal256(0, 0),
        DataType::Map(item(DataType::Int8), false),
    ] {
        let refused = why_schema([("a".into(), data_type.clone())]);
        assert!(matches!(refused.reason, Reason::Type { .. }), "{data_type}: {refused}");
    }
}

#[test]
fn a_schema_message_is_one_message_and_loses_its_metadata() {
    let key = || [("k".to_owned(), "v".to_owned())].into();
    let plain = Schema::new(vec![Field::new("a", DataType::Int8, false)]);
    let rich =
        Schema::new(vec![Field::new("a", DataType::Int8, false).with_metadata(key())]).with_metadata(key());
    let message = encode_schema(&rich).unwrap();
    assert_eq!(*decode_schema(&message).unwrap(), plain);
    let twice = [message.clone(), message.clone()].concat();
    assert_eq!(refusal(decode_schema(&twice)).reason, Reason::Trailing { bytes: message.len() });
    assert!(matches!(refusal(decode_schema(&[])).reason, Reason::Truncated { part: "prefix", .. }));
    let batch = Forged::default().message();
    assert!(matches!(refusal(decode_schema(&batch)).reason, Reason::WrongMessage { expected: "Schema", .. }));
    let mut not_utf_8 = message.clone();
    for byte in not_utf_8.iter_mut().filter(|byte| **byte == b'a') {
        *byte = 0xff;
    }
    assert!(matches!(refusal(decode_schema(&not_utf_8)).reason, Reason::Metadata { .. }));
}
