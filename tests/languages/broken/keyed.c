#include <assert.h>
#include <streamhost.h>

static sh_status look(sh_group *group, sh_table *out) {
  int64_t id = sh_get_int(&group->key, 0);
  assert(id != 2 && "no such id: 2");
  sh_put_int(out, 0, id);
  sh_end_row(out);
  return SH_OK;
}

static const sh_state_table tables[] = {{"last", SH_VALUE, .value = "n BIGINT"}, SH_END_TABLES};

STREAMHOST_KEYED(look, .reads = "n BIGINT", .columns = "id BIGINT", .tables = tables);
