/** The SDK within: what the host's calls and the tests' harness share. Everything crosses as bytes. */
#ifndef STREAMHOST_CORE_H
#define STREAMHOST_CORE_H

#include <streamhost.h>

/* Memory. */

/** Blocks that are freed together. */
typedef struct sh_arena {
  struct sh_block *blocks;
  size_t used;
} sh_arena;

void *sh_arena_alloc(sh_arena *arena, size_t size);
/** Frees all, and keeps one block of bearable size for the next call. */
void sh_arena_reset(sh_arena *arena);
void sh_arena_free(sh_arena *arena);

/** Bytes that grow. */
typedef struct sh_buffer {
  uint8_t *data;
  size_t size;
  size_t capacity;
} sh_buffer;

/** Room for so many bytes more, in an arena. */
uint8_t *sh_buffer_grow(sh_arena *arena, sh_buffer *buffer, size_t size);

/** Whether bytes are UTF-8, as every STRING is. */
bool sh_is_utf8(const uint8_t *bytes, int64_t n);

/* Calls. */

typedef struct sh_row_error {
  uint32_t row;
  /** How many were noted before it. */
  uint32_t order;
  bool retry;
  const char *message;
} sh_row_error;

/** Rows of a side output. */
typedef struct sh_side_rows {
  const char *name;
  sh_table *table;
} sh_side_rows;

typedef struct sh_internal {
  /** What sh_alloc gives; and what lasts for the whole call, which in a sink is longer. */
  sh_arena *arena, *whole;
  sh_failure failure;
  const char *message;
  /** The failure is the call's, even if a function over rows or keys passes it on. */
  bool whole_call;
  sh_row_error *errors;
  int64_t n_errors;
  int64_t most_errors;
  /** Which rows those of the batch are in the call: added to their numbers. */
  int64_t rows_before;
  sh_table *tables;
  /** Of a map: the rows to keep. */
  uint8_t *keep;
  int64_t batch_rows;
  sh_side_rows *sides;
  const struct sh_bound *bound;
} sh_internal;

/** A call begins: `call` is zeroed but for what the host says of the epoch. */
void sh_call_begin(sh_call *call, sh_internal *internal, sh_arena *arena);
/** Releases what is not in the arena. */
void sh_call_end(sh_call *call);
sh_status sh_vfail(sh_call *call, sh_failure kind, const char *format, va_list arguments);
/** Makes a failure of the call one of these rows, unless it is the call's own. */
bool sh_rows_failed(sh_call *call, int64_t first, int64_t n);
/** Sorts the errors by row, and leaves one of each. */
void sh_errors_settle(sh_internal *internal);

/** A time as people read it: 2025-03-01T12:00:00.123456Z. */
const char *sh_moment(sh_call *call, int64_t micros);

/* Schemas and messages. */

typedef struct sh_type {
  enum ArrowType type;
  int32_t width;
  int32_t precision;
  int32_t scale;
} sh_type;

/** A schema with the types of its fields looked up, depth first, the struct itself first. */
typedef struct sh_schema {
  struct ArrowSchema *arrow;
  const sh_type *types;
  int32_t n_types;
} sh_schema;

/** Reads a schema message. Fails if it has a type that the contract leaves out. The schema is released with ArrowSchemaRelease. */
sh_status sh_schema_read(sh_call *call, sh_bytes message, struct ArrowSchema *schema);
sh_status sh_schema_write(sh_call *call, const struct ArrowSchema *schema, sh_bytes *message);
/** Looks the types up. Fails if there is one that the contract leaves out. */
sh_status sh_schema_types(sh_call *call, struct ArrowSchema *arrow, sh_schema *schema);
/** A struct of the children of these numbers, copied. */
sh_status sh_schema_pick(sh_call *call, const struct ArrowSchema *from, const int32_t *columns, int32_t n, struct ArrowSchema *to);
/** Adds a child, without a type, to a struct. */
sh_status sh_schema_append(sh_call *call, struct ArrowSchema *parent, struct ArrowSchema **child);
int32_t sh_schema_index(const struct ArrowSchema *schema, const char *name);
/** Whether names and types are the same. */
bool sh_schema_alike(sh_call *call, const struct ArrowSchema *one, const struct ArrowSchema *other);

