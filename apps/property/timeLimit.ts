/**
 * The promise's result, or a rejection once its time is over. After a stall of this process an
 * answer may be waiting to be read: that comes first.
 */
export function withTimeLimit<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      setImmediate(() => {
        reject(new Error(`${what}: no answer within ${ms} ms`));
      });
    }, ms);
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}
