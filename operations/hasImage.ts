import { execaSync } from "execa";

/** Whether this computer's engine has an image of that name. */
export function hasImage(name: string): boolean {
  const asked = execaSync("docker", ["image", "inspect", "--format", "{{.Id}}", name], {
    reject: false,
    timeout: 10_000,
  });
  return asked.exitCode === 0;
}