/** Reads columns as DDL into a struct. */
sh_status sh_ddl_parse(sh_call *call, const char *text, struct ArrowSchema *schema);
/** Reads one type. */
sh_status sh_ddl_type(sh_call *call, const char *text, struct ArrowSchema *schema);

/** Columns that a plugin reads: a name, and a type or none. */
typedef struct sh_wanted {
  const char *name;
  bool typed;
  struct ArrowSchema schema;
} sh_wanted;
sh_status sh_ddl_wanted(sh_call *call, const char *text, sh_wanted **wanted, int32_t *n);

/** Reads the first message, and moves `messages` behind it. */
sh_status sh_ipc_read(sh_call *call, const sh_schema *schema, sh_bytes *messages, sh_batch *batch);
/** Reads the only message; none is a batch without rows. */
sh_status sh_ipc_read_one(sh_call *call, const sh_schema *schema, sh_bytes messages, sh_batch *batch);
/** A batch without rows. */
sh_status sh_ipc_empty(sh_call *call, const sh_schema *schema, sh_batch *batch);
/** Adds the message of rows: a struct's array of these types. */
sh_status sh_ipc_write(sh_call *call, const sh_schema *schema, const struct ArrowArray *array, int64_t rows, sh_buffer *out);

/** Ends the building of a table, and checks that its columns are whole. The number of its rows. */
sh_status sh_table_finish(sh_table *table, const char *what, int64_t *rows);
/** Adds the message of a table, if it has rows or `always`. */
sh_status sh_table_write(sh_table *table, const char *what, const sh_schema *schema, bool always, sh_buffer *out);
void sh_table_release(sh_table *table);
/** Empties a table. */
sh_status sh_table_clear(sh_table *table);
/** Forgets what was put for a row that is not ended. */
void sh_table_forget_row(sh_table *table);
/** Leaves the rows out whose bit is not set, of a table that was filled row by row. */
sh_status sh_table_filter(sh_table *table, const uint8_t *keep);

/** Rows of a table that are to be left out after all: those that a function added before it failed. */
typedef struct sh_drops {
  int64_t (*ranges)[2];
  int64_t n, most;
} sh_drops;

void sh_drop(sh_call *call, sh_drops *drops, int64_t from, int64_t to);
sh_status sh_drops_apply(sh_table *table, const sh_drops *drops);

/* Configuration. */

/** Reads a length of time as in a pipeline file: `200ms`, `90s`, `10 minutes`, `1h 30m`. */
sh_status sh_interval(sh_call *call, const char *text, int64_t *micros);

sh_status sh_config_parse(sh_call *call, const sh_field *fields, size_t size, sh_text json, const void **config);
const char *sh_config_schema(sh_call *call, const sh_field *fields);

/* Plugins. */

typedef struct sh_named_schema {
  const char *name;
  sh_schema schema;
} sh_named_schema;

/** A table of a keyed plugin that was bound. */
typedef struct sh_bound_table {
  const char *name;
  sh_table_kind kind;
  int32_t n_second;
  /** With the row of the key as the first column: an entry, and an entry without its value. */
  sh_schema entry, place;
  /** The second key, the value, both. */
  sh_schema second, value, columns;
  int64_t ttl_ms;
  uint32_t version;
} sh_bound_table;

typedef struct sh_bound_function {
  const sh_function *function;
  sh_schema arguments, returns;
} sh_bound_function;

typedef enum sh_output_kind { SH_OUT_ROWS, SH_OUT_COLUMNS, SH_OUT_NOTHING } sh_output_kind;

struct sh_owned;

/** What a plugin and the host have agreed on. */
typedef struct sh_bound {
  const sh_plugin *plugin;
  sh_arena arena;
  struct sh_owned *owned;
  const void *config;
  void *prepared;
  bool has_reads;
  int32_t n_reads;
  const char **read_names;
  /** Of each column that is read: whether a null is a row's error. */
  bool *not_null;
  sh_schema reads, keys, output;
  sh_output_kind output_kind;
  int32_t n_sides;
  sh_named_schema *sides;
  int32_t n_tables;
  sh_bound_table *tables;
  int32_t n_functions;
  sh_bound_function *functions;
} sh_bound;

/** The plugin that is bound, or NULL. */
extern sh_bound *sh_the_bound;

/** How a role is carried out: its own part of `bind`. */
struct sh_way {
  sh_status (*bind)(sh_call *call, sh_bound *bound);
};

const sh_plugin *sh_plugin_of(sh_role role);
const sh_plugin *sh_any_plugin(void);
const char *sh_plugin_name(const sh_plugin *plugin);
const char *sh_plugin_version(const sh_plugin *plugin);
const char *sh_plugin_summary(const sh_plugin *plugin);

typedef struct sh_texts {
  const sh_text *items;
  int64_t n;
} sh_texts;

/** Binds. Failures are told as those of `bind`: nothing is permanent there. */
sh_status sh_bind(sh_call *call, uint32_t role, sh_text config, sh_bytes input, sh_texts keys);
void sh_unbind(void);
/** Makes `call` one of the plugin that is bound. Fails if none is. */
sh_status sh_enter(sh_call *call);
const char *sh_null_message(sh_call *call, const sh_batch *batch, const bool *not_null, int64_t row);

typedef enum sh_main { SH_REPLACE, SH_KEEP, SH_EXTEND, SH_KEEP_EXTEND } sh_main;

typedef struct sh_named_bytes {
  const char *name;
  sh_bytes bytes;
} sh_named_bytes;

/** What a call for rows answers. */
typedef struct sh_outcome {
  sh_main main;
  sh_bytes keep;
  sh_bytes messages;
  sh_named_bytes *side;
  int64_t n_side;
} sh_outcome;

sh_status sh_process(sh_call *call, sh_bytes messages, sh_outcome *outcome);
/** Writes the side outputs that have rows. */
sh_status sh_sides_write(sh_call *call, sh_outcome *outcome);

sh_status sh_keyed_process(sh_call *call, sh_bytes keys, const uint32_t *starts, int64_t n_starts, sh_bytes rows, bool more, sh_outcome *outcome);
sh_status sh_keyed_fired(sh_call *call, sh_clock clock, sh_bytes keys, const sh_timer *timers, int64_t n, sh_outcome *outcome);
sh_status sh_keyed_migrate(sh_call *call, sh_text table, uint32_t version, sh_bytes before, sh_bytes entries, sh_bytes *now);
sh_status sh_keys_process(sh_call *call, const sh_groups *groups, sh_table *out);
sh_status sh_keys_fired(sh_call *call, const sh_fired *fired, sh_table *out);
const sh_bound_table *sh_table_named(sh_call *call, const char *name);

sh_status sh_store(sh_call *call);
sh_status sh_function_call(sh_call *call, sh_text name, sh_bytes arguments, sh_bytes *results);

/* The host: imports of the component; in a native test, the harness. What it refuses fails the call. */

typedef enum sh_table_change { SH_CHANGE_PUT, SH_CHANGE_APPEND, SH_CHANGE_REMOVE_FOUND } sh_table_change;
typedef enum sh_timer_change { SH_TIMERS_SET, SH_TIMERS_CLEAR } sh_timer_change;

void sh_host_log(sh_level level, sh_text message);
void sh_host_counter(sh_text name, uint64_t add);
void sh_host_gauge(sh_text name, double value);
/** Writes why it all ends, and ends it. */
SH_NORETURN void sh_host_panic(sh_text message);
/** The epoch's next batch; `data` is NULL at its end. In memory of the call. */
sh_bytes sh_host_next(sh_call *call);
sh_status sh_host_write(sh_call *call, const char *output, sh_bytes rows);
sh_status sh_host_execute(sh_call *call, const char *output, const char *statement, sh_bytes schema, sh_bytes rows, uint64_t *changed);
sh_status sh_host_get(sh_call *call, const char *table, const uint32_t *keys, int64_t n, sh_bytes *entries);
sh_status sh_host_find(sh_call *call, const char *table, sh_bytes places, sh_bytes *entries);
sh_status sh_host_change(sh_call *call, const char *table, sh_table_change change, sh_bytes entries);
sh_status sh_host_remove(sh_call *call, const char *table, const uint32_t *keys, int64_t n);
sh_status sh_host_timers(sh_call *call, sh_timer_change change, sh_clock clock, const sh_timer *timers, int64_t n);
sh_status sh_host_clear_timers_of(sh_call *call, sh_clock clock, const uint32_t *keys, int64_t n);

#endif
