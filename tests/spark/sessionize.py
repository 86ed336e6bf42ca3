#!/usr/bin/env python3
"""Time Spark on the sessions of the bench: the other side of its row on `sessionize`. Prints one JSON line.

usage: sessionize.py FOLDER [CORES]

FOLDER holds the bench's events as JSON lines in 20 files. Needs Java 17, `pip install pyspark==4.3.0 pandas pyarrow`.
The whole process is what is compared, as it is with streamhost.
"""
import json
import os
import shutil
import sys
import tempfile
import time

START = time.time()
os.environ["PYSPARK_PYTHON"], os.environ["TZ"] = sys.executable, "UTC"
time.tzset()
import pandas as pd  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql.streaming.state import GroupStateTimeout  # noqa: E402

SCHEMA = "user_id INT, event STRING, event_time TIMESTAMP, value DOUBLE, category STRING"
SESSION = "user_id INT, start TIMESTAMP, end TIMESTAMP, n BIGINT"
GAP_MS = 1_000


def sessionize(key, frames, state):
    """A session of a user ends once the watermark has passed its last event by the gap, as the plugin's does."""
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


def main(folder, cores="2"):
    out = tempfile.mkdtemp()
    spark = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.sql.shuffle.partitions", cores)
        .config("spark.driver.memory", "4g")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    began = time.time()
    events = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 4).json(folder)
    events = events.select("user_id", "event_time").withWatermark("event_time", "1 second")
    sessions = events.groupBy("user_id").applyInPandasWithState(
        sessionize, SESSION, "start TIMESTAMP, end TIMESTAMP, n BIGINT", "append", GroupStateTimeout.EventTimeTimeout
    )
    query = (
        sessions.writeStream.format("parquet")
        .option("path", f"{out}/data")
        .option("checkpointLocation", f"{out}/checkpoint")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    ended = time.time()
    told = {
        "input_rows": sum(progress.numInputRows for progress in query.recentProgress),
        "query_s": round(ended - began, 2),
        "process_s": round(ended - START, 2),
    }
    stored = pd.read_parquet(f"{out}/data")
    told |= {"sessions": len(stored), "rows_of_sessions": int(stored.n.sum())}
    print(json.dumps(told))
    shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
