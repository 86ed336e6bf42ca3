/** The functions that the host calls, of each role: there are those of the macros that a plugin uses. Natively there are none. */
#ifndef STREAMHOST_EXPORTS_H
#define STREAMHOST_EXPORTS_H

#ifdef __wasm__

#ifdef __cplusplus
#define SH_EXTERN extern "C"
#else
#define SH_EXTERN extern
#endif

/* What the canonical ABI makes of a `context`. */
#define SH_CONTEXT_PARAMETERS \
  uint32_t query, uint32_t query_size, uint64_t epoch, uint32_t partition, uint32_t attempt, uint32_t has_watermark, int64_t watermark, int64_t now
#define SH_CONTEXT_ARGUMENTS query, query_size, epoch, partition, attempt, has_watermark, watermark, now

#define SH_EXPORT_(interface, function, unique, parameters, arguments)                                                                         \
  SH_EXTERN uint32_t sh_abi_##unique parameters;                                                                                               \
  SH_EXTERN __attribute__((export_name("streamhost:plugin/" interface "@0.9.0#" function))) uint32_t sh_export_##unique parameters {           \
    return sh_abi_##unique arguments;                                                                                                          \
  }                                                                                                                                            \
  SH_EXTERN __attribute__((export_name("cabi_post_streamhost:plugin/" interface "@0.9.0#" function))) void sh_post_##unique(uint32_t answer) { \
    sh_abi_end(answer);                                                                                                                        \
  }

SH_EXTERN void sh_abi_end(uint32_t answer);

#define SH_EXPORTS_TRANSFORM                                                                                  \
  SH_EXPORT_("transform", "process", transform, (SH_CONTEXT_PARAMETERS, uint32_t batch, uint32_t batch_size), \
             (SH_CONTEXT_ARGUMENTS, batch, batch_size))

#define SH_EXPORTS_KEYED                                                                                                                       \
  SH_EXPORT_("keyed", "tables", tables, (void), ())                                                                                            \
  SH_EXPORT_("keyed", "process", keyed,                                                                                                        \
             (SH_CONTEXT_PARAMETERS, uint32_t keys, uint32_t keys_size, uint32_t starts, uint32_t n_starts, uint32_t rows, uint32_t rows_size, \
              uint32_t more),                                                                                                                  \
             (SH_CONTEXT_ARGUMENTS, keys, keys_size, starts, n_starts, rows, rows_size, more))                                                 \
  SH_EXPORT_("keyed", "timers-fired", fired,                                                                                                   \
             (SH_CONTEXT_PARAMETERS, uint32_t clock, uint32_t keys, uint32_t keys_size, uint32_t timers, uint32_t n_timers),                   \
             (SH_CONTEXT_ARGUMENTS, clock, keys, keys_size, timers, n_timers))                                                                 \
  SH_EXPORT_(                                                                                                                                  \
      "keyed", "migrate", migrate,                                                                                                             \
      (uint32_t table, uint32_t table_size, uint32_t version, uint32_t before, uint32_t before_size, uint32_t entries, uint32_t entries_size), \
      (table, table_size, version, before, before_size, entries, entries_size))

#define SH_EXPORTS_SINK SH_EXPORT_("foreach-batch", "process", sink, (SH_CONTEXT_PARAMETERS), (SH_CONTEXT_ARGUMENTS))

#define SH_EXPORTS_FUNCTIONS                                                                                        \
  SH_EXPORT_("functions", "signatures", signatures, (void), ())                                                     \
  SH_EXPORT_("functions", "call", function, (uint32_t name, uint32_t name_size, uint32_t rows, uint32_t rows_size), \
             (name, name_size, rows, rows_size))

#else

#define SH_EXPORTS_TRANSFORM
#define SH_EXPORTS_KEYED
#define SH_EXPORTS_SINK
#define SH_EXPORTS_FUNCTIONS

#endif
#endif
