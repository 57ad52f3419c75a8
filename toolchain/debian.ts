import { findOnPath, run } from "./commands";
import { type Context } from "./context";
import { step } from "./progress";

let listsAreFresh: Promise<unknown> | undefined;

/**
 * Installs Debian packages. Only root on Debian gets them; everybody else gets an error that says
 * what to install, and nothing is changed.
 */
export async function installPackages(
  names: string[],
  purpose: string,
  context: Context,
): Promise<void> {
  if (!context.isRoot || !context.isDebian || findOnPath("apt-get") === undefined) {
    throw new Error(
      `missing ${purpose}: ${names.join(", ")}; install them (Debian: sudo apt-get install ${names.join(" ")})`,
    );
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const wait = ["-o", "DPkg::Lock::Timeout=300"];
  await step(`packages ${names.join(", ")}: installing ${purpose}`, async () => {
    listsAreFresh ??= run("apt-get", [...wait, "-q", "update"], { env });
    await listsAreFresh;
    await run("apt-get", [...wait, "-q", "-y", "--no-install-recommends", "install", ...names], {
      env,
      hint: "look at /etc/apt: the mirror there must have these packages",
    });
  });
}
