// node:path/posix: paths here are posix anyway.
export * from "node:path";
export { default } from "node:path";
