// Keeps rows in tables of every kind, and puts out what these had before, all of it made anew from its values.

#include <string.h>

#include "values.h"

static sh_status plan(sh_plan *plan) {
  sh_call *call = plan->call;
  const struct ArrowSchema *type = sh_input_column(plan, "value");
  struct ArrowSchema *output = sh_schema_new(call), *row = sh_schema_new(call), *place = sh_schema_new(call), *value = sh_schema_new(call);
  SH_TRY(sh_schema_add(call, output, "table", "STRING"));
  struct ArrowSchema *of_place[] = {output, row, place}, *of_value[] = {output, row, value};
  for (int i = 0; i < 3; i++) {
    SH_TRY(sh_schema_add(call, of_place[i], "place", "BIGINT"));
    SH_TRY(sh_schema_add_like(call, of_value[i], "value", type));
  }
  SH_TRY(sh_plan_table(plan, "last", SH_VALUE, NULL, row, 0, 1));
  SH_TRY(sh_plan_table(plan, "all", SH_SEQUENCE, NULL, row, 0, 1));
  SH_TRY(sh_plan_table(plan, "by", SH_MAPPING, place, value, 0, 1));
  return sh_plan_output(plan, output);
}

// Puts out what a table has of the keys.
static sh_status tell(sh_call *call, const char *table, sh_table *out) {
  sh_entries entries;
  SH_TRY(sh_get(call, table, NULL, 0, &entries));
  for (int64_t i = 0; i < entries.columns.rows; i++) {
    SH_TRY(sh_arrow(call, ArrowArrayAppendString(sh_builder(out, 0), ArrowCharView(table)), NULL));
  }
  return append_rows(call, out, 1, &entries.columns);
}

static sh_status add(sh_call *call, sh_table *entries, int64_t key, const sh_batch *rows, int64_t row) {
  SH_TRY(sh_arrow(call, ArrowArrayAppendInt(sh_builder(entries, 0), key), NULL));
  return append_row(call, entries, 1, rows, row);
}

// Puts the last row of each key into `last`, and all rows into the others.
static sh_status keep(sh_call *call, const sh_groups *groups) {
  sh_table *last, *all, *by;
  SH_TRY(sh_entries_new(call, "last", &last));
  SH_TRY(sh_entries_new(call, "all", &all));
  SH_TRY(sh_entries_new(call, "by", &by));
  for (int64_t key = 0; key < groups->keys.rows; key++) {
    for (int64_t row = groups->starts[key]; row < groups->starts[key + 1]; row++) {
      SH_TRY(add(call, all, key, &groups->rows, row));
      SH_TRY(add(call, by, key, &groups->rows, row));
      if (row + 1 == groups->starts[key + 1]) SH_TRY(add(call, last, key, &groups->rows, row));
    }
  }
  SH_TRY(sh_put(call, "last", last));
  SH_TRY(sh_append(call, "all", all));
  return sh_put(call, "by", by);
}

static sh_status process(sh_call *call, const sh_groups *groups, sh_table *out) {
  SH_TRY(tell(call, "last", out));
  SH_TRY(tell(call, "all", out));
  SH_TRY(tell(call, "by", out));
  return keep(call, groups);
}

// Gives entries back as they are, if their columns are those of now.
static sh_status migrate(sh_call *call, const sh_before *before, sh_table *now) {
  const char *were = sh_columns_text(call, before->entries.schema), *are = sh_columns_text(call, &now->schema);
  if (strcmp(were, are) != 0) return sh_invalid(call, "table `%s` is stored with the columns %s, and has %s", before->table, were, are);
  return append_rows(call, now, 0, &before->entries);
}

STREAMHOST_KEYED_COLUMNS(process, .reads = "place BIGINT, value", .plan = plan, .migrate = migrate);
