// Adds a column: the value as a share of a whole.

#include <streamhost.h>

// What the pipeline may set.
struct config {
  double whole;
};

static const sh_field config[] = {{"whole", SH_DOUBLE, offsetof(struct config, whole), .doc = "What a share of 1 is.", .otherwise = "100"},
                                  SH_END_FIELDS};

// Puts the added columns of a row, and answers that the row is kept.
static bool share(const sh_row *event, sh_table *added) {
  const struct config *config = event->call->config;
  double value = sh_get_double(event, 0);
  if (value < 0) return sh_permanent(event->call, "a share of %g makes no sense", value);
  sh_put_double(added, 0, value / config->whole);
  return true;
}

STREAMHOST_MAP(share, .reads = "value DOUBLE NOT NULL", .columns = "share DOUBLE", .config = config, .config_size = sizeof(struct config));
