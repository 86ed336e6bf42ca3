// What is wrong, for the one who wrote the plugin.

/** A message that says what to change; no stack is shown with it. */
export class Problem extends Error {}

/** Node is older than what the build needs. */
export class OldNode extends Problem {
  constructor() {
    super(`Node.js ${process.versions.node} is too old: plugins in JavaScript are built with 20 or newer; install it with \`apt-get install nodejs npm\`, or with a version manager: \`n 22\`, \`nvm install 22\``);
  }
}
