/** Runs a plugin natively over the cases in its folder: no WebAssembly, no host, the same bytes between. */
#ifndef STREAMHOST_TESTING_H
#define STREAMHOST_TESTING_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Runs each `tests/<case>.toml` of a plugin's folder, and tells of each on standard output. Answers how many failed, and 1 if there is none.
 *
 * The library has a `main` that does this for the folder that is its first argument; a program with a `main` of its own may call it.
 */
int sh_run_cases(const char *folder);

/** How many rows a call of a keyed plugin has at most; 8,192 at first. A key with more comes in several calls. */
void sh_batch_rows(int64_t rows);

#ifdef __cplusplus
}
#endif
#endif
