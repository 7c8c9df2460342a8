/** Paths of the contract, escaped. */
export const databasePath = (db: string): string => `/v1/databases/${encodeURIComponent(db)}`

export const tablePath = (db: string, table: string): string => `${databasePath(db)}/tables/${encodeURIComponent(table)}`

/** The name is the rest of the path: its slashes stay. */
export const partitionPath = (db: string, table: string, name: string): string =>
  `${tablePath(db, table)}/partitions/${name.split('/').map(encodeURIComponent).join('/')}`

/** `?a=1&b=2` of what is defined; empty for nothing. */
export function queryText(query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value))
  const text = given.toString()
  return text === '' ? '' : `?${text}`
}

/** For `columns=`: names that have a comma, a quote or a star's meaning stand in quotes. */
export const columnsText = (names: readonly string[]): string =>
  names.map((name) => (/[",]|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(',')
