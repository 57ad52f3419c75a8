import { z } from "zod";

/*
 * What the API takes and gives. Validation, types and the OpenAPI document come from here.
 */

export const kinds = ["apartment", "house", "studio", "office", "land"] as const;
export const sorts = ["price", "-price", "newest"] as const;

const mostMoney = 2_000_000_000;

// Text is compared in one form, so that what looks alike is alike.
const line = (most: number) =>
  z
    .string()
    .trim()
    .normalize("NFC")
    .min(1)
    .max(most)
    .regex(/^[^\u0000-\u001f\u007f]*$/, { error: "control characters are not allowed" });

const price = z.int().min(0).max(mostMoney).describe("In whole units of the currency.");
const bedrooms = z.int().min(0).max(100);

const fields = {
  title: line(200),
  description: z
    .string()
    .normalize("NFC")
    .max(5000)
    .regex(/^[^\u0000]*$/, { error: "the character NUL is not allowed" })
    .default(""),
  city: line(80),
  kind: z.enum(kinds),
  price,
  bedrooms,
  area: z.int().min(0).max(1_000_000).describe("In square metres."),
};

export const propertyInput = z.strictObject(fields);
export type PropertyInput = z.output<typeof propertyInput>;

/** A change replaces the whole property. */
export const propertyUpdate = z.strictObject({
  ...fields,
  version: z
    .int()
    .min(1)
    .optional()
    .describe("Version that is to be replaced; another one there is refused with 409."),
});

export const property = z.object({
  id: z.int().min(1),
  ...propertyInput.shape,
  description: z.string(),
  version: z.int().min(1).describe("Counts the changes; also the answer's ETag."),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type Property = z.output<typeof property>;

/** Echoed in the answer where the request has one. */
const nonce = z.string().optional().describe("Echo of the request's nonce.");

export const propertyAnswer = property.extend({ nonce });

export const pageAnswer = z.object({
  items: z.array(property),
  nextCursor: z.string().nullable().describe("Cursor of the next page; null on the last."),
  total: z.int().optional().describe("Number of all matches, where it was asked for."),
  nonce,
});

export const maxNonceLength = 128;

export const nonceQuery = z.object({
  nonce: z
    .string()
    .max(maxNonceLength)
    .optional()
    .describe("Any text; comes back in the answer. Header X-Nonce does the same."),
});

const digits = (schema: z.ZodInt) =>
  z
    .string()
    .regex(/^\d{1,16}$/, { error: "digits are expected" })
    .transform(Number)
    .pipe(schema);

/** Ids above it could not be told apart by clients whose numbers are doubles. */
export const propertyId = digits(z.int().min(1).max(Number.MAX_SAFE_INTEGER));

export const idParams = z.strictObject({ id: propertyId });

export const listQuery = z.strictObject({
  ...nonceQuery.shape,
  city: line(80).optional(),
  kind: z.enum(kinds).optional(),
  minPrice: digits(price).optional(),
  maxPrice: digits(price).optional(),
  bedrooms: digits(bedrooms).optional(),
  minBedrooms: digits(bedrooms).optional(),
  sort: z.enum(sorts).default("price").describe("`-price`: dearest first; `newest`: by id."),
  limit: digits(z.int().min(1).max(100)).default(20),
  cursor: z.string().max(200).optional().describe("`nextCursor` of the page before."),
  total: z
    .enum(["true", "false"])
    .default("false")
    .transform((value) => value === "true")
    .describe("Counts all matches; takes longer."),
});
export type ListQuery = z.output<typeof listQuery>;

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  errors: z
    .array(z.object({ pointer: z.string(), detail: z.string() }))
    .optional()
    .describe("What is wrong where in the request."),
  outcome: z
    .enum(["none", "unknown"])
    .optional()
    .describe("Of a write that was given up: nothing was done, or that is not known."),
  nonce,
});
