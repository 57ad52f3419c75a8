import { X509Certificate } from "node:crypto";
import { certificateProblems, endOfChain, type CertificateFiles } from "../../../model/certificate";

/** A certificate as it is kept and given to the peer. The PEM holds its private key: secret. */
export interface Bundle {
  /** Directory of the ACME server that issued it. */
  readonly directory: string;
  /** The chain, then the private key. */
  readonly pem: string;
}

/** What a certificate should be. */
export interface Wanted {
  readonly directory: string;
  readonly hostnames: readonly string[];
}

/** What is known of a bundle whose certificate and key can be shown now. Times in milliseconds. */
export interface Standing {
  readonly bundle: Bundle;
  /** From the wanted authority and for every wanted name. */
  readonly fits: boolean;
  readonly from: number;
  readonly end: number;
  /** Serial number of the certificate, hexadecimal. */
  readonly serial: string;
}

const keyBlock = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----\n?/;

function partsOf(pem: string): CertificateFiles {
  const [privateKey = ""] = keyBlock.exec(pem) ?? [];
  return { chain: pem.replace(keyBlock, ""), privateKey };
}

/** Clocks differ: a certificate that is valid from a moment later on counts as valid. */
const clocksDifferByMs = 300_000;

function firstOf(chain: string): X509Certificate | undefined {
  try {
    return new X509Certificate(chain);
  } catch {
    return undefined;
  }
}

/** The bundle with what is known of it; undefined where clients could not use it now. */
export function standingOf(bundle: Bundle, wanted: Wanted, now: Date): Standing | undefined {
  const parts = partsOf(bundle.pem);
  const certificate = firstOf(parts.chain);
  if (!certificate) return undefined;
  const from = Date.parse(certificate.validFrom);
  const early = from - now.getTime();
  const at = early > 0 && early <= clocksDifferByMs ? new Date(from) : now;
  if (certificateProblems(parts, [], at).length > 0) return undefined;
  return {
    bundle,
    fits:
      bundle.directory === wanted.directory &&
      certificateProblems(parts, wanted.hostnames, at).length === 0,
    from,
    end: endOfChain(parts.chain).getTime(),
    serial: certificate.serialNumber,
  };
}

/** A bundle from its text; undefined where the text is none. */
export function parseBundle(text: string): Bundle | undefined {
  try {
    const { directory, pem } = JSON.parse(text) as Partial<Bundle>;
    return typeof directory === "string" && typeof pem === "string"
      ? { directory, pem }
      : undefined;
  } catch {
    return undefined;
  }
}

/** The one to show: one that fits before one that does not, then the newer. An equal one changes nothing. */
export function better(
  mine: Standing | undefined,
  theirs: Standing | undefined,
): Standing | undefined {
  if (!mine || !theirs) return mine ?? theirs;
  if (mine.fits !== theirs.fits) return mine.fits ? mine : theirs;
  return theirs.from > mine.from ? theirs : mine;
}
