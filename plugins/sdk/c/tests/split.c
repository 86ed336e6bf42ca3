/* A transform over rows with a side output, and rows that fail after they have added some. */
#include <streamhost.h>

struct config {
  double limit;
  sh_strings names;
  sh_number number;
  bool strict;
  int64_t wait;
};

static const sh_field config[] = {{"limit", SH_DOUBLE, offsetof(struct config, limit), .otherwise = "100"},
                                  {"names", SH_STRINGS, offsetof(struct config, names), .otherwise = "[]"},
                                  {"number", SH_NUMBER, offsetof(struct config, number), .otherwise = "1"},
                                  {"strict", SH_BOOL, offsetof(struct config, strict), .otherwise = "false"},
                                  {"wait", SH_INTERVAL, offsetof(struct config, wait), .otherwise = "\"1s\""},
                                  SH_END_FIELDS};

static const sh_output outputs[] = {{"small", "id BIGINT"}, SH_END_OUTPUTS};

static sh_status split(const sh_row *row, sh_table *out) {
  const struct config *config = row->call->config;
  double value = sh_get_double(row, 1);
  sh_put_int(out, 0, sh_get_int(row, 0));
  sh_end_row(out);
  if (value < 0) return sh_permanent(row->call, "%g is below 0", value);
  if (value > 1e6) return sh_transient(row->call, "%g is too much for now", value);
  if (value >= config->limit) return SH_OK;
  sh_table *small = sh_side(row->call, "small");
  sh_put_int(small, 0, sh_get_int(row, 0));
  sh_end_row(small);
  return SH_OK;
}

STREAMHOST_TRANSFORM(split, .reads = "id BIGINT, value DOUBLE NOT NULL", .columns = "id BIGINT", .outputs = outputs, .config = config,
                     .config_size = sizeof(struct config));
