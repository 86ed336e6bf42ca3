// Stores rows by their date, in one output or several.

#include <string.h>

#include "date.h"

struct route {
  const char *output;
  const char *from;
  const char *before;
};

struct config {
  const char *column;
  const char *as;
  const char *text;
  const char *output;
  sh_objects routes;
  const char *undated;
};

static const sh_field route[] = {
    {"output", SH_STRING, offsetof(struct route, output), .doc = "The output."},
    {"from", SH_STRING, offsetof(struct route, from), .doc = "The first date, such as `2025-01-01`.", .optional = true},
    {"before", SH_STRING, offsetof(struct route, before), .doc = "The first date that no longer is in it.", .optional = true},
    SH_END_FIELDS};

static const sh_field config[] = {
    {"column", SH_STRING, offsetof(struct config, column), .doc = "The column of dates, a DATE or a TIMESTAMP. A TIMESTAMP's date is that in UTC."},
    {"as", SH_STRING, offsetof(struct config, as), .doc = "The new column's name.", .otherwise = "\"day\""},
    {"text", SH_STRING, offsetof(struct config, text), .doc = "The new column's text, in which `{year}`, `{month}` and `{day}` stand for the date's.",
     .otherwise = "\"{year}-{month}-{day}\""},
    {"output", SH_STRING, offsetof(struct config, output), .doc = "The output of the rows that no route takes.", .otherwise = "\"days\""},
    {"routes", SH_OBJECTS, offsetof(struct config, routes), .doc = "Outputs of stretches of time. A row goes to the first that takes its date.",
     .otherwise = "[]", .fields = route, .size = sizeof(struct route)},
    {"undated", SH_STRING, offsetof(struct config, undated), .doc = "The output of the rows without a date. Without one they are an error.",
     .optional = true},
    SH_END_FIELDS};

// A stretch of time, and the number of its output.
struct stretch {
  int32_t from, before, place;
};

// The outputs, and which dates each of them takes. The output of the rows that no stretch takes comes first.
struct router {
  const char **names;
  int32_t n_names;
  struct stretch *stretches;
  int64_t n_stretches;
  int32_t undated;
};

// Several stretches may share an output.
static int32_t place_of(struct router *router, const char *name) {
  for (int32_t i = 0; i < router->n_names; i++) {
    if (strcmp(router->names[i], name) == 0) return i;
  }
  router->names[router->n_names] = name;
  return router->n_names++;
}

static sh_status bound(sh_call *call, const char *date, int32_t otherwise, int32_t *day) {
  *day = otherwise;
  if (!date || parse_date(date, day)) return SH_OK;
  return sh_invalid(call, "config: routes: \"%s\" is no date; write it as 2025-01-31", date);
}

static sh_status router_new(sh_call *call, const struct config *config, struct router *router) {
  const struct route *routes = config->routes.items;
  int64_t n = config->routes.n;
  *router = (struct router){.undated = -1, .n_stretches = n};
  router->names = sh_alloc(call, (size_t)(n + 2) * sizeof *router->names);
  router->stretches = sh_alloc(call, (size_t)n * sizeof *router->stretches);
  place_of(router, config->output);
  for (int64_t i = 0; i < n; i++) {
    struct stretch *stretch = &router->stretches[i];
    SH_TRY(bound(call, routes[i].from, INT32_MIN, &stretch->from));
    SH_TRY(bound(call, routes[i].before, INT32_MAX, &stretch->before));
    stretch->place = place_of(router, routes[i].output);
  }
  if (config->undated) router->undated = place_of(router, config->undated);
  return SH_OK;
}

static int32_t place_for(const struct router *router, int32_t day, bool dated) {
  if (!dated) return router->undated;
  for (int64_t i = 0; i < router->n_stretches; i++) {
    if (router->stretches[i].from <= day && day < router->stretches[i].before) return router->stretches[i].place;
  }
  return 0;
}

