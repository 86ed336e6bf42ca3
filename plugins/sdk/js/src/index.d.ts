// Types of what a plugin imports.
export * from "./types.js";
export * from "./columns.js";
export * from "./kinds.js";
