// The kernels beside the engine.
export { bytes, run, text } from "streamhost:kernels/columns";
