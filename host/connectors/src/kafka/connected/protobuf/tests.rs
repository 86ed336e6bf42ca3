use super::*;
use arrow::{
    array::RecordBatch,
    datatypes::{Fields, SchemaRef},
    json::LineDelimitedWriter,
};
use prost_reflect::{DynamicMessage, prost::Message as _};
use std::sync::Arc;

const TEXT: &str = r#"
    syntax = "proto3";
    import "google/protobuf/timestamp.proto";
    enum Colour { NONE = 0; RED = 1; }
    message Place { string name = 1; repeated sint32 at = 2; Place in = 3; }
    message Flat { string name = 1; repeated sint32 at = 2; }
    message All {
      int32 i32 = 1; sint64 s64 = 2; uint64 u64 = 3; fixed32 f32 = 4; sfixed64 sf64 = 5;
      float f = 6; double d = 7; bool b = 8; string t = 9; bytes raw = 10; Colour c = 11;
      optional int32 may = 12; Flat flat = 13; repeated Flat many = 14; map<string, int64> counts = 15;
      map<string, Flat> flats = 16; google.protobuf.Timestamp when = 17; repeated google.protobuf.Timestamp times = 18;
      repeated string texts = 19; repeated double numbers = 20 [packed = false]; repeated Colour colours = 21;
      oneof one { int32 left = 22; Flat right = 23; }
    }
"#;

fn schema() -> Schema {
    Schema { id: 7, kind: "PROTOBUF".into(), text: TEXT.into(), imports: Vec::new() }
}

fn all() -> MessageDescriptor {
    message_of(&schema(), &[2]).unwrap()
}

/// The row that a message makes, as JSON without NULLs; none if it is no message.
fn row(bytes: &[u8]) -> Option<String> {
    let schema: SchemaRef = Arc::new(ArrowSchema::new(fields(&all(), 0).unwrap()));
    row_of(bytes, &schema)
}

fn row_of(bytes: &[u8], schema: &SchemaRef) -> Option<String> {
    let mut columns = Columns::new(schema.fields()).unwrap();
    let plan = Plan::new(&all(), &columns);
    // What a bad message has written is taken back, and does not show in the next row.
    if plan.read(bytes, &mut columns).is_none() {
        columns.abandon_row();
        assert_eq!(plan.read(&[], &mut columns), Some(()));
        columns.end_row();
        assert_eq!(json(&columns.take(schema).unwrap()), "{}");
        return None;
    }
    columns.end_row();
    Some(json(&columns.take(schema).unwrap()))
}

fn json(rows: &RecordBatch) -> String {
    let mut text = Vec::new();
    LineDelimitedWriter::new(&mut text).write(rows).unwrap();
    String::from_utf8(text).unwrap().trim().to_owned()
}

/// The bytes that another implementation writes for a message in the text format.
fn bytes(text: &str) -> Vec<u8> {
    DynamicMessage::parse_text_format(all(), text).unwrap().encode_to_vec()
}

fn fields_of(text: &str) -> String {
    row(&bytes(text)).unwrap()
}

#[test]
fn every_kind_of_field_is_a_cell() {
    let text = r#"i32: -5 s64: -6 u64: 18446744073709551615 f32: 4294967295 sf64: -9 f: 1.5 d: -2.25 b: true t: "häß"
        raw: "\xff\x00" c: RED may: 0 flat { name: "a" at: 1 at: -2 } many { name: "b" } many { at: 3 }
        counts { key: "z" value: 1 } counts { key: "a" } flats { key: "k" value { name: "v" } } flats { key: "e" }
        when { seconds: 1740830400 nanos: 5000 } times { seconds: -1 } texts: "x" texts: "" numbers: 1 numbers: 0.5
        colours: RED colours: NONE left: 3"#;
    let expected = r#"{"i32":-5,"s64":-6,"u64":18446744073709551615,"f32":4294967295,"sf64":-9,"f":1.5,"d":-2.25,"b":true,"t":"häß","raw":"ff00","c":"RED","may":0,"flat":{"name":"a","at":[1,-2]},"many":[{"name":"b"},{"at":[3]}],"counts":{"a":0,"z":1},"flats":{"e":{},"k":{"name":"v"}},"when":"2025-03-01T12:00:00.000005Z","times":["1969-12-31T23:59:59Z"],"texts":["x",""],"numbers":[1.0,0.5],"colours":["RED","NONE"],"left":3}"#;
    assert_eq!(fields_of(text), expected);
}

