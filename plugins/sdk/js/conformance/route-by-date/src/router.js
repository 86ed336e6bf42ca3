// Where a date goes.
import { PluginError } from "streamhost-sdk";
import { boundary } from "./date.js";

/** The outputs, and which dates each of them takes. */
export class Router {
  constructor(config) {
    /** The place of the rows that no stretch takes comes first. */
    this.names = [config.output];
    this.stretches = config.routes.map(({ output, from, before }) => ({
      from: boundary(from, -Infinity),
      before: boundary(before, Infinity),
      place: this.place(output),
    }));
    this.undated = config.undated === null ? null : this.place(config.undated);
  }

  /** Several stretches may share an output. */
  place(name) {
    const known = this.names.indexOf(name);
    return known >= 0 ? known : this.names.push(name) - 1;
  }

  /** For each row the index of its output's name. */
  places(days, column) {
    return days.map((day) => this.of(day) ?? without(column));
  }

  of(day) {
    if (day === null) return this.undated;
    return this.stretches.find((stretch) => stretch.from <= day && day < stretch.before)?.place ?? 0;
  }
}

function without(column) {
  throw PluginError.permanent(`a row has no \`${column}\`; name an output for such rows with \`undated\`, or leave them out before`);
}
