// No host: a native test.

export const write = (level, message) => process.stderr.write(`${level} ${message}\n`);
export const counter = () => {};
export const gauge = () => {};
