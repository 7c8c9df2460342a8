/** Flags and environment of `sluice serve`, checked before anything is opened. Wrong usage is a UsageError: exit status 2. */
import { readFileSync } from 'node:fs'

export interface ServeConfig {
  /** 0: a free one. */
  readonly port: number
  readonly dataDirectory: string
  /** `s3://bucket/prefix`; absent: a directory. */
  readonly objects: string | undefined
  /** `dynamodb://table`; absent: a SQLite file. */
  readonly items: string | undefined
  readonly endpointUrl: string | undefined
  /** Of S3, as the AWS SDK reads it. */
  readonly region: string | undefined
  /** External catalogs: JSON, and the environment that has their secrets. */
  readonly catalogs?: { readonly text: string; readonly environment: Readonly<Record<string, string | undefined>> }
}

export interface ServeFlags {
  readonly port?: string | undefined
  readonly data?: string | undefined
  readonly objects?: string | undefined
  readonly items?: string | undefined
  readonly endpointUrl?: string | undefined
}

export class UsageError extends Error {}

export function serveConfig(flags: ServeFlags, environment: Readonly<Record<string, string | undefined>>): ServeConfig {
  return {
    port: portOf(flags.port ?? environment.SLUICE_PORT ?? '8080'),
    dataDirectory: notEmpty('--data', flags.data ?? environment.SLUICE_DATA ?? '.sluice'),
    objects: urlOf(
      '--objects',
      flags.objects ?? environment.SLUICE_OBJECTS,
      /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[a-z0-9._/=-]*)?$/,
      's3://bucket/prefix',
    ),
    items: urlOf('--items', flags.items ?? environment.SLUICE_ITEMS, /^dynamodb:\/\/[A-Za-z0-9_.-]{3,255}$/, 'dynamodb://table'),
    endpointUrl: urlOf('--endpoint-url', flags.endpointUrl, /^https?:\/\/[^\s]+$/, 'http://host:port'),
    region: environment.AWS_REGION,
    ...catalogsOf(environment),
  }
}

/** JSON, or the path of a file of it. */
function catalogsOf(environment: Readonly<Record<string, string | undefined>>): Pick<ServeConfig, 'catalogs'> {
  const said = environment.SLUICE_CATALOGS?.trim()
  if (said === undefined || said === '') return {}
  return { catalogs: { text: said.startsWith('{') ? said : readText('SLUICE_CATALOGS', said), environment } }
}

function readText(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UsageError(
      `${name} names the file ${JSON.stringify(path)}, which cannot be read: write JSON, or the path of a file of it`,
      {
        cause,
      },
    )
  }
}

function portOf(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535)
    throw new UsageError(`--port must be a number from 0 to 65535, not ${JSON.stringify(text)}`)
  return Number(text)
}

function notEmpty(flag: string, text: string): string {
  if (text === '') throw new UsageError(`${flag} must not be empty`)
  return text
}

function urlOf(flag: string, text: string | undefined, pattern: RegExp, form: string): string | undefined {
  if (text === undefined) return undefined
  if (!pattern.test(text)) throw new UsageError(`${flag} must look like ${form}, not ${JSON.stringify(text)}`)
  return text
}
