#!/usr/bin/env python3
"""Asks real Spark for the answers to the expressions of this folder.

usage: record.py [TOPIC...]

For each TOPIC.toml it writes answers/TOPIC.jsonl, a line for each expression and time zone:
  {"expression": …, "time-zone": …, "type": …, "answers": [[value, …] for each row of the group, or the class of an error]}
or, of an expression that Spark refuses to plan, "refused" with the class of the error in place of type and answers.
An answer is a list because explode() makes several rows of one. An aggregate has one answer, over all rows.
Needs Java 17, Python 3.11 and `pip install pyspark==4.3.0`.
"""
import datetime as dt, decimal, json, os, pathlib, re, sys, time, tomllib

os.environ["TZ"] = "UTC"
time.tzset()

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, types as T

HERE = pathlib.Path(__file__).parent
ERRORS = (PySparkException, Py4JJavaError, ValueError, OverflowError)


def plain(value, of):
    """A value as JSON: what JSON has no number for is a text, binary is hexadecimal, a map is a list of pairs in order."""
    if value is None or isinstance(of, T.NullType):
        return None
    if isinstance(of, (T.DoubleType, T.FloatType)):
        special = value != value or value in (float("inf"), float("-inf"))
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)] if special else value
    if isinstance(of, T.DecimalType):
        return format(value, "f")
    if isinstance(of, T.BinaryType):
        return bytes(value).hex().upper()
    if isinstance(of, T.DateType):
        return value.isoformat()
    if isinstance(of, T.TimestampType):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    if isinstance(of, T.TimestampNTZType):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0")
    if isinstance(of, T.ArrayType):
        return [plain(item, of.elementType) for item in value]
    if isinstance(of, T.MapType):
        # The entries of a map are in no order.
        return sorted(([plain(k, of.keyType), plain(v, of.valueType)] for k, v in value.items()), key=str)
    if isinstance(of, T.StructType):
        return {field.name: plain(item, field.dataType) for field, item in zip(of, value)}
    return str(value) if isinstance(value, (dt.timedelta, decimal.Decimal)) else value


def error_class(error):
    """The error's class; that of its cause, where it comes from Java without one."""
    known = error.getCondition() if isinstance(error, PySparkException) else None
    named = re.search(r"\[([A-Z][A-Z0-9_.]+)\]", str(error))
    return known or (named.group(1) if named else type(error).__name__)


def value(row, of):
    return plain(row[0], of[0].dataType) if len(of) == 1 else plain(row, of)


def by_row(spark, expression, of, count):
    """The answers of a group: all rows at once, or, if one of them is an error, row by row."""
    answers = [[] for _ in range(count)]
    try:
        for row in spark.sql(f"SELECT `#`, {expression} FROM t").collect():
            answers[row[0]].append(value(row[1:], of))
        return answers
    except ERRORS:
        return [one(spark, f"SELECT {expression} FROM t WHERE `#` = {n}", of) for n in range(count)]


def one(spark, query, of):
    try:
        return [value(row, of) for row in spark.sql(query).collect()]
    except ERRORS as error:
        return error_class(error)


def answer(spark, group, expression):
    try:
        of = spark.sql(f"SELECT {expression} FROM t").schema
    except ERRORS as error:
        return {"refused": error_class(error)}
    name = of[0].dataType.simpleString() if len(of) == 1 else of.simpleString()
    if group.get("aggregates"):
        return {"type": name, "answers": [one(spark, f"SELECT {expression} FROM t", of)]}
    return {"type": name, "answers": by_row(spark, expression, of, len(rows_of(group)))}


def rows_of(group):
    return [json.loads(line) for line in group.get("rows", "{}").strip().splitlines()]


def record(spark, topic):
    groups = tomllib.loads((HERE / f"{topic}.toml").read_text())["group"]
    lines = []
    for group in groups:
        numbered = [json.dumps(row | {"#": n}) for n, row in enumerate(rows_of(group))]
        schema = ", ".join(filter(None, [group.get("schema"), "`#` INT"]))
        for zone in group.get("time-zones", ["UTC"]):
            spark.conf.set("spark.sql.session.timeZone", zone)
            data = spark.read.schema(schema).json(spark.sparkContext.parallelize(numbered, 1))
            data = spark.createDataFrame(data.collect(), data.schema)
            data.createOrReplaceTempView("t")
            for expression in group["expressions"]:
                found = {"expression": expression, "time-zone": zone} | answer(spark, group, expression)
                lines.append(json.dumps(found, ensure_ascii=False))
    (HERE / "answers").mkdir(exist_ok=True)
    (HERE / "answers" / f"{topic}.jsonl").write_text("\n".join(lines) + "\n")


def main():
    spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", False)
             .config("spark.sql.shuffle.partitions", 1).config("spark.sql.ansi.enabled", True).getOrCreate())
    spark.sparkContext.setLogLevel("OFF")
    for topic in sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.toml")):
        record(spark, topic)


if __name__ == "__main__":
    main()
