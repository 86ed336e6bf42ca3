// What the engine has not, or must not have: first in every component.
import { kernels } from "../kernels.js";
import { log } from "../log.js";
import { epochMillis } from "./common.js";

const RealDate = Date;

/** The epoch's time is the only one there is. */
class EpochDate extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(epochMillis());
    else super(...given);
  }

  static now() {
    return epochMillis();
  }
}

/** The same numbers in every run: xorshift, as nobody's secrets depend on them. */
let state = 0x9e3779b9;
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}

class Encoder {
  get encoding() {
    return "utf-8";
  }

  encode(text = "") {
    return kernels.bytes(String(text).toWellFormed());
  }
}

class Decoder {
  get encoding() {
    return "utf-8";
  }

  decode(bytes) {
    if (bytes === undefined) return "";
    const view = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
    if (kernels.wideOffsetsOrNone(Int32Array.of(0, view.length), view, 1) === null) throw new TypeError("the bytes are not UTF-8");
    return kernels.text(view);
  }
}

Object.assign(globalThis, { Date: EpochDate, TextEncoder: Encoder, TextDecoder: Decoder });
Math.random = random;
globalThis.console = { ...log, log: log.info };
