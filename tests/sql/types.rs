//! Values of every type go in and come out as they are.

use super::each;
use crate::binary::{json_lines, ok, write};
use std::path::Path;

const SCHEMA: &str = "id INT, b BOOLEAN, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, small DECIMAL(10, 2), \
                      large DECIMAL(30, 10), s STRING, bin BINARY, d DATE, t TIMESTAMP, ntz TIMESTAMP_NTZ, list ARRAY<INT>, \
                      pair STRUCT<x: INT, y: ARRAY<STRING>>, map MAP<STRING, DOUBLE>";

const ROWS: &str = r#"{"id":1,"b":true,"i8":-128,"i16":-32768,"i32":-2147483648,"i64":-9223372036854775808,"f32":0.1,"f64":0.1,"small":-12345678.90,"large":12345678901234567890.0123456789,"s":"it's \"so\"\n\\ ü€😀","bin":"AP8iJw==","d":"1969-12-31","t":"2024-02-29T23:59:59.123456Z","ntz":"2024-02-29T23:59:59.000","list":[1,null,3],"pair":{"x":1,"y":["a","'"]},"map":{"k":0.5}}
{"id":2,"b":false,"i8":127,"i16":32767,"i32":2147483647,"i64":9223372036854775807,"f32":3.4028235e38,"f64":1.7976931348623157e308,"small":0.01,"large":-0.0000000001,"s":"","bin":"","d":"9999-12-31","t":"1970-01-01T00:00:01.000Z","ntz":"1000-01-01T00:00:00.000","list":[],"pair":{},"map":{}}
{"id":3}
"#;

fn run(folder: &Path, name: &str, text: &str) {
    write(folder.join(name), text);
    ok(folder, ["run", name]);
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    each("types", |database, table, folder| {
        write(folder.join("in/rows.json"), ROWS);
        let source = format!(
            "[sources.rows]\nschema = \"{SCHEMA}\"\n[sources.rows.files]\npath = \"in\"\nformat = \"json\"\n"
        );
        let head = "trigger = \"available-now\"\ncheckpoint = \"checkpoint-";
        let files = "[sinks.out.files]\nformat = \"json\"\npath = ";
        run(folder, "plain.toml", &format!("{head}plain\"\n{source}{files}\"plain\"\n"));
        let sink = format!("[sinks.out.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncreate = true\n");
        run(folder, "there.toml", &format!("{head}there\"\n{}{source}{sink}", database.connection()));
        let read = format!("[sources.rows.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncolumn = \"id\"\n");
        let typed = format!("[sources.rows]\nschema = \"{SCHEMA}\"\n");
        run(
            folder,
            "back.toml",
            &format!("{head}back\"\n{}{typed}{read}{files}\"back\"\n", database.connection()),
        );
        assert_eq!(json_lines(&folder.join("back")), json_lines(&folder.join("plain")));
        // Without a schema, what the database says of its columns is enough but for what is nested.
        let explained = {
            write(
                folder.join("own.toml"),
                format!("{head}own\"\n{}{read}[sinks.out.noop]\n", database.connection()),
            );
            ok(folder, ["explain", "own.toml"])
        };
        for column in [
            "i32 INT",
            "i64 BIGINT",
            "f32 FLOAT",
            "f64 DOUBLE",
            "small DECIMAL(10, 2)",
            "large DECIMAL(30, 10)",
            "s STRING",
            "bin BINARY",
            "d DATE",
            "t TIMESTAMP",
            "ntz TIMESTAMP_NTZ",
            "b BOOLEAN",
        ] {
            assert!(explained.contains(column), "{column}: {explained}");
        }
    });
}

#[test]
fn a_client_of_its_own_sees_the_same_values() {
    each("seen", |database, table, folder| {
        write(folder.join("in/rows.json"), ROWS);
        let source = format!(
            "[sources.rows]\nschema = \"{SCHEMA}\"\n[sources.rows.files]\npath = \"in\"\nformat = \"json\"\n"
        );
        let sink = format!("[sinks.out.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncreate = true\n");
        run(folder, "there.toml", &format!("trigger = \"once\"\n{}{source}{sink}", database.connection()));
        let select = format!("SELECT i64, small, large, s, d, t, ntz FROM {table} ORDER BY id");
        let seen = database.rows(&select);
        let text = "it's \"so\"\n\\ ü€😀";
        let times = match database.url.split(':').next().unwrap() {
            "postgresql" => ("2024-02-29 23:59:59.123456+00", "2024-02-29 23:59:59"),
            "mariadb" => ("2024-02-29 23:59:59.123456", "2024-02-29 23:59:59.000000"),
            _ => ("2024-02-29 23:59:59.123456Z", "2024-02-29 23:59:59"),
        };
        let small = if database.is_file() { "-12345678.9" } else { "-12345678.90" };
        assert_eq!(
            seen[0],
            format!(
                "-9223372036854775808|{small}|12345678901234567890.0123456789|{text}|1969-12-31|{}|{}",
                times.0, times.1
            )
        );
        assert_eq!(seen[2], "NULL|NULL|NULL|NULL|NULL|NULL|NULL");
    });
}
