// Keeps the rows whose number in one column passes a comparison.

#include <streamhost.h>

enum op { GREATER, GREATER_OR_EQUAL, LESS, LESS_OR_EQUAL, EQUAL, UNEQUAL };

struct config {
  const char *column;
  int op;
  sh_number threshold;
};

static const char *const ops[] = {">", ">=", "<", "<=", "==", "!=", NULL};

static const sh_field config[] = {
    {"column", SH_STRING, offsetof(struct config, column), .doc = "The column of numbers.", .otherwise = "\"value\""},
    {"op", SH_ENUM, offsetof(struct config, op), .doc = "How the column's value compares with the threshold in the rows that are kept.",
     .otherwise = "\">\"", .names = ops},
    {"threshold", SH_NUMBER, offsetof(struct config, threshold), .doc = "The number that values are compared with.", .otherwise = "10"},
    SH_END_FIELDS};

static sh_status plan(sh_plan *plan) {
  const struct config *config = plan->call->config;
  return sh_plan_read(plan, config->column);
}

// A whole number that sorts as the fraction does in Spark: both zeros are the same, NaN is the largest.
static inline int64_t order(double value) {
  union {
    double value;
    int64_t bits;
  } as = {value != value ? __builtin_nan("") : value + 0.0};
  return as.bits ^ (int64_t)((uint64_t)(as.bits >> 63) >> 1);
}

// One loop for each comparison, so that each compiles to vector instructions.
static void passing(const int64_t *keys, int64_t n, int op, int64_t threshold, uint8_t *keep) {
  switch (op) {
    case GREATER: SH_BITS_WHERE(keep, int64_t, keys, n, v > threshold); break;
    case GREATER_OR_EQUAL: SH_BITS_WHERE(keep, int64_t, keys, n, v >= threshold); break;
    case LESS: SH_BITS_WHERE(keep, int64_t, keys, n, v < threshold); break;
    case LESS_OR_EQUAL: SH_BITS_WHERE(keep, int64_t, keys, n, v <= threshold); break;
    case EQUAL: SH_BITS_WHERE(keep, int64_t, keys, n, v == threshold); break;
    default: SH_BITS_WHERE(keep, int64_t, keys, n, v != threshold); break;
  }
}

// The values as whole numbers that sort as they do: whole ones, compared with a whole threshold, are their own.
#define KEYS(ctype)                                          \
  for (int64_t i = 0; i < column->length; i++) {             \
    const ctype value = ((const ctype *)column->values)[i];  \
    keys[i] = exact ? (int64_t)value : order((double)value); \
  }                                                          \
  break

static bool keys_of(const sh_column *column, bool exact, int64_t *keys) {
  switch (column->type) {
    case NANOARROW_TYPE_DOUBLE: KEYS(double);
    case NANOARROW_TYPE_FLOAT: KEYS(float);
    case NANOARROW_TYPE_INT64: KEYS(int64_t);
    case NANOARROW_TYPE_INT32: KEYS(int32_t);
    case NANOARROW_TYPE_INT16: KEYS(int16_t);
    case NANOARROW_TYPE_INT8: KEYS(int8_t);
    case NANOARROW_TYPE_UINT32: KEYS(uint32_t);
    case NANOARROW_TYPE_UINT16: KEYS(uint16_t);
    case NANOARROW_TYPE_UINT8: KEYS(uint8_t);
    default: return false;
  }
  return true;
}

static sh_status keep_passing(sh_call *call, const sh_batch *batch, uint8_t *keep) {
  const struct config *config = call->config;
  const sh_column *column = &batch->columns[0];
  bool fractions = column->type == NANOARROW_TYPE_DOUBLE || column->type == NANOARROW_TYPE_FLOAT;
  bool exact = config->threshold.is_whole && !fractions;
  int64_t *keys = sh_alloc(call, (size_t)batch->rows * sizeof *keys);
  if (!keys_of(column, exact, keys)) {
    return sh_invalid(call, "column `%s` has type %s, which is no number to compare", config->column, sh_type_name(call, column->schema));
  }
  passing(keys, batch->rows, config->op, exact ? config->threshold.whole : order(config->threshold.value), keep);
  sh_and_valid(keep, column);
  return SH_OK;
}

STREAMHOST_FILTER_COLUMNS(keep_passing, .reads = "", .plan = plan, .config = config, .config_size = sizeof(struct config));
