// Pulumi loads policy packs as CommonJS; tsx makes TypeScript of it without a build.
require("tsx/cjs");
require("./pack.ts");
