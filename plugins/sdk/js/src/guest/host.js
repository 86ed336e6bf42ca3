// The host, from within a component.
import * as log from "streamhost:plugin/log";
import * as metrics from "streamhost:plugin/metrics";

export const write = (level, message) => log.write(level, message);
export const counter = (name, add) => metrics.counter(name, add);
export const gauge = (name, value) => metrics.gauge(name, value);
