/** Arrow's IPC messages, as the contract has them: uncompressed record batches of a schema that both sides know. Columns are slices of the
 * message that they came in, and nothing is reserved that a message only claims. */
#ifndef STREAMHOST_IPC_H
#define STREAMHOST_IPC_H

#include "core.h"

/** Precedes the length of every message. */
#define SH_CONTINUATION 0xffffffffu
/** Bodies and their buffers start at multiples of it. */
#define SH_ALIGNMENT 64

static inline size_t sh_padded(size_t size) { return (size + SH_ALIGNMENT - 1) & ~(size_t)(SH_ALIGNMENT - 1); }

#endif
