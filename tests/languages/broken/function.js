import { functions, t } from "streamhost-sdk";

function look(id) {
  if (id === 2n) throw new TypeError(`no such id: ${id}`);
  return id;
}

export default functions({
  functions: { look: { arguments: { id: t.bigint }, returns: t.bigint, each: ({ id }) => look(id) } },
});
