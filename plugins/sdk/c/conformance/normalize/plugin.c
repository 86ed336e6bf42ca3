// Adds a column that is another one divided by a number.

#include <math.h>
#include <string.h>

#include <streamhost.h>

struct config {
  const char *column;
  const char *as;
  double divisor;
  double above;
};

static const sh_field config[] = {
    {"column", SH_STRING, offsetof(struct config, column), .doc = "The column of numbers.", .otherwise = "\"value\""},
    {"as", SH_STRING, offsetof(struct config, as), .doc = "The new column's name; `normalized_` and the column's by default.", .optional = true},
    {"divisor", SH_DOUBLE, offsetof(struct config, divisor), .doc = "What each value is divided by.", .otherwise = "100"},
    {"above", SH_DOUBLE, offsetof(struct config, above), .doc = "Keeps only rows whose value is greater.", .optional = true},
    SH_END_FIELDS};

static bool is_number(enum ArrowType type) {
  return type == NANOARROW_TYPE_DOUBLE || type == NANOARROW_TYPE_FLOAT || type == NANOARROW_TYPE_INT8 || type == NANOARROW_TYPE_INT16 ||
         type == NANOARROW_TYPE_INT32 || type == NANOARROW_TYPE_INT64;
}

static sh_status plan(sh_plan *plan) {
  sh_call *call = plan->call;
  const struct config *config = call->config;
  if (config->divisor == 0) return sh_invalid(call, "config: `divisor` is 0");
  SH_TRY(sh_plan_read(plan, config->column));
  const struct ArrowSchema *column = sh_input_column(plan, config->column);
  struct ArrowSchemaView view;
  SH_TRY(sh_arrow(call, ArrowSchemaViewInit(&view, column, NULL), NULL));
  if (!is_number(view.type)) {
    return sh_invalid(call, "column `%s` has type %s, which is no number to divide", config->column, sh_type_name(call, column));
  }
  struct ArrowSchema *added = sh_schema_new(call);
  SH_TRY(sh_schema_add(call, added, config->as ? config->as : sh_format(call, "normalized_%s", config->column), "DOUBLE"));
  return sh_plan_output(plan, added);
}

// The values as fractions: those of the column, or a copy.
static const double *fractions(sh_call *call, const sh_column *column) {
  if (column->type == NANOARROW_TYPE_DOUBLE) return column->values;
  double *values = sh_alloc(call, (size_t)column->length * sizeof *values);
#define COPY(ctype) \
  for (int64_t i = 0; i < column->length; i++) values[i] = (double)((const ctype *)column->values)[i]
  switch (column->type) {
    case NANOARROW_TYPE_FLOAT: COPY(float); break;
    case NANOARROW_TYPE_INT8: COPY(int8_t); break;
    case NANOARROW_TYPE_INT16: COPY(int16_t); break;
    case NANOARROW_TYPE_INT32: COPY(int32_t); break;
    default: COPY(int64_t);
  }
  return values;
}

// Dividing all of them fills vector registers; picking the values first would divide them one by one.
static void divide(const double *values, int64_t n, double divisor, double *quotients) {
  for (int64_t i = 0; i < n; i++) quotients[i] = values[i] / divisor;
}

static sh_status normalize(sh_call *call, const sh_batch *batch, sh_table *added) {
  const struct config *config = call->config;
  const sh_column *column = &batch->columns[0];
  const double *values = fractions(call, column);
  if (isnan(config->above)) {
    divide(values, batch->rows, config->divisor, sh_fill_doubles(added, 0, batch->rows));
    sh_fill_valid(added, 0, column->valid);
    return SH_OK;
  }
  const double limit = config->above;
  uint8_t *keep = sh_keep(call);
  SH_BITS_WHERE(keep, double, values, batch->rows, v > limit);
  sh_and_valid(keep, column);
  double *quotients = sh_alloc(call, (size_t)batch->rows * sizeof *quotients);
  divide(values, batch->rows, config->divisor, quotients);
  sh_select_doubles(sh_fill_doubles(added, 0, sh_count_bits(keep, batch->rows)), quotients, keep, batch->rows);
  return SH_OK;
}

STREAMHOST_MAP_COLUMNS(normalize, .reads = "", .plan = plan, .config = config, .config_size = sizeof(struct config));
