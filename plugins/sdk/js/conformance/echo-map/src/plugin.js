// Adds each column once more, with `_again` behind its name: each value is read as JavaScript has it, and written anew.
import { Batch, Schema, column, map } from "streamhost-sdk";

export default map({
  batch(batch) {
    const fields = batch.schema.fields.map((field) => field.named(`${field.name}_again`));
    const columns = batch.columns.map((of) => column(of.type, of.toArray()));
    return new Batch(new Schema(fields), columns, batch.length);
  },
});
