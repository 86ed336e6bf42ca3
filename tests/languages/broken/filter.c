#include <assert.h>
#include <streamhost.h>

static bool look(const sh_row *event) {
  assert(sh_get_int(event, 0) != 2 && "no such id: 2");
  return true;
}

STREAMHOST_FILTER(look, .reads = "id BIGINT NOT NULL");
