//! Arrow from a guest: every malformed kind is refused by name, and what is fuzzed neither panics nor lies.

use arrow::{array::RecordBatch, buffer::Buffer, ipc::reader::StreamDecoder};
use plugin::ipc::{Decoder, Encoder, encode_schema};
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

#[test]
fn a_short_fuzz_finds_nothing() {
    for target in Target::ALL {
        let corpus: Vec<_> = fuzz::corpus(target).unwrap().into_iter().map(|(_, input)| input).collect();
        let tally = fuzz::run(target, 7, &corpus, |tried| tried < 5_000)
            .unwrap_or_else(|failure| panic!("{failure}"));
        assert!(tally.accepted > 0, "{target:?} refused everything: it tests nothing");
    }
}
