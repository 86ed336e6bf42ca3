// Gives the argument of a function back, made anew from its values: a function for each type of SQL.

#include "values.h"

static sh_status again(sh_call *call, const sh_batch *arguments, sh_table *result) { return append_rows(call, result, 0, arguments); }

#define ECHO(name, type) {name, "value " type, type, .columns = again}

static const sh_function functions[] = {ECHO("boolean", "BOOLEAN"),
                                        ECHO("int8", "TINYINT"),
                                        ECHO("int16", "SMALLINT"),
                                        ECHO("int32", "INT"),
                                        ECHO("int64", "BIGINT"),
                                        ECHO("float32", "FLOAT"),
                                        ECHO("float64", "DOUBLE"),
                                        ECHO("decimal128", "DECIMAL(38, 10)"),
                                        ECHO("date32", "DATE"),
                                        ECHO("timestamp_us_utc", "TIMESTAMP"),
                                        ECHO("timestamp_us", "TIMESTAMP_NTZ"),
                                        ECHO("utf8", "STRING"),
                                        ECHO("binary", "BINARY"),
                                        ECHO("list", "ARRAY<INT>"),
                                        ECHO("list_of_text", "ARRAY<STRING>"),
                                        ECHO("list_of_lists", "ARRAY<ARRAY<INT>>"),
                                        ECHO("struct", "STRUCT<text: STRING, inner: STRUCT<n: BIGINT>>"),
                                        ECHO("map", "MAP<STRING, BIGINT>"),
                                        SH_END_FUNCTIONS};

STREAMHOST_FUNCTIONS(functions);
