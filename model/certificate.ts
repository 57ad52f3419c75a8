import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";

/** A server's certificate with those that lead to its authority, and its private key, PEM. */
export interface CertificateFiles {
  /** The server's certificate first, then each one's issuer. */
  readonly chain: string;
  readonly privateKey: string;
}

/** What is wrong with one of the two: what should stand there instead. */
export interface CertificateProblem {
  readonly file: keyof CertificateFiles;
  readonly allowed: string;
}

/** Days before the end from which an update warns. */
export const expiryWarningDays = 30;

const leastRsaBits = 2048;

const certificateBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

const day = (date: Date) => date.toISOString().slice(0, 10);

/** The certificates of a PEM text, in order. Throws where one cannot be read. */
function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(certificateBlock) ?? []).map((block) => new X509Certificate(block));
}

/** The first of a chain's certificates to end, as a time. Throws where one cannot be read. */
export function endOfChain(pem: string): Date {
  const ends = certificatesIn(pem).map(({ validTo }) => Date.parse(validTo));
  if (ends.length === 0) throw new Error("found no certificate in the text");
  return new Date(Math.min(...ends));
}

/**
 * The authority at the end of a chain, PEM. Undefined where the chain ends before it, as those of
 * public authorities do: clients have these already. Throws where a certificate cannot be read.
 */
export function rootOfChain(pem: string): string | undefined {
  const last = certificatesIn(pem).at(-1);
  if (!last) return undefined;
  return last.subject === last.issuer && last.verify(last.publicKey) ? last.toString() : undefined;
}

function readChain(pem: string): X509Certificate[] | undefined {
  try {
    return certificatesIn(pem);
  } catch {
    return undefined;
  }
}

/** Whether a text holds certificates in PEM that can be read, and no private key. */
export function isCertificates(pem: string): boolean {
  return (readChain(pem)?.length ?? 0) > 0 && !/PRIVATE KEY-----/.test(pem);
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** The names of a certificate, for people. */
const namesOf = ({ subjectAltName }: X509Certificate) => subjectAltName ?? "no name";

function chainProblems(
  certificates: readonly X509Certificate[],
  hostnames: readonly string[],
  now: Date,
): string[] {
  const [server] = certificates;
  if (!server) return [];
  const problems: string[] = [];
  if (server.ca) problems.push("the server's certificate first, then those of its authorities");
  const stray = certificates.findIndex((issuer, index) => {
    const issued = certificates[index - 1];
    return issued !== undefined && !issued.checkIssued(issuer);
  });
  if (stray > 0) {
    problems.push(`each certificate before its issuer; number ${stray + 1} did not issue ${stray}`);
  }
  const missing = hostnames.filter(
    (name) => server.checkHost(name, { subject: "never", partialWildcards: false }) === undefined,
  );
  if (missing.length > 0) {
    problems.push(
      `a certificate for ${missing.join(", ")}, as hostnames says; this one is for ${namesOf(server)}`,
    );
  }
  for (const [index, { validFrom, validTo }] of certificates.entries()) {
    const [from, to] = [new Date(validFrom), new Date(validTo)];
    const which = `number ${index + 1} is valid from ${day(from)} to ${day(to)}`;
    if (now < from || now >= to) problems.push(`certificates that are valid today; ${which}`);
  }
  const bits = server.publicKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < leastRsaBits) {
    problems.push(`a key of at least ${leastRsaBits} bits; this one has ${bits}`);
  }
  return problems;
}

/** Everything for which a load balancer could not serve the certificate, or clients refuse it. */
export function certificateProblems(
  files: CertificateFiles,
  hostnames: readonly string[],
  now: Date,
): CertificateProblem[] {
  const problems: CertificateProblem[] = [];
  const wrong = (file: keyof CertificateFiles, allowed: string) => problems.push({ file, allowed });
  const certificates = readChain(files.chain);
  const key = readKey(files.privateKey);
  if (/PRIVATE KEY-----/.test(files.chain)) wrong("chain", "certificates alone, no private key");
  if (!certificates || certificates.length === 0) {
    wrong("chain", "certificates in PEM, each from its BEGIN line to its END line");
  } else {
    for (const problem of chainProblems(certificates, hostnames, now)) wrong("chain", problem);
  }
  if (!key) {
    wrong("privateKey", "a private key in PEM, without a passphrase");
  } else if (certificates?.[0] && !certificates[0].checkPrivateKey(key)) {
    wrong("privateKey", "the private key of the chain's first certificate");
  }
  return problems;
}

/** A certificate and when it ends. */
export interface CertificateEnd {
  readonly certificate: string;
  /** In ISO form, UTC. */
  readonly notAfter: string;
}

/** The first certificate to end, of times by name. Throws where there is none, or no time. */
export function earliestEnd(ends: Readonly<Record<string, string>>): CertificateEnd {
  const [first] = Object.entries(ends)
    .map(([certificate, end]) => ({ certificate, notAfter: new Date(end).toISOString() }))
    .sort((a, b) => a.notAfter.localeCompare(b.notAfter));
  if (!first) throw new Error("there is no certificate");
  return first;
}

/** Says that a certificate ends soon; undefined while there is time. */
export function expiryWarning(what: string, end: Date, now: Date): string | undefined {
  const days = Math.floor((end.getTime() - now.getTime()) / 86_400_000);
  return days < expiryWarningDays
    ? `${what} ends on ${day(end)}, in ${days} ${days === 1 ? "day" : "days"}; put a new one into the settings and update`
    : undefined;
}
