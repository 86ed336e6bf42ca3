// The cases in tests/, run natively.
import { cases } from "streamhost-sdk/testing";
import plugin from "../src/plugin.ts";

cases(new URL("..", import.meta.url), plugin);