#[test]
fn what_is_not_there_is_null_and_so_is_a_default_without_presence() {
    assert_eq!(row(&[]).unwrap(), "{}");
    assert_eq!(row(&[0x08, 0]).unwrap(), "{}", "a zero that was written nevertheless");
    assert_eq!(fields_of("may: 0"), r#"{"may":0}"#);
    assert_eq!(fields_of("flat {}"), r#"{"flat":{}}"#);
}

#[test]
fn of_what_stands_twice_the_last_counts_lists_grow_and_messages_merge() {
    let twice = [bytes("i32: 1"), bytes("i32: 2")].concat();
    assert_eq!(row(&twice).unwrap(), r#"{"i32":2}"#);
    let lists = [bytes("texts: \"a\""), bytes("i32: 1"), bytes("texts: \"b\"")].concat();
    assert_eq!(row(&lists).unwrap(), r#"{"i32":1,"texts":["a","b"]}"#);
    let messages = [bytes("flat { name: \"a\" at: 1 }"), bytes("flat { name: \"b\" at: 2 }")].concat();
    assert_eq!(row(&messages).unwrap(), r#"{"flat":{"name":"b","at":[1,2]}}"#);
    let maps = [bytes("counts { key: \"k\" value: 1 }"), bytes("counts { key: \"k\" value: 2 }")].concat();
    assert_eq!(row(&maps).unwrap(), r#"{"counts":{"k":2}}"#);
    let one_of = [bytes("left: 1"), bytes("right { name: \"r\" }")].concat();
    assert_eq!(row(&one_of).unwrap(), r#"{"right":{"name":"r"}}"#);
}

#[test]
fn numbers_may_be_packed_or_not() {
    // Field 21, packed and then by itself; field 20, packed although it is declared otherwise.
    let colours = [0xaa, 0x01, 2, 1, 9, 0xa8, 0x01, 1];
    assert_eq!(row(&colours).unwrap(), r#"{"colours":["RED","9","RED"]}"#);
    let numbers = [&[0xa2, 0x01, 8][..], &1.0_f64.to_le_bytes()].concat();
    assert_eq!(row(&numbers).unwrap(), r#"{"numbers":[1.0]}"#);
}

#[test]
fn fields_that_nobody_knows_are_left_out() {
    let unknown = [&[0xf8, 0x3f, 1, 0xfb, 0x3f, 0x08, 1, 0xfc, 0x3f][..], &bytes("i32: 4")].concat();
    assert_eq!(row(&unknown).unwrap(), r#"{"i32":4}"#);
}

#[test]
fn no_cut_of_a_message_is_a_wrong_one() {
    let whole =
        bytes("i32: 300 t: \"text\" flat { name: \"a\" at: 1 } counts { key: \"k\" value: 300 } numbers: 1");
    for length in 0..whole.len() {
        // A cut between fields is a message of fewer fields; any other is refused, as by the other implementation.
        let cut = &whole[..length];
        assert_eq!(row(cut).is_some(), DynamicMessage::decode(all(), cut).is_ok(), "{length} bytes");
    }
    assert_eq!(row(&[0x0a, 1, b'x']), None, "a text where a number is declared");
    assert_eq!(row(&[0x4a, 1, 0xff]), None, "a text that is no UTF-8");
}

#[test]
fn a_value_that_no_longer_fits_its_column_is_null() {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let fields: Fields =
        [text("i32"), text("flat"), text("counts"), text("texts"), text("t")].into_iter().collect();
    let schema: SchemaRef = Arc::new(ArrowSchema::new(fields));
    let message = bytes("i32: 1 flat { name: \"a\" } counts { key: \"k\" } texts: \"x\" t: \"kept\"");
    assert_eq!(row_of(&message, &schema).unwrap(), r#"{"t":"kept"}"#);
}

#[test]
fn a_message_that_holds_itself_has_no_columns() {
    let place = message_of(&schema(), &[0]).unwrap();
    assert!(fields(&place, 0).unwrap_err().report().contains("holds itself"));
}

#[test]
fn a_message_says_by_indexes_which_one_of_its_file_it_is() {
    for (bytes, path, behind) in [(&[0, 9][..], vec![0], 1), (&[4, 2, 6, 9], vec![1, 3], 1)] {
        let body = behind_indexes(bytes).unwrap();
        assert_eq!((indexes(&bytes[..bytes.len() - body.len()]), body.len()), (Some(path), behind));
    }
    assert_eq!(behind_indexes(&[4, 2]), None);
    assert_eq!(behind_indexes(&[0xff; 12]), None);
    assert_eq!(behind_indexes(&[0x80, 0x02]), None, "too deep");
}
