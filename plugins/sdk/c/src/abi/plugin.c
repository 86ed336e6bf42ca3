#include "abi.h"

typedef struct abi_description {
  abi_list name, version, summary, config_schema;
  uint8_t deterministic;
  abi_list asks;
} abi_description;

typedef struct abi_binding {
  uint8_t has_reads;
  abi_list reads;
  uint8_t output;
  abi_list schema;
  abi_list side;
} abi_binding;

typedef struct abi_bound {
  uint8_t failed;
  union {
    abi_binding binding;
    abi_failure failure;
  } as;
} abi_bound;

static abi_list strings(sh_call *call, const char *const *texts, int64_t n) {
  abi_list *list = (abi_list *)sh_alloc(call, (size_t)n * sizeof *list);
  for (int64_t i = 0; i < n; i++) list[i] = sh_abi_string(texts[i]);
  return (abi_list){list, (uint32_t)n};
}

__attribute__((export_name("streamhost:plugin/plugin@0.9.0#describe"))) uint32_t sh_export_describe(void) {
  sh_call *call = sh_abi_begin();
  const sh_plugin *plugin = sh_any_plugin();
  int64_t asks = 0;
  while (plugin->asks && plugin->asks[asks]) asks++;
  abi_description *answer = (abi_description *)sh_abi_answer(call, sizeof *answer);
  answer->name = sh_abi_string(sh_plugin_name(plugin));
  answer->version = sh_abi_string(sh_plugin_version(plugin));
  answer->summary = sh_abi_string(sh_plugin_summary(plugin));
  answer->config_schema = sh_abi_string(sh_config_schema(call, plugin->config));
  answer->deterministic = !plugin->changing;
  answer->asks = strings(call, plugin->asks, asks);
  return (uint32_t)answer;
}

__attribute__((export_name("cabi_post_streamhost:plugin/plugin@0.9.0#describe"))) void sh_post_describe(uint32_t answer) { sh_abi_end(answer); }

static sh_status answer_binding(sh_call *call, abi_binding *to) {
  const sh_bound *bound = sh_the_bound;
  sh_bytes schema = {0};
  if (bound->output_kind != SH_OUT_NOTHING) SH_TRY(sh_schema_write(call, bound->output.arrow, &schema));
  sh_named_bytes *sides = (sh_named_bytes *)sh_alloc(call, (size_t)bound->n_sides * sizeof *sides);
  for (int32_t i = 0; i < bound->n_sides; i++) {
    sides[i].name = bound->sides[i].name;
    SH_TRY(sh_schema_write(call, bound->sides[i].schema.arrow, &sides[i].bytes));
  }
  to->has_reads = bound->has_reads;
  to->reads = strings(call, bound->read_names, bound->n_reads);
  to->output = (uint8_t)bound->output_kind;
  to->schema = sh_abi_bytes(schema);
  to->side = sh_abi_sides(call, sides, bound->n_sides);
  return SH_OK;
}

__attribute__((export_name("streamhost:plugin/plugin@0.9.0#bind"))) uint32_t sh_export_bind(uint32_t role, uint32_t config, uint32_t config_size,
                                                                                            uint32_t input, uint32_t input_size, uint32_t keys,
                                                                                            uint32_t n_keys) {
  sh_call *call = sh_abi_begin();
  const abi_list *given = (const abi_list *)keys;
  sh_text *names = (sh_text *)sh_alloc(call, n_keys * sizeof *names);
  for (uint32_t i = 0; i < n_keys; i++) names[i] = (sh_text){(const char *)given[i].data, given[i].size};
  sh_text json = {(const char *)config, config_size};
  sh_status bound = sh_bind(call, role, json, (sh_bytes){(const uint8_t *)input, input_size}, (sh_texts){names, n_keys});
  abi_bound *answer = (abi_bound *)sh_abi_answer(call, sizeof *answer);
  if (bound == SH_OK) bound = answer_binding(call, &answer->as.binding);
  if (bound != SH_OK) *answer = (abi_bound){1, {.failure = sh_abi_failure(call)}};
  return (uint32_t)answer;
}

__attribute__((export_name("cabi_post_streamhost:plugin/plugin@0.9.0#bind"))) void sh_post_bind(uint32_t answer) { sh_abi_end(answer); }
