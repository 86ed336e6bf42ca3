// Keeps the rows whose value is above a threshold.

#include <streamhost.h>

// What the pipeline may set.
struct config {
  double threshold;
};

static const sh_field config[] = {
    {"threshold", SH_DOUBLE, offsetof(struct config, threshold), .doc = "Values up to this one are dropped.", .otherwise = "10"}, SH_END_FIELDS};

// Whether a row is kept. Its columns are those of `reads`.
static bool keep(const sh_row *event) {
  const struct config *config = event->call->config;
  return !sh_get_null(event, 0) && sh_get_double(event, 0) > config->threshold;
}

STREAMHOST_FILTER(keep, .reads = "value DOUBLE", .config = config, .config_size = sizeof(struct config));
