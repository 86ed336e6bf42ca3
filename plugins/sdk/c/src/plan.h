/** Binding: what a plugin says that it reads and gives. */
#ifndef STREAMHOST_PLAN_H
#define STREAMHOST_PLAN_H

#include "core.h"

/** A schema that lives as long as the plugin is bound. */
typedef struct sh_owned {
  struct ArrowSchema schema;
  struct sh_owned *next;
} sh_owned;

/** An empty schema, to be filled. */
struct ArrowSchema *sh_own_schema(sh_bound *bound);
/** Reads what the plugin's fields say, asks its `plan`, and picks the columns that it reads. */
sh_status sh_plan_run(sh_call *call, sh_bound *bound, struct ArrowSchema *input, sh_texts keys);
/** Adds a table to a keyed plugin. */
sh_status sh_bound_table_add(sh_call *call, sh_bound *bound, const char *name, sh_table_kind kind, const struct ArrowSchema *second,
                             const struct ArrowSchema *value, int64_t ttl_ms, uint32_t version);
/** A copy each of whose columns may be null: what an empty batch shows says nothing of later ones. */
sh_status sh_nullable(sh_call *call, sh_bound *bound, const struct ArrowSchema *columns, sh_schema *schema);
/** An owned copy. */
sh_status sh_owned_copy(sh_call *call, sh_bound *bound, const struct ArrowSchema *from, struct ArrowSchema **to);

#endif
