import { messageOf } from "./io";

/** Prints the state of a node as the program that runs in it tells it, on one line. */
export async function printStatus(node: string, port: number): Promise<void> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/status`, {
      signal: AbortSignal.timeout(2000),
    });
    console.log((await response.text()).trim());
  } catch (error) {
    const reason = `it does not answer: ${messageOf(error)}`;
    console.log(JSON.stringify({ node, ready: false, draining: false, reason }));
  }
}
