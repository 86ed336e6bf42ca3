/**
 * The SDK of streamhost's plugins in C: see README.md beside this folder.
 *
 * A plugin is functions and one of the macros in streamhost/plugin.h. Columns are Arrow's C data interface, read through sh_column and
 * written through sh_table.
 */
#ifndef STREAMHOST_H
#define STREAMHOST_H

#include "streamhost/base.h"
#include "streamhost/column.h"
#include "streamhost/config.h"
#include "streamhost/plugin.h"
#include "streamhost/row.h"
#include "streamhost/sink.h"
#include "streamhost/state.h"
#include "streamhost/table.h"

#endif
