import { say } from "./command";
import { look, remove } from "./engine";
import { writeState, type Stack } from "./pulumi";
import { isUnsettled, openObjects, settled, settlement, type StackState } from "./stackState";

/**
 * Finishes what an interrupted update left: removes half-made Docker objects that the state does
 * not hold, forgets what was being deleted and is gone, clears the pending operations.
 */
export async function settle(stack: Stack, state: StackState): Promise<StackState> {
  if (!isUnsettled(state)) return state;
  const objects = openObjects(state, stack.name);
  const seen = await Promise.all(objects.map(look));
  const { remove: halfMade, forget } = settlement(state, stack.name, objects, seen);
  for (const object of halfMade) {
    say(`removing ${object.kind} ${object.name}, left half-made by an interrupted update`);
    await remove(object);
  }
  const clean = settled(state, forget);
  await writeState(stack, clean);
  say("settled what an interrupted update left");
  return clean;
}
