// The headers and macros are C++20 as well.
#include <streamhost.h>
#include <streamhost/testing.h>

namespace {

struct Config {
  double threshold;
};

const sh_field fields[] = {
    {.name = "threshold", .type = SH_DOUBLE, .offset = offsetof(Config, threshold), .doc = "Values up to this one are dropped.", .otherwise = "10"},
    SH_END_FIELDS};

bool keep(const sh_row *event) {
  auto config = static_cast<const Config *>(event->call->config);
  return !sh_get_null(event, 0) && sh_get_double(event, 0) > config->threshold;
}

sh_status no_state(sh_group *group, sh_table *out) {
  sh_row row;
  while (sh_next_row(group, &row)) {
    sh_put_value(out, 0, &group->key.batch->columns[0], group->key.index);
    sh_end_row(out);
  }
  return SH_OK;
}

sh_status one(const sh_row *, sh_table *result) {
  sh_put_int(result, 0, 1);
  return SH_OK;
}

const sh_function functions[] = {{.name = "one", .arguments = "", .returns = "INT", .row = one}, SH_END_FUNCTIONS};

}  // namespace

STREAMHOST_FILTER(keep, .reads = "value DOUBLE", .config = fields, .config_size = sizeof(Config));
STREAMHOST_KEYED(no_state, .reads = "", .columns = "id BIGINT");
STREAMHOST_FUNCTIONS(functions);
