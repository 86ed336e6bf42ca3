// How a plugin says that something is wrong: with a call, or with one row of it.

/** Why a call failed, or, from a function over rows, why one row did. Any other exception counts as permanent, with its stack. */
export class PluginError extends Error {
  /** @param {"invalid" | "transient" | "permanent"} kind @param {string} message */
  constructor(kind, message) {
    super(message);
    this.name = "PluginError";
    this.kind = kind;
  }

  /** The configuration or the input's schema is wrong: the pipeline does not start. */
  static invalid(message) {
    return new PluginError("invalid", message);
  }

  /** The same batch, or row, may pass later: the host retries it as often as the pipeline says. */
  static transient(message) {
    return new PluginError("transient", message);
  }

  /** The same batch, or row, can never pass. */
  static permanent(message) {
    return new PluginError("permanent", message);
  }

  /** Puts what was being done before the message. */
  context(doing) {
    this.message = `${doing}: ${this.message}`;
    return this;
  }
}

/** Runs a function; an error of it says what was being done. */
export function within(doing, run) {
  try {
    return run();
  } catch (error) {
    throw asError(error).context(doing);
  }
}

/** Whatever was thrown, as an error of a plugin. Of what nobody threw on purpose the stack is told too. */
export function asError(thrown) {
  if (thrown instanceof PluginError) return thrown;
  if (thrown instanceof Error) return PluginError.permanent(described(thrown));
  return PluginError.permanent(String(thrown));
}

function described(error) {
  const head = `${error.name}: ${error.message}`;
  const lines = ownFrames(String(error.stack ?? "").replace(head, "").split("\n"));
  return [head, ...lines].join("\n    ");
}

/** In a component the build tells which line of the source a line of the bundle is; frames of the SDK are left out. */
function ownFrames(frames) {
  const lines = frames.map((line) => line.trim()).filter(Boolean);
  const table = globalThis.__streamhostLines;
  return table === undefined ? lines : lines.map((line) => translated(line, table)).filter((line) => line !== null);
}

function translated(frame, { files, lines }) {
  const found = /^(at .*?)\(?([^\s()]+?):(\d+)(?::\d+)?\)?$/.exec(frame);
  const at = found && lines.find(([line]) => line === Number(found[3]));
  return at ? `${found[1]}(${files[at[1]]}:${at[2]})` : null;
}

/** Rows that a function over batches could not process. */
export class RowErrors {
  constructor() {
    this.byRow = new Map();
  }

  /** Notes that a row is in error, for the reason that is thrown or told. The first one of a row counts. */
  add(row, error) {
    if (!this.byRow.has(row)) this.byRow.set(row, typeof error === "string" ? PluginError.permanent(error) : asError(error));
  }

  /** What the function gives, or null and an error of the row. */
  value(row, run) {
    try {
      return run();
    } catch (error) {
      this.add(row, error);
      return null;
    }
  }

  /** Whether every row was good. */
  get isEmpty() {
    return this.byRow.size === 0;
  }

  /** The rows in error. */
  rows() {
    return [...this.byRow.keys()];
  }

  /** As the host takes them, by row, counted from this row on. */
  after(rows) {
    const sorted = [...this.byRow].sort((a, b) => a[0] - b[0]);
    return sorted.map(([row, error]) => ({
      row: row + rows,
      disposition: error.kind === "transient" ? "retry" : "reject",
      message: error.message,
    }));
  }
}
