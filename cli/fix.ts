/** What to type next after an error of the contract: a command that shows or does what is missing. */
export interface Refusal {
  readonly code: string
  readonly message: string
  /** Of the call that was refused. */
  readonly method: string
  readonly path: string
}

/** Undefined where the message is all that can be said. */
export function fixFor({ code, message, method, path }: Refusal): string | undefined {
  const [, database, table, partition] =
    /^\/v1\/databases\/([^/?]+)(?:\/tables\/([^/?]+)(?:\/partitions\/([^?]+))?)?/.exec(path)?.map(decoded) ?? []
  if (code === 'unauthenticated') return 'export SLUICE_TOKEN=…'
  if (database === undefined) return undefined
  const name = quoted(`${database}.${table}`)
  const show = table === undefined ? `sluice db describe ${quoted(database)}` : `sluice table describe ${name}`
  const isCreate = method === 'PUT' && partition === undefined
  switch (code) {
    case 'not-found':
      if (method === 'PUT' && message.startsWith('database')) return `sluice db create ${quoted(database)}`
      if (table === undefined || message.startsWith('database')) return 'sluice db list'
      if (message.startsWith('partition'))
        return partition === undefined || method === 'DELETE'
          ? `sluice partition list ${name}`
          : `sluice partition add ${name} ${quoted(partition)}`
      return `sluice table list ${quoted(database)}`
    case 'not-empty':
      return `sluice db drop ${quoted(database)} --cascade`
    case 'offset-out-of-range':
      return `sluice offsets ${name}`
    case 'bad-request':
      if (!/no primary key|is not the beginning of|^columns: /.test(message)) return undefined
      return method === 'POST' && path.includes('/records')
        ? show
        : message.includes('read its log')
          ? `sluice fetch ${name}`
          : show
    case 'unknown-field':
      return isCreate ? `sluice ${table === undefined ? 'db' : 'table'} create --help` : show
    case 'exists':
    case 'changed':
    case 'invalid-rows':
    case 'invalid-filter':
      return show
    default:
      return undefined
  }
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined ? undefined : decodeURIComponent(text)
}

/** For a shell. */
export const quoted = (text: string): string => (/^[\w.=/%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
