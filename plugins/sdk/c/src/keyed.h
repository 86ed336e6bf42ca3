/** Plugins with state. */
#ifndef STREAMHOST_KEYED_H
#define STREAMHOST_KEYED_H

#include "plan.h"

/** Reads entries of a table. */
sh_status sh_entries_read(sh_call *call, const sh_bound_table *table, sh_bytes messages, sh_entries *entries);

#endif
