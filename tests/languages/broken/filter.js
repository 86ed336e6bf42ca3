import { filter, t } from "streamhost-sdk";

function look(id) {
  if (id === 2n) throw new TypeError(`no such id: ${id}`);
  return true;
}

export default filter({
  row: { id: t.bigint },
  each: ({ id }) => look(id),
});
