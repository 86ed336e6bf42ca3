#include "plan.h"

#include <string.h>

/** What a plugin has said so far. */
typedef struct sh_planned {
  sh_bound *bound;
  /** The numbers of the columns that it reads. */
  int32_t *reads;
  int32_t n_reads, most_reads;
  bool all;
  const struct ArrowSchema *output;
  int32_t most_sides;
} sh_planned;

sh_status sh_owned_copy(sh_call *call, sh_bound *bound, const struct ArrowSchema *from, struct ArrowSchema **to) {
  *to = sh_own_schema(bound);
  return sh_arrow(call, ArrowSchemaDeepCopy(from, *to), NULL);
}

sh_status sh_nullable(sh_call *call, sh_bound *bound, const struct ArrowSchema *columns, sh_schema *schema) {
  struct ArrowSchema *copy;
  SH_TRY(sh_owned_copy(call, bound, columns, &copy));
  for (int64_t i = 0; i < copy->n_children; i++) copy->children[i]->flags |= ARROW_FLAG_NULLABLE;
  return sh_schema_types(call, copy, schema);
}

static sh_status missing(sh_call *call, const struct ArrowSchema *input, const char *name) {
  return sh_invalid(call, "the input has no column `%s`; its columns are %s", name, sh_columns_text(call, input));
}

/** A place for one more, in an array that may move. */
static void *grown(sh_call *call, void *items, int32_t n, int32_t *most, size_t size) {
  if (n < *most) return items;
  *most = *most ? 2 * *most : 8;
  void *more = sh_alloc(call, (size_t)*most * size);
  if (n) memcpy(more, items, (size_t)n * size);
  return more;
}

static sh_status add_read(sh_call *call, sh_planned *planned, const struct ArrowSchema *input, const char *name, bool not_null) {
  sh_bound *bound = planned->bound;
  int32_t index = sh_schema_index(input, name), most = planned->most_reads;
  if (index < 0) return missing(call, input, name);
  planned->all = false;
  for (int32_t i = 0; i < planned->n_reads; i++) {
    if (planned->reads[i] == index) return SH_OK;
  }
  planned->reads = (int32_t *)grown(call, planned->reads, planned->n_reads, &most, sizeof *planned->reads);
  bound->not_null = (bool *)grown(call, bound->not_null, planned->n_reads, &planned->most_reads, sizeof *bound->not_null);
  bound->not_null[planned->n_reads] = not_null;
  planned->reads[planned->n_reads++] = index;
  return SH_OK;
}

static bool widens(enum ArrowType wanted, enum ArrowType found) {
  int rank = found == NANOARROW_TYPE_INT8 ? 1 : found == NANOARROW_TYPE_INT16 ? 2 : found == NANOARROW_TYPE_INT32 ? 4 : 0;
  switch (wanted) {
    case NANOARROW_TYPE_INT16: return rank == 1;
    case NANOARROW_TYPE_INT32:
    case NANOARROW_TYPE_FLOAT: return rank == 1 || rank == 2;
    case NANOARROW_TYPE_INT64: return rank != 0;
    case NANOARROW_TYPE_DOUBLE: return rank != 0 || found == NANOARROW_TYPE_FLOAT;
    default: return false;
  }
}

static bool is_number(enum ArrowType type) {
  return type == NANOARROW_TYPE_DECIMAL128 || type == NANOARROW_TYPE_DECIMAL256 || (type >= NANOARROW_TYPE_UINT8 && type <= NANOARROW_TYPE_DOUBLE);
}

/** Whether a column may be read as the type that is wanted. */
static sh_status check_type(sh_call *call, const sh_wanted *wanted, const struct ArrowSchema *found) {
  struct ArrowSchemaView want, have;
  SH_TRY(sh_arrow(call, ArrowSchemaViewInit(&want, &wanted->schema, NULL), NULL));
  SH_TRY(sh_arrow(call, ArrowSchemaViewInit(&have, found, NULL), NULL));
  const char *wants = sh_type_name(call, &wanted->schema), *has = sh_type_name(call, found);
  bool times = want.type == NANOARROW_TYPE_TIMESTAMP && have.type == want.type && have.time_unit == want.time_unit;
  if (times || widens(want.type, have.type) || strcmp(wants, has) == 0) return SH_OK;
  const char *remedy =
      is_number(want.type) && is_number(have.type) ? sh_format(call, ", which not every %s is; cast the column before this step", has) : "";
  return sh_invalid(call, "column `%s` has type %s, and the plugin reads %s%s", wanted->name, has, wants, remedy);
}

