import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import Handlebars from "handlebars";

/** The repository's folder; templates and build contexts are found from it. */
export const projectRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

const templates = new Map<string, Handlebars.TemplateDelegate>();

function templateAt(file: string): Handlebars.TemplateDelegate {
  const known = templates.get(file);
  if (known) return known;
  const handlebars = Handlebars.create();
  const compiled = handlebars.compile(
    readFileSync(path.join(projectRoot, "configs", file), "utf8"),
    {
      // A missing value must fail the render, never leave a blank in a configuration.
      strict: true,
      noEscape: true,
      knownHelpersOnly: true,
      knownHelpers: { if: true, unless: true, each: true, with: true },
    },
  );
  templates.set(file, compiled);
  return compiled;
}

/**
 * Renders `configs/<file>` (`haproxy/haproxy.cfg.hbs`) with `view`. Deterministic: the same view
 * gives the same text. Throws where the template names a value that the view lacks.
 */
export function renderTemplate(file: string, view: object): string {
  try {
    return templateAt(file)(view);
  } catch (error) {
    throw new Error(
      `template configs/${file}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
