/** The opaque cursor: table, then bucket and offset, versioned, base64url. Whoever reads one validates it like any input. */
export interface Cursor {
  readonly tableId: string
  readonly bucket: number
  readonly offset: bigint
}

export function encodeCursor({ tableId, bucket, offset }: Cursor): string {
  return Buffer.from(`1.${tableId}.${bucket}:${offset}`).toString('base64url')
}
