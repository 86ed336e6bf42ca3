/** What a plugin is: one of the macros at the end, once for each role that it has. */
#ifndef STREAMHOST_PLUGIN_H
#define STREAMHOST_PLUGIN_H

#include "config.h"
#include "row.h"
#include "sink.h"
#include "state.h"
#include "table.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sh_planned;

/** The plugin is being bound to a configuration and to the columns of its input: before there are rows, and again if the columns change. */
typedef struct sh_plan {
  /** Has the configuration. What `prepared` points to, and memory of sh_alloc, lives as long as the plugin is bound. */
  sh_call *call;
  /** The input's columns: a struct. */
  const struct ArrowSchema *input;
  /** The columns of the key, of a keyed plugin. */
  const struct ArrowSchema *keys;
  /** The SDK's own. */
  struct sh_planned *planned;
} sh_plan;

/** A column of the input, or NULL. */
const struct ArrowSchema *sh_input_column(const sh_plan *plan, const char *name);
/** The plugin reads this column of the input, after those it reads already. Fails if there is none. */
sh_status sh_plan_read(sh_plan *plan, const char *name);
/** What leaves: the added columns of a map, the rows of other plugins. */
sh_status sh_plan_output(sh_plan *plan, const struct ArrowSchema *columns);
/** A side output, or an output of a sink. */
sh_status sh_plan_side(sh_plan *plan, const char *name, const struct ArrowSchema *columns);
/** A table of a keyed plugin, after those of `tables`. */
sh_status sh_plan_table(sh_plan *plan, const char *name, sh_table_kind kind, const struct ArrowSchema *second, const struct ArrowSchema *value,
                        int64_t ttl_ms, uint32_t version);

/** An empty struct of columns, for the above. */
struct ArrowSchema *sh_schema_new(sh_call *call);
/** Adds a column of a type such as `ARRAY<INT>`. */
sh_status sh_schema_add(sh_call *call, struct ArrowSchema *schema, const char *name, const char *type);
/** Adds a column of the type of another one. */
sh_status sh_schema_add_like(sh_call *call, struct ArrowSchema *schema, const char *name, const struct ArrowSchema *like);

/** A function for SQL. An array of them ends with SH_END_FUNCTIONS. One of `row` and `columns` is there. */
typedef struct sh_function {
  /** Letters, digits, `_` and `-`. */
  const char *name;
  /** `amount DOUBLE NOT NULL, country STRING`. With NULL in an argument that is NOT NULL it is not called: the result is NULL. */
  const char *arguments;
  /** `DOUBLE` */
  const char *returns;
  /** Puts the result in column 0 of `result`; without it, it is NULL. */
  sh_status (*row)(const sh_row *arguments, sh_table *result);
  /** Fills column 0 of `result` with a value for each row. */
  sh_status (*columns)(sh_call *call, const sh_batch *arguments, sh_table *result);
  /** Not the same result for the same arguments. */
  bool changing;
} sh_function;

#define SH_END_FUNCTIONS {NULL, NULL, NULL, NULL, NULL, false}

/** What the host uses a component as. */
typedef enum sh_role { SH_ROLE_TRANSFORM, SH_ROLE_KEYED, SH_ROLE_BATCH_SINK, SH_ROLE_FUNCTIONS } sh_role;

/** The plugin in one role. Names are those of the project unless others are given. */
typedef struct sh_plugin {
  sh_role role;
  const char *name;
  const char *version;
  const char *summary;
  /** The columns that it reads, in its own order: `user_id, value DOUBLE NOT NULL`. With a type, another one is refused that is not narrower; a row with NULL
   * in one that is NOT NULL is in error. NULL: all columns. */
  const char *reads;
  /** What leaves: the columns that a map adds, those of the rows of a transform or a keyed plugin. */
  const char *columns;
  /** Side outputs, or the outputs of a sink. */
  const sh_output *outputs;
  /** Says what depends on the configuration or the input. */
  sh_status (*plan)(sh_plan *plan);
  /** The keys of the configuration, and the size of its struct. */
  const sh_field *config;
  size_t config_size;
  /** Not the same bytes for the same rows. */
  bool changing;
  /** Capabilities that it wants, then NULL. */
  const char *const *asks;

  /** Whether a row is kept. */
  bool (*filter_row)(const sh_row *row);
  /** Sets the bits of the rows to keep; none is set before. */
  sh_status (*filter)(sh_call *call, const sh_batch *batch, uint8_t *keep);
  /** Puts the added columns of a row, and answers whether it is kept. */
  bool (*map_row)(const sh_row *row, sh_table *added);
  /** Fills the added columns: of all rows, or of those kept if it asks for sh_keep. */
  sh_status (*map)(sh_call *call, const sh_batch *batch, sh_table *added);
  /** Adds what a row becomes. */
  sh_status (*transform_row)(const sh_row *row, sh_table *out);
  /** Adds what a batch becomes, without its rows in error. */
  sh_status (*transform)(sh_call *call, const sh_batch *batch, sh_table *out);

  /** The tables of a keyed plugin. */
  const sh_state_table *tables;
  /** Works on a timer that has fired. If it fails, the timer is in error. */
  sh_status (*key_fired)(sh_group *group, sh_table *out);
  /** The same for all keys of a call. */
  sh_status (*keys_fired)(sh_call *call, const sh_fired *fired, sh_table *out);
  /** Makes entries of an older version those of now: as many rows, in their order. */
  sh_status (*migrate)(sh_call *call, const sh_before *before, sh_table *now);
  /** Works on a key's rows. If it fails, they are in error, and the key's state is as before. */
  sh_status (*key)(sh_group *group, sh_table *out);
  /** The same for all keys of a call; then the call fails if it does. */
  sh_status (*keys)(sh_call *call, const sh_groups *groups, sh_table *out);

  /** Stores an epoch. */
  sh_status (*store)(sh_call *call);

  const sh_function *functions;

  /** The SDK's own: how the role is carried out. */
  const struct sh_way *way;
} sh_plugin;

