"""Arrow's IPC messages, as the contract has them: uncompressed record batches of a schema that both sides know.

Bytes from outside are checked before anything is made of them: what is malformed or cut off is an :class:`~streamhost.Error`.
"""

from .read import decode, decode_one
from .schema import decode_schema, encode_schema
from .write import encode

__all__ = ["decode", "decode_one", "decode_schema", "encode", "encode_schema"]
