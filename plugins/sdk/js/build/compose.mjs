// Puts the kernels into a plugin's component, in the place where it imports them.
import { Reader, leb, name, section, vec } from "./encode.mjs";

/** What the plugin's JavaScript imports, and nobody outside has to give. */
export const KERNELS = "streamhost:kernels/columns";

/** The WIT of that import. */
export const KERNELS_WIT = `package streamhost:kernels;

interface columns {
  run: func(what: u32, n: u32, extra: u32, a: list<u8>, b: list<u8>, c: list<u8>) -> list<u8>;
  text: func(utf8: list<u8>) -> string;
  bytes: func(text: string) -> list<u8>;
}
`;

const HEADER = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
const SECTION = { coreModule: 1, coreInstance: 2, component: 4, instance: 5, alias: 6, type: 7, canon: 8, import: 10, export: 11 };
const CORE_FUNC = 0x00;
const CORE_MEMORY = 0x02;
const U8 = 0x7d;
const U32 = 0x79;
const STRING = 0x73;
// Types by their index in the kernels' component.
const BYTES = 0;
const FUNCTIONS = [
  { name: "run", parameters: { what: U32, n: U32, extra: U32, a: BYTES, b: BYTES, c: BYTES }, result: BYTES },
  { name: "text", parameters: { utf8: BYTES }, result: STRING },
  { name: "bytes", parameters: { text: STRING }, result: BYTES },
];
const REALLOC = FUNCTIONS.length;
const RELEASE = FUNCTIONS.length + 1;

/** The kernels' core module as a component that exports its functions. */
export function wrapKernels(module) {
  const core = [...FUNCTIONS.map((of) => of.name), "cabi_realloc", "release"];
  const aliases = core.map((export_) => [0x00, CORE_FUNC, 0x01, 0, ...name(export_)]);
  aliases.push([0x00, CORE_MEMORY, 0x01, 0, ...name("memory")]);
  // UTF-8, memory 0, and what to call for room and when the answer was read.
  const options = vec([[0x00], [0x03, 0], [0x04, REALLOC], [0x05, RELEASE]]);
  return Buffer.concat([
    HEADER,
    section(SECTION.coreModule, module),
    section(SECTION.coreInstance, vec([[0x00, 0, 0]])),
    section(SECTION.alias, vec(aliases)),
    section(SECTION.type, vec([[0x70, U8], ...FUNCTIONS.map(functionType)])),
    section(SECTION.canon, vec(FUNCTIONS.map((_, at) => [0x00, 0x00, at, ...options, at + 1]))),
    section(SECTION.export, vec(FUNCTIONS.map((of, at) => [0x00, ...name(of.name), 0x01, at, 0x00]))),
  ]);
}

function functionType({ parameters, result }) {
  const named = Object.entries(parameters).map(([parameter, type]) => [...name(parameter), type]);
  return [0x40, ...vec(named), 0x00, result];
}

/**
 * The component with the kernels inside. Their import becomes an instance of a nested component, which takes the import's index;
 * so only the indices of other nested components change.
 */
export function compose(component, kernels) {
  const reader = new Reader(component, HEADER.length);
  const out = [HEADER];
  let found = false;
  while (!reader.done) {
    const part = reader.section();
    if (part.id === SECTION.import && importName(part.content) === KERNELS) {
      out.push(section(SECTION.component, wrapKernels(kernels)), section(SECTION.instance, vec([[0x00, 0, 0]])));
      found = true;
    } else if (found && part.id === SECTION.instance) {
      out.push(shifted(part.content));
    } else {
      if (part.id === SECTION.component && !found) throw new Error("a component stands before its imports");
      out.push(part.whole);
    }
  }
  if (!found) throw new Error(`the component does not import ${KERNELS}`);
  return Buffer.concat(out);
}

function importName(content) {
  const reader = new Reader(content);
  if (reader.leb() !== 1) throw new Error("a section of several imports");
  reader.byte();
  return reader.name();
}

/** Instances of nested components, each of which has moved on by one. */
function shifted(content) {
  const reader = new Reader(content);
  if (reader.leb() !== 1) throw new Error("a section of several instances");
  const kind = reader.byte();
  if (kind !== 0x00) return section(SECTION.instance, content);
  const component = reader.leb();
  const rest = content.subarray(reader.at);
  return section(SECTION.instance, Buffer.concat([Buffer.from([1, 0x00, ...leb(component + 1)]), rest]));
}