/** The bitmap of a `map` that drops rows: no bit is set at first. */
uint8_t *sh_keep(sh_call *call);
/** A side output of a transform or a keyed plugin: rows added to it leave there. NULL, and the call fails, if it was not named. */
sh_table *sh_side(sh_call *call, const char *name);

extern const struct sh_way sh_way_transform, sh_way_keyed, sh_way_sink, sh_way_functions;
void sh_register(const sh_plugin *plugin);

#define SH_JOIN_(a, b) a##b
#define SH_JOIN(a, b) SH_JOIN_(a, b)
#define SH_PLUGIN_(unique, ...)                                                                                               \
  static const sh_plugin SH_JOIN(sh_plugin_, unique) = {__VA_ARGS__};                                                         \
  __attribute__((constructor)) static void SH_JOIN(sh_register_, unique)(void) { sh_register(&SH_JOIN(sh_plugin_, unique)); } \
  _Static_assert(1, "a semicolon follows")
#ifdef __cplusplus
#undef SH_PLUGIN_
#define SH_PLUGIN_(unique, ...)                                                                                               \
  static const sh_plugin SH_JOIN(sh_plugin_, unique) = {__VA_ARGS__};                                                         \
  __attribute__((constructor)) static void SH_JOIN(sh_register_, unique)(void) { sh_register(&SH_JOIN(sh_plugin_, unique)); } \
  static_assert(true, "a semicolon follows")
#endif

#define SH_TRANSFORM_(...) \
  SH_EXPORTS_TRANSFORM     \
  SH_PLUGIN_(transform, .role = SH_ROLE_TRANSFORM, __VA_ARGS__, .way = &sh_way_transform)

/* A field that is given twice counts as it is given last; those of a macro's own come in the order of the struct for C++. */

/** Keeps rows: `bool function(const sh_row *)`. Then fields of sh_plugin: `STREAMHOST_FILTER(keep, .reads = "value DOUBLE");` */
#define STREAMHOST_FILTER(function, ...) SH_TRANSFORM_(__VA_ARGS__, .filter_row = function)
/** Keeps rows, by columns: `sh_status function(sh_call *, const sh_batch *, uint8_t *keep)`. */
#define STREAMHOST_FILTER_COLUMNS(function, ...) SH_TRANSFORM_(__VA_ARGS__, .filter = function)
/** Adds columns: `bool function(const sh_row *, sh_table *added)`, with `.columns`. */
#define STREAMHOST_MAP(function, ...) SH_TRANSFORM_(__VA_ARGS__, .map_row = function)
/** Adds columns, by columns: `sh_status function(sh_call *, const sh_batch *, sh_table *added)`. */
#define STREAMHOST_MAP_COLUMNS(function, ...) SH_TRANSFORM_(__VA_ARGS__, .map = function)
/** Makes rows: `sh_status function(const sh_row *, sh_table *out)`, with `.columns`. */
#define STREAMHOST_TRANSFORM(function, ...) SH_TRANSFORM_(__VA_ARGS__, .transform_row = function)
/** Makes rows, by columns: `sh_status function(sh_call *, const sh_batch *, sh_table *out)`. */
#define STREAMHOST_TRANSFORM_COLUMNS(function, ...) SH_TRANSFORM_(__VA_ARGS__, .transform = function)

/** Works on the rows and the state of each key: `sh_status function(sh_group *, sh_table *out)`. */
#define STREAMHOST_KEYED(function, ...) \
  SH_EXPORTS_KEYED                      \
  SH_PLUGIN_(keyed, .role = SH_ROLE_KEYED, __VA_ARGS__, .key = function, .way = &sh_way_keyed)
/** Works on all keys of a call: `sh_status function(sh_call *, const sh_groups *, sh_table *out)`. */
#define STREAMHOST_KEYED_COLUMNS(function, ...) \
  SH_EXPORTS_KEYED                              \
  SH_PLUGIN_(keyed, .role = SH_ROLE_KEYED, __VA_ARGS__, .keys = function, .way = &sh_way_keyed)

/** Stores epochs: `sh_status function(sh_call *)`. */
#define STREAMHOST_BATCH_SINK(function, ...) \
  SH_EXPORTS_SINK                            \
  SH_PLUGIN_(sink, .role = SH_ROLE_BATCH_SINK, __VA_ARGS__, .store = function, .way = &sh_way_sink)

/** Functions for SQL: an array of sh_function. Fields may follow: `STREAMHOST_FUNCTIONS(all, .config = fields, …)`. */
#define STREAMHOST_FUNCTIONS(array, ...) \
  SH_EXPORTS_FUNCTIONS                   \
  SH_PLUGIN_(functions, .role = SH_ROLE_FUNCTIONS, __VA_ARGS__ __VA_OPT__(, ).functions = array, .way = &sh_way_functions)

#ifdef __cplusplus
}
#endif

#include "exports.h"

#endif
