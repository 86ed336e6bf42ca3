// Gives back each row that comes in, made anew from its values.

#include "values.h"

static sh_status plan(sh_plan *plan) { return sh_plan_output(plan, plan->input); }

static sh_status echo(sh_call *call, const sh_batch *batch, sh_table *out) { return append_rows(call, out, 0, batch); }

STREAMHOST_TRANSFORM_COLUMNS(echo, .plan = plan);
