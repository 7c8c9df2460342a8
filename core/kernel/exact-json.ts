/** JSON whose numbers keep the digits that they were written with, where a double would be another number. */

/** A fractional number, or one beyond all doubles, as it was written. */
export class Numeral {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toJSON(): unknown {
    return rawJson(this.text)
  }
}

/** bigints as whole numbers. */
export const printExact = (value: unknown): string => JSON.stringify(value, writeInteger)

const writeInteger = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? rawJson(value.toString()) : value)

// In V8 by now, not yet in TypeScript's library.
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }
