/* A map whose values may not fit. */
#include <streamhost.h>

static bool narrow(const sh_row *row, sh_table *added) {
  sh_put_int(added, 0, sh_get_int(row, 0));
  sh_put_text(added, 1, sh_get_text(row, 1));
  return sh_get_int(row, 0) != 0;
}

STREAMHOST_MAP(narrow, .reads = "id BIGINT NOT NULL, bytes BINARY NOT NULL", .columns = "small TINYINT, text STRING");
