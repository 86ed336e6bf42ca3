#include "plan.h"

#include <stdlib.h>
#include <string.h>

sh_bound *sh_the_bound;

static const sh_plugin *plugins[4];

/** What the build says of the project. */
extern const char *const streamhost_project[3];

void sh_register(const sh_plugin *plugin) {
  if (plugin->role <= SH_ROLE_FUNCTIONS) plugins[plugin->role] = plugin;
}

const sh_plugin *sh_plugin_of(sh_role role) { return role <= SH_ROLE_FUNCTIONS ? plugins[role] : NULL; }

const sh_plugin *sh_any_plugin(void) {
  for (int role = 0; role < 4; role++) {
    if (plugins[role]) return plugins[role];
  }
  sh_panic(__FILE__, __LINE__, "there is no plugin: say STREAMHOST_FILTER or the like in one of its sources");
}

const char *sh_plugin_name(const sh_plugin *plugin) { return plugin->name ? plugin->name : streamhost_project[0]; }

const char *sh_plugin_version(const sh_plugin *plugin) { return plugin->version ? plugin->version : streamhost_project[1]; }

const char *sh_plugin_summary(const sh_plugin *plugin) { return plugin->summary ? plugin->summary : streamhost_project[2]; }

static void release(struct ArrowSchema *schema) {
  if (schema && schema->release) ArrowSchemaRelease(schema);
}

void sh_unbind(void) {
  sh_bound *bound = sh_the_bound;
  if (!bound) return;
  sh_the_bound = NULL;
  // Schemas are Arrow's own memory; whatever refers to them is in the arena.
  for (sh_owned *owned = bound->owned, *next; owned; owned = next) {
    next = owned->next;
    release(&owned->schema);
  }
  sh_arena_free(&bound->arena);
  free(bound);
}

struct ArrowSchema *sh_own_schema(sh_bound *bound) {
  sh_owned *owned = (sh_owned *)sh_arena_alloc(&bound->arena, sizeof *owned);
  memset(owned, 0, sizeof *owned);
  owned->next = bound->owned;
  bound->owned = owned;
  return &owned->schema;
}

static const char *role_help(sh_role role) {
  static const char *const help[] = {"works on rows, and has no other role: put it under [steps], without `keys`",
                                     "keeps state for each key, and has no other role: give its step `keys`",
                                     "stores epochs, and has no other role: put it under [sinks]",
                                     "has functions for SQL, and no other role: put it under [functions]"};
  return help[role];
}

static sh_status bind(sh_call *call, sh_bound *bound, uint32_t role, sh_text config, sh_bytes input, sh_texts keys) {
  const sh_plugin *plugin = role < 4 ? plugins[role] : NULL;
  if (!plugin) {
    const sh_plugin *other = sh_any_plugin();
    return sh_invalid(call, "`%s` %s", sh_plugin_name(other), role_help(other->role));
  }
  bound->plugin = plugin;
  if (plugin->role == SH_ROLE_KEYED && keys.n == 0) {
    return sh_invalid(call, "`%s` keeps state for each key: name the key's columns, as in keys = [\"user_id\"]", sh_plugin_name(plugin));
  }
  SH_TRY(sh_config_parse(call, plugin->config, plugin->config_size, config, &bound->config));
  call->config = bound->config;
  struct ArrowSchema *given = sh_own_schema(bound);
  SH_TRY(sh_schema_read(call, input, given));
  SH_TRY(sh_plan_run(call, bound, given, keys));
  return plugin->way->bind(call, bound);
}

sh_status sh_bind(sh_call *call, uint32_t role, sh_text config, sh_bytes input, sh_texts keys) {
  sh_unbind();
  sh_bound *bound = (sh_bound *)calloc(1, sizeof *bound);
  if (!bound) sh_panic(__FILE__, __LINE__, "there is no memory for a plugin");
  sh_arena *arena = call->internal->arena;
  sh_the_bound = bound;
  // What is made here lives as long as the plugin is bound; the answer of the call does not.
  call->internal->arena = call->internal->whole = &bound->arena;
  call->internal->bound = bound;
  sh_status done = bind(call, bound, role, config, input, keys);
  if (done == SH_OK) done = sh_done(call);
  sh_call_end(call);
  call->internal->arena = call->internal->whole = arena;
  bound->prepared = call->prepared;
  if (done == SH_OK) return SH_OK;
  // No batch is to blame.
  if (call->internal->failure != SH_TRANSIENT) call->internal->failure = SH_INVALID;
  call->internal->message = sh_format(call, "%s", call->internal->message ? call->internal->message : "it failed without a message");
  sh_unbind();
  return SH_FAILED;
}

sh_status sh_enter(sh_call *call) {
  if (!sh_the_bound) return sh_permanent(call, "a call came before `bind`");
  call->internal->bound = sh_the_bound;
  call->config = sh_the_bound->config;
  call->prepared = sh_the_bound->prepared;
  return SH_OK;
}

const char *sh_null_message(sh_call *call, const sh_batch *batch, const bool *not_null, int64_t row) {
  for (int32_t i = 0; i < batch->n_columns; i++) {
    if (not_null[i] && sh_is_null(&batch->columns[i], row)) return sh_format(call, "`%s` is null", batch->columns[i].name);
  }
  return NULL;
}
