/** The component: what the canonical ABI makes of the contract. Only compiled for WebAssembly. */
#ifndef STREAMHOST_ABI_H
#define STREAMHOST_ABI_H

#include "../core.h"

#define SH_IMPORT(interface, function) __attribute__((import_module("streamhost:plugin/" interface "@0.9.0"), import_name(function)))

/** A list or a string, as it lies in memory. */
typedef struct abi_list {
  const void *data;
  uint32_t size;
} abi_list;

/** The variant `failure`. */
typedef struct abi_failure {
  uint8_t kind;
  abi_list message;
} abi_failure;

/** A tuple of a name and bytes. */
typedef struct abi_named {
  abi_list name, bytes;
} abi_named;

/** The record `row-error`. */
typedef struct abi_row_error {
  uint32_t row;
  uint8_t disposition;
  abi_list message;
} abi_row_error;

/** The record `timer`. */
typedef struct abi_timer {
  uint32_t key;
  int64_t at;
} abi_timer;

/** Memory of the call that runs: what the host hands over, and what the call needs. */
extern sh_arena sh_abi_arena;
/** Where the host's next list goes. */
extern sh_arena *sh_abi_into;

/** A call of the host begins. */
sh_call *sh_abi_begin(void);
sh_call *sh_abi_context(SH_CONTEXT_PARAMETERS);
/** Tables are released; what the host is to read stays until the call's end. */
void *sh_abi_answer(sh_call *call, size_t size);
abi_list sh_abi_string(const char *text);
abi_list sh_abi_bytes(sh_bytes bytes);
abi_failure sh_abi_failure(const sh_call *call);
abi_list sh_abi_errors(sh_call *call);
abi_list sh_abi_sides(sh_call *call, const sh_named_bytes *sides, int64_t n);
/** The call fails as the host says. */
sh_status sh_abi_told(sh_call *call, const abi_failure *failure);

#endif
