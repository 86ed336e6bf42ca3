// Stores every row: each value is read as JavaScript has it, and written anew.
import { Batch, batchSink, column } from "streamhost-sdk";

export default batchSink({
  outputs: (config, input) => ({ rows: input }),
  store(rows, outputs) {
    for (const batch of rows) {
      const columns = batch.columns.map((of) => column(of.type, of.toArray()));
      outputs.write("rows", new Batch(batch.schema, columns, batch.length));
    }
  },
});
