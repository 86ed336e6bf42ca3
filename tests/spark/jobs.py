#!/usr/bin/env python3
"""Spark's side of the bench: one of its jobs as a whole process, over the bench's own events.

usage: jobs.py CASE INPUT OUTPUT

INPUT is a folder of JSON lines or CSV files, or for Kafka `SERVERS/TOPIC`; OUTPUT is a folder that is not there yet, or for
`kafka-kafka` a topic. `setup.sh` beside this file installs what it needs; with Kafka, JARS names the connector's jars, comma-separated.
"""
import os
import sys
import tempfile
import time

os.environ["PYSPARK_PYTHON"], os.environ["TZ"] = sys.executable, "UTC"
time.tzset()
from pyspark.sql import SparkSession, functions as F  # noqa: E402

CORES = "2"
SCHEMA = "user_id INT, event STRING, event_time TIMESTAMP, value DOUBLE, category STRING"
SESSION = "user_id INT, start TIMESTAMP, end TIMESTAMP, n BIGINT"
GAP_MS = 1_000


def started():
    builder = SparkSession.builder.master(f"local[{CORES}]")
    settings = {
        "spark.sql.shuffle.partitions": CORES,
        "spark.driver.memory": "4g",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.jars": os.environ.get("JARS", ""),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def json_lines(folder, **options):
    return spark.readStream.schema(SCHEMA).options(**options).json(folder)


def csv(folder):
    return spark.readStream.schema(SCHEMA).option("header", True).csv(folder)


def messages(place):
    servers, topic = place.split("/")
    raw = spark.readStream.format("kafka").option("kafka.bootstrap.servers", servers).option("subscribe", topic)
    raw = raw.option("startingOffsets", "earliest").load()
    return raw.select(F.from_json(F.col("value").cast("string"), SCHEMA).alias("event")).select("event.*")


def through_python(events):
    """What the bench's plugin does, in a function over Arrow batches."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def normalize(batches):
        for batch in batches:
            kept = batch.filter(pc.greater(batch.column("value"), 10.0))
            share = pc.divide(kept.column("value"), 100.0)
            yield pa.RecordBatch.from_arrays(kept.columns + [share], names=kept.schema.names + ["normalized_value"])

    return events.mapInArrow(normalize, SCHEMA + ", normalized_value DOUBLE")


def sessionize(key, frames, state):
    """A session of a user ends once the watermark has passed its last event by the gap, as the plugin's does."""
    import pandas as pd

    rows = []
    if state.hasTimedOut:
        rows.append((*key, *state.get))
        state.remove()
    else:
        start, end, n = state.get if state.exists else (None, None, 0)
        for frame in frames:
            first, last = frame.event_time.min(), frame.event_time.max()
            start = first if start is None else min(start, first)
            end = last if end is None else max(end, last)
            n += len(frame)
        ends = int(end.timestamp() * 1000) + GAP_MS
        if ends <= state.getCurrentWatermarkMs():
            rows.append((*key, start, end, n))
            state.remove() if state.exists else None
        else:
            state.update((start, end, n))
            state.setTimeoutTimestamp(ends)
    yield pd.DataFrame(rows, columns=["user_id", "start", "end", "n"])


def sessions(events):
    from pyspark.sql.streaming.state import GroupStateTimeout

    events = events.select("user_id", "event_time").withWatermark("event_time", "1 second")
    kept = "start TIMESTAMP, end TIMESTAMP, n BIGINT"
    return events.groupBy("user_id").applyInPandasWithState(
        sessionize, SESSION, kept, "append", GroupStateTimeout.EventTimeTimeout
    )


def windows(events):
    window = F.window("event_time", "10 seconds")
    return events.withWatermark("event_time", "5 seconds").groupBy(window, "category").count()


def by_user(events):
    return events.groupBy("user_id").agg(F.count("*"), F.avg("value"))


def write(rows, format="parquet", mode="append", **options):
    with tempfile.TemporaryDirectory() as checkpoint:
        writer = rows.writeStream.outputMode(mode).format(format).option("checkpointLocation", checkpoint)
        writer.options(**options).trigger(availableNow=True).start().awaitTermination()


def send(rows, servers, topic):
    rows = rows.select(F.to_json(F.struct("*")).alias("value"))
    write(rows, "kafka", topic=topic, **{"kafka.bootstrap.servers": servers})


CASES = {
    "json-plugin-parquet": lambda i, o: write(through_python(json_lines(i)), path=o),
    "json-windows-parquet": lambda i, o: write(windows(json_lines(i)), path=o),
    "json-users": lambda i, o: write(by_user(json_lines(i)), "noop", "complete"),
    "csv-events": lambda i, o: write(csv(i).groupBy("event").count(), "noop", "complete"),
    "sessionize": lambda i, o: write(sessions(json_lines(i, maxFilesPerTrigger=4)), path=o),
    "kafka-parquet": lambda i, o: write(messages(i).filter("value > 10"), path=o),
    "kafka-kafka": lambda i, o: send(messages(i).filter("value > 10"), i.split("/")[0], o),
}

if __name__ == "__main__":
    _, case, source, target = sys.argv
    spark = started()
    CASES[case](source, target)
