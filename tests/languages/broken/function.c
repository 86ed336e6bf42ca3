#include <assert.h>
#include <streamhost.h>

static sh_status look(const sh_row *arguments, sh_table *result) {
  int64_t id = sh_get_int(arguments, 0);
  assert(id != 2 && "no such id: 2");
  sh_put_int(result, 0, id);
  return SH_OK;
}

static const sh_function functions[] = {{"look", "id BIGINT NOT NULL", "BIGINT", .row = look}, SH_END_FUNCTIONS};

STREAMHOST_FUNCTIONS(functions);
