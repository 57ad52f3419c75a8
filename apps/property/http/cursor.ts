import type { sorts } from "./schemas";

/** Where a page ends: the last row's place in the order. */
export interface Cursor {
  readonly sort: (typeof sorts)[number];
  /** Undefined where the order is by id alone. */
  readonly price: number | undefined;
  readonly id: number;
}

const pattern = /^(-?price|newest)(?:\.(\d{1,10}))?\.(\d{1,16})$/;

/** Opaque text for clients. */
export function encodeCursor({ sort, price, id }: Cursor): string {
  const text = price === undefined ? `${sort}.${id}` : `${sort}.${price}.${id}`;
  return Buffer.from(text).toString("base64url");
}

/** Undefined where the text is no cursor that this application gave out. */
export function decodeCursor(text: string): Cursor | undefined {
  const [, sort, price, id] = pattern.exec(Buffer.from(text, "base64url").toString()) ?? [];
  if (sort === undefined || id === undefined) return undefined;
  if ((sort === "newest") !== (price === undefined)) return undefined;
  const cursor: Cursor = {
    sort: sort as Cursor["sort"],
    price: price === undefined ? undefined : Number(price),
    id: Number(id),
  };
  return encodeCursor(cursor) === text && Number.isSafeInteger(cursor.id) ? cursor : undefined;
}
