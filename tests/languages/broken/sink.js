import { batchSink } from "streamhost-sdk";

function look(id) {
  if (id === 2n) throw new TypeError(`no such id: ${id}`);
}

export default batchSink({
  outputs: {},
  store(rows) {
    for (const batch of rows) batch.column("id").toArray().forEach((id) => look(id));
  },
});
