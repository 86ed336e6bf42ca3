/** Calls, errors, memory, the log and metrics. */
#ifndef STREAMHOST_BASE_H
#define STREAMHOST_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nanoarrow/nanoarrow.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SH_NORETURN __attribute__((noreturn))
#define SH_PRINTF(text, first) __attribute__((format(printf, text, first)))

/** Whether a function did what it should. If not, the call knows why: pass SH_FAILED on. */
typedef enum sh_status { SH_OK = 0, SH_FAILED = 1 } sh_status;

/** Returns from the function around it if what is called failed. */
#define SH_TRY(call)                       \
  do {                                     \
    if ((call) != SH_OK) return SH_FAILED; \
  } while (0)

/** Text that need not end with a zero. */
typedef struct sh_text {
  const char *data;
  int64_t size;
} sh_text;

/** Bytes that somebody else owns. */
typedef struct sh_bytes {
  const uint8_t *data;
  size_t size;
} sh_bytes;

/** What went wrong, by who can do something about it. */
typedef enum sh_failure {
  SH_NONE,
  /** Wrong configuration or input: the pipeline does not start. */
  SH_INVALID,
  /** The same may pass later: the host tries again, as the pipeline says. */
  SH_TRANSIENT,
  /** The same can never pass. */
  SH_PERMANENT
} sh_failure;

struct sh_internal;

/** One call of the host: what it knows of the epoch, and what is collected for the answer. */
typedef struct sh_call {
  /** The configuration: the struct that the plugin's `config` fields describe. NULL if it has none. */
  const void *config;
  /** What `prepare` made of the configuration when the plugin was bound. */
  void *prepared;
  const char *query;
  uint64_t epoch;
  uint32_t partition;
  /** 0 on the first try of the epoch, higher on a replay. */
  uint32_t attempt;
  bool has_watermark;
  /** Microseconds since 1970. */
  int64_t watermark;
  /** Processing time in microseconds since 1970, the same on a replay. The only clock. */
  int64_t now;
  /** The SDK's own. */
  struct sh_internal *internal;
} sh_call;

/** The call fails with a message. Always SH_FAILED, so that `return sh_permanent(call, "…")` is all there is to say. */
sh_status sh_invalid(sh_call *call, const char *format, ...) SH_PRINTF(2, 3);
sh_status sh_transient(sh_call *call, const char *format, ...) SH_PRINTF(2, 3);
sh_status sh_permanent(sh_call *call, const char *format, ...) SH_PRINTF(2, 3);
/** The same with the kind as a value. */
sh_status sh_fail(sh_call *call, sh_failure kind, const char *format, ...) SH_PRINTF(3, 4);
/** Puts what was being done before the message of a call that failed: "doing: message". */
sh_status sh_while(sh_call *call, const char *format, ...) SH_PRINTF(2, 3);
/** SH_OK for NANOARROW_OK; otherwise the call fails with nanoarrow's message. `error` may be NULL. */
sh_status sh_arrow(sh_call *call, int code, const struct ArrowError *error);

/** A row of the batch is in error; the others go on. The pipeline decides what becomes of it. */
void sh_reject(sh_call *call, int64_t row, const char *format, ...) SH_PRINTF(3, 4);
/** The same of a row that may pass later. */
void sh_retry(sh_call *call, int64_t row, const char *format, ...) SH_PRINTF(3, 4);

/** Memory until the end of the call; of a sink until the next batch. Aligned to 16 bytes, not zeroed, never NULL: a plugin that asks for more than there
 * is ends with a message. */
void *sh_alloc(sh_call *call, size_t size);
/** A formatted text in such memory. */
char *sh_format(sh_call *call, const char *format, ...) SH_PRINTF(2, 3);
/** The shortest text that reads as this number again, in such memory. */
const char *sh_number_text(sh_call *call, double value);

typedef enum sh_level { SH_TRACE, SH_DEBUG, SH_INFO, SH_WARN, SH_ERROR } sh_level;

/** A line in the host's log; in a native test, on standard error. */
void sh_log(sh_level level, const char *format, ...) SH_PRINTF(2, 3);
/** Adds to a number that only rises, such as `words_total`. In a native test it goes nowhere. */
void sh_counter(const char *name, uint64_t add);
/** Sets a number that rises and falls. */
void sh_gauge(const char *name, double value);

/** Ends the instance: the message is in the host's failure. `assert` of <assert.h> ends here too. */
SH_NORETURN void sh_panic(const char *file, int line, const char *format, ...) SH_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