static sh_status add_wanted(sh_call *call, sh_planned *planned, const struct ArrowSchema *input, const sh_wanted *wanted) {
  int32_t index = sh_schema_index(input, wanted->name);
  if (index < 0) return missing(call, input, wanted->name);
  if (wanted->typed) SH_TRY(check_type(call, wanted, input->children[index]));
  bool not_null = wanted->typed && !(wanted->schema.flags & ARROW_FLAG_NULLABLE);
  return add_read(call, planned, input, wanted->name, not_null);
}

static sh_status read_wanted(sh_call *call, sh_planned *planned, const struct ArrowSchema *input, const char *reads) {
  sh_wanted *wanted = NULL;
  int32_t n = 0;
  planned->all = !reads;
  sh_status status = reads ? sh_ddl_wanted(call, reads, &wanted, &n) : SH_OK;
  for (int32_t i = 0; i < n; i++) {
    if (status == SH_OK) status = add_wanted(call, planned, input, &wanted[i]);
    if (wanted[i].schema.release) ArrowSchemaRelease(&wanted[i].schema);
  }
  return status;
}

const struct ArrowSchema *sh_input_column(const sh_plan *plan, const char *name) {
  int32_t index = sh_schema_index(plan->input, name);
  return index < 0 ? NULL : plan->input->children[index];
}

sh_status sh_plan_read(sh_plan *plan, const char *name) { return add_read(plan->call, plan->planned, plan->input, name, false); }

sh_status sh_plan_output(sh_plan *plan, const struct ArrowSchema *columns) {
  plan->planned->output = columns;
  return SH_OK;
}

sh_status sh_plan_side(sh_plan *plan, const char *name, const struct ArrowSchema *columns) {
  sh_bound *bound = plan->planned->bound;
  bound->sides = (sh_named_schema *)grown(plan->call, bound->sides, bound->n_sides, &plan->planned->most_sides, sizeof *bound->sides);
  sh_named_schema *side = &bound->sides[bound->n_sides++];
  side->name = sh_format(plan->call, "%s", name);
  return sh_nullable(plan->call, bound, columns, &side->schema);
}

sh_status sh_plan_table(sh_plan *plan, const char *name, sh_table_kind kind, const struct ArrowSchema *second, const struct ArrowSchema *value,
                        int64_t ttl_ms, uint32_t version) {
  return sh_bound_table_add(plan->call, plan->planned->bound, name, kind, second, value, ttl_ms, version);
}

struct ArrowSchema *sh_schema_new(sh_call *call) {
  struct ArrowSchema *schema = sh_own_schema((sh_bound *)call->internal->bound);
  ArrowSchemaInit(schema);
  if (ArrowSchemaSetTypeStruct(schema, 0) != NANOARROW_OK) sh_panic(__FILE__, __LINE__, "there is no memory for a schema");
  return schema;
}

sh_status sh_schema_add(sh_call *call, struct ArrowSchema *schema, const char *name, const char *type) {
  struct ArrowSchema like = {0};
  sh_status status = sh_ddl_type(call, type, &like);
  if (status == SH_OK) status = sh_schema_add_like(call, schema, name, &like);
  if (like.release) ArrowSchemaRelease(&like);
  return status;
}

sh_status sh_schema_add_like(sh_call *call, struct ArrowSchema *schema, const char *name, const struct ArrowSchema *like) {
  struct ArrowSchema *child;
  SH_TRY(sh_schema_append(call, schema, &child));
  ArrowSchemaRelease(child);
  SH_TRY(sh_arrow(call, ArrowSchemaDeepCopy(like, child), NULL));
  return sh_arrow(call, ArrowSchemaSetName(child, name), NULL);
}

