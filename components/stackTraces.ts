/*
 * Imported for its effect, before anything is registered. Pulumi takes a stack trace for every
 * property of every resource, to name promises that leak; each mapped to the sources, they were a
 * quarter of the program's time. They are left out unless leaks are being looked for.
 */
type Format = (error: Error, frames: NodeJS.CallSite[]) => unknown;

const traces: { prepareStackTrace?: Format } = Error;
const mapped = traces.prepareStackTrace?.bind(Error);

if (mapped && !process.env["PULUMI_DEBUG_PROMISE_LEAKS"]) {
  traces.prepareStackTrace = (error, frames) =>
    frames[0]?.getFunctionName() === "debuggablePromise" ? "" : mapped(error, frames);
}
