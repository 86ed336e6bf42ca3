#include "ipc.h"

#include <string.h>

#include <nanoarrow/nanoarrow_ipc.h>

static sh_status decode(sh_call *call, sh_bytes message, struct ArrowSchema *schema) {
  struct ArrowError error = {{0}};
  struct ArrowIpcDecoder decoder;
  SH_TRY(sh_arrow(call, ArrowIpcDecoderInit(&decoder), NULL));
  struct ArrowBufferView view = {.data = {.data = message.data}, .size_bytes = (int64_t)message.size};
  int code = ArrowIpcDecoderVerifyHeader(&decoder, view, &error);
  if (code == NANOARROW_OK) code = ArrowIpcDecoderDecodeHeader(&decoder, view, &error);
  if (code == NANOARROW_OK && decoder.message_type != NANOARROW_IPC_MESSAGE_TYPE_SCHEMA) {
    code = EINVAL;
    ArrowErrorSet(&error, "a message that is no schema");
  }
  if (code == NANOARROW_OK) code = ArrowIpcDecoderDecodeSchema(&decoder, schema, &error);
  ArrowIpcDecoderReset(&decoder);
  return sh_arrow(call, code, &error);
}

sh_status sh_schema_read(sh_call *call, sh_bytes message, struct ArrowSchema *schema) {
  schema->release = NULL;
  if (decode(call, message, schema) == SH_OK) return SH_OK;
  return sh_while(call, "the input's schema");
}

sh_status sh_schema_write(sh_call *call, const struct ArrowSchema *schema, sh_bytes *message) {
  struct ArrowError error = {{0}};
  struct ArrowIpcEncoder encoder;
  struct ArrowBuffer header;
  ArrowBufferInit(&header);
  SH_TRY(sh_arrow(call, ArrowIpcEncoderInit(&encoder), NULL));
  int code = ArrowIpcEncoderEncodeSchema(&encoder, schema, &error);
  if (code == NANOARROW_OK) code = ArrowIpcEncoderFinalizeBuffer(&encoder, 1, &header);
  if (code == NANOARROW_OK) {
    uint8_t *copy = (uint8_t *)sh_alloc(call, (size_t)header.size_bytes);
    memcpy(copy, header.data, (size_t)header.size_bytes);
    *message = (sh_bytes){copy, (size_t)header.size_bytes};
  }
  ArrowIpcEncoderReset(&encoder);
  ArrowBufferReset(&header);
  return sh_arrow(call, code, &error);
}