/** Columns as DDL, owned; those of the input if there is none. */
static sh_status columns_of(sh_call *call, sh_bound *bound, const char *ddl, const struct ArrowSchema *input, struct ArrowSchema **columns) {
  if (!ddl) return sh_owned_copy(call, bound, input, columns);
  *columns = sh_own_schema(bound);
  return sh_ddl_parse(call, ddl, *columns);
}

static sh_status add_outputs(sh_plan *plan, const sh_output *outputs) {
  for (; outputs && outputs->name; outputs++) {
    struct ArrowSchema *columns;
    SH_TRY(columns_of(plan->call, plan->planned->bound, outputs->columns, plan->input, &columns));
    SH_TRY(sh_plan_side(plan, outputs->name, columns));
  }
  return SH_OK;
}

static sh_status add_tables(sh_plan *plan, const sh_state_table *tables) {
  for (; tables && tables->name; tables++) {
    struct ArrowSchema *value, *second;
    SH_TRY(columns_of(plan->call, plan->planned->bound, tables->value ? tables->value : "", NULL, &value));
    SH_TRY(columns_of(plan->call, plan->planned->bound, tables->second ? tables->second : "", NULL, &second));
    SH_TRY(sh_plan_table(plan, tables->name, tables->kind, second, value, tables->ttl_ms, tables->version ? tables->version : 1));
  }
  return SH_OK;
}

static sh_status pick_keys(sh_call *call, sh_bound *bound, const struct ArrowSchema *input, sh_texts keys) {
  int32_t *columns = (int32_t *)sh_alloc(call, (size_t)keys.n * sizeof *columns);
  for (int64_t i = 0; i < keys.n; i++) {
    const char *name = sh_format(call, "%.*s", (int)keys.items[i].size, keys.items[i].data);
    columns[i] = sh_schema_index(input, name);
    if (columns[i] < 0) return missing(call, input, name);
  }
  struct ArrowSchema *picked = sh_own_schema(bound);
  SH_TRY(sh_schema_pick(call, input, columns, (int32_t)keys.n, picked));
  return sh_schema_types(call, picked, &bound->keys);
}

static sh_status pick_reads(sh_call *call, sh_planned *planned, const struct ArrowSchema *input) {
  sh_bound *bound = planned->bound;
  int32_t n = planned->all ? (int32_t)input->n_children : planned->n_reads;
  bound->has_reads = !planned->all;
  bound->n_reads = n;
  bound->read_names = (const char **)sh_alloc(call, (size_t)n * sizeof *bound->read_names);
  int32_t *columns = planned->all ? (int32_t *)sh_alloc(call, (size_t)n * sizeof *columns) : planned->reads;
  for (int32_t i = 0; i < n; i++) {
    if (planned->all) columns[i] = i;
    bound->read_names[i] = input->children[columns[i]]->name;
  }
  if (planned->all) {
    bound->not_null = (bool *)sh_alloc(call, (size_t)n);
    memset(bound->not_null, 0, (size_t)n);
  }
  struct ArrowSchema *picked = sh_own_schema(bound);
  SH_TRY(sh_schema_pick(call, input, columns, n, picked));
  return sh_schema_types(call, picked, &bound->reads);
}

sh_status sh_plan_run(sh_call *call, sh_bound *bound, struct ArrowSchema *input, sh_texts keys) {
  const sh_plugin *plugin = bound->plugin;
  sh_planned planned = {.bound = bound};
  SH_TRY(pick_keys(call, bound, input, keys));
  sh_plan plan = {call, input, bound->keys.arrow, &planned};
  SH_TRY(read_wanted(call, &planned, input, plugin->reads));
  struct ArrowSchema *columns;
  SH_TRY(columns_of(call, bound, plugin->columns ? plugin->columns : "", input, &columns));
  planned.output = columns;
  SH_TRY(add_outputs(&plan, plugin->outputs));
  SH_TRY(add_tables(&plan, plugin->tables));
  if (plugin->plan) SH_TRY(plugin->plan(&plan));
  SH_TRY(pick_reads(call, &planned, input));
  return sh_nullable(call, bound, planned.output, &bound->output);
}
