// Adds each column once more, made anew from its values.

#include "values.h"

static sh_status plan(sh_plan *plan) {
  struct ArrowSchema *added = sh_schema_new(plan->call);
  for (int64_t i = 0; i < plan->input->n_children; i++) {
    const struct ArrowSchema *column = plan->input->children[i];
    SH_TRY(sh_schema_add_like(plan->call, added, sh_format(plan->call, "%s_again", column->name), column));
  }
  return sh_plan_output(plan, added);
}

static sh_status again(sh_call *call, const sh_batch *batch, sh_table *added) { return append_rows(call, added, 0, batch); }

STREAMHOST_MAP_COLUMNS(again, .plan = plan);
