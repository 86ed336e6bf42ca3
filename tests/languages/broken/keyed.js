import { keyed, t, value } from "streamhost-sdk";

function look(id) {
  if (id === 2n) throw new TypeError(`no such id: ${id}`);
  return { id };
}

export default keyed({
  key: { id: t.bigint },
  row: { n: t.bigint },
  out: { id: t.bigint },
  state: { last: value({ n: t.bigint }) },
  each: ({ id }) => look(id),
});