// Every output has the columns that come in, and the new one.
static sh_status plan(sh_plan *plan) {
  sh_call *call = plan->call;
  const struct config *config = call->config;
  const struct ArrowSchema *column = sh_input_column(plan, config->column);
  if (!column) return sh_invalid(call, "config: there is no column `%s`; the columns are %s", config->column, sh_columns_text(call, plan->input));
  if (strcmp(column->format, "tdD") != 0 && strncmp(column->format, "ts", 2) != 0) {
    return sh_invalid(call, "config: column `%s` has type %s, and dates are DATE or TIMESTAMP", config->column, sh_type_name(call, column));
  }
  if (sh_input_column(plan, config->as)) return sh_invalid(call, "config: there is a column `%s` already; name another one with `as`", config->as);
  SH_TRY(check_pattern(call, config->text));
  struct router *router = sh_alloc(call, sizeof *router);
  SH_TRY(router_new(call, config, router));
  call->prepared = router;
  struct ArrowSchema *columns = sh_schema_new(call);
  for (int64_t i = 0; i < plan->input->n_children; i++) {
    SH_TRY(sh_schema_add_like(call, columns, plan->input->children[i]->name, plan->input->children[i]));
  }
  SH_TRY(sh_schema_add(call, columns, config->as, "STRING"));
  for (int32_t i = 0; i < router->n_names; i++) SH_TRY(sh_plan_side(plan, router->names[i], columns));
  return SH_OK;
}

// The rows of a batch whose numbers are given, with the texts of their days.
static sh_status write_rows(sh_call *call, const char *output, const sh_batch *batch, const char *const *texts, const uint32_t *rows, int64_t n) {
  sh_table *table;
  SH_TRY(sh_output_table(call, output, &table));
  for (int32_t i = 0; i < batch->n_columns; i++) sh_take(table, i, &batch->columns[i], rows, n);
  struct ArrowArray *days = sh_builder(table, batch->n_columns);
  for (int64_t i = 0; i < n; i++) {
    const char *text = texts[rows[i]];
    int code = text ? ArrowArrayAppendString(days, ArrowCharView(text)) : ArrowArrayAppendNull(days, 1);
    SH_TRY(sh_arrow(call, code, NULL));
  }
  return sh_write(call, output, table);
}

static sh_status route_batch(sh_call *call, const sh_batch *batch) {
  const struct config *config = call->config;
  const struct router *router = call->prepared;
  size_t n = (size_t)batch->rows;
  int32_t *days = sh_alloc(call, n * sizeof *days), *places = sh_alloc(call, n * sizeof *places);
  bool *dated = sh_alloc(call, n);
  const char **texts = sh_alloc(call, n * sizeof *texts);
  SH_TRY(days_of(call, batch, config->column, days, dated));
  const char *last = NULL;
  int32_t last_day = 0;
  for (size_t i = 0; i < n; i++) {
    places[i] = place_for(router, days[i], dated[i]);
    if (places[i] < 0) {
      return sh_permanent(call, "a row has no `%s`; name an output for such rows with `undated`, or leave them out before", config->column);
    }
    // Rows of a day mostly come together, so a text is made where the day changes.
    if (dated[i] && (!last || last_day != days[i])) last = text_of(call, config->text, last_day = days[i]);
    texts[i] = dated[i] ? last : NULL;
  }
  uint32_t *rows = sh_alloc(call, n * sizeof *rows);
  for (int32_t place = 0; place < router->n_names; place++) {
    int64_t here = 0;
    for (size_t i = 0; i < n; i++) {
      if (places[i] == place) rows[here++] = (uint32_t)i;
    }
    if (here) SH_TRY(write_rows(call, router->names[place], batch, texts, rows, here));
  }
  return SH_OK;
}

static sh_status route_epoch(sh_call *call) {
  sh_batch batch;
  while (sh_next(call, &batch)) SH_TRY(route_batch(call, &batch));
  return sh_done(call);
}

STREAMHOST_BATCH_SINK(route_epoch, .plan = plan, .config = config, .config_size = sizeof(struct config));
