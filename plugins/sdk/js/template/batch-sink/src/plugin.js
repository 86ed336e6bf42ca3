// Stores the rows of each epoch in one output, and a row about the epoch in another.
import { batchSink, columnsOf, t } from "streamhost-sdk";

export default batchSink({
  /** `rows` gets the columns that come in; `audit` what is told of an epoch. */
  outputs: (config, input) => ({ rows: input, audit: columnsOf({ epoch: t.bigint, rows: t.bigint }) }),
  /** Stores an epoch. */
  store(rows, outputs, { cx }) {
    let count = 0;
    for (const batch of rows) {
      count += batch.length;
      outputs.write("rows", batch);
    }
    outputs.writeRows("audit", [{ epoch: cx.epoch, rows: count }]);
  },
});
