/*
 * Records times and ratios on this computer: `make bench` (ONLY=hello or ONLY=data for one stack).
 * Nothing here is asserted; counts and states are, in test/e2e.
 */
import { benchData } from "./bench/data";
import { benchHello } from "./bench/hello";
import { Figures } from "./support/figures";

const benches = { hello: benchHello, data: benchData };
const only = process.env["ONLY"] ?? "";
if (only && !Object.hasOwn(benches, only)) {
  throw new Error(
    `ONLY: found ${JSON.stringify(only)}, allowed: ${Object.keys(benches).join(", ")}`,
  );
}
for (const [name, bench] of Object.entries(benches)) {
  if (only && only !== name) continue;
  const figures = new Figures(name === "hello" ? "bench" : `bench-${name}`);
  await bench(figures);
  console.log(`written to ${figures.write()}`);
}
