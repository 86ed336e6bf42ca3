// Runs plugins natively, through the same bytes that cross the boundary.
export { Functions, Sink, Stateless } from "./bind.js";
export { cases, runCase } from "./cases.js";
export { Job } from "./keyed.js";
