/**
 * External Iceberg catalogs of this deployment: `SLUICE_CATALOGS` of whoever deploys, JSON or the path of a file of it, as a server reads
 * it. The functions that commit to them, admin and tier, get it in their environment, with secrets as ARNs, and the rights to
 * exactly the catalogs, secrets and places that it names. What cannot be granted so is refused here, before anything is deployed.
 */
import { readFileSync } from 'node:fs'
import { type CatalogConfig, parseCatalogs, type SecretName } from '../stores/catalog/config.ts'

interface Statement {
  readonly actions: string[]
  readonly resources: string[]
}

/** A function's environment is 4 KB in all. */
const textBytesMax = 3_072

const said = process.env['SLUICE_CATALOGS']?.trim() ?? ''
const written = said === '' ? '{}' : said.startsWith('{') ? said : readFileSync(said, 'utf8')
const catalogs = parseCatalogs(written)
const text = JSON.stringify(JSON.parse(written))
if (new TextEncoder().encode(text).length > textBytesMax)
  throw new Error(`SLUICE_CATALOGS has more than ${textBytesMax} bytes, and a function's environment has room for no more`)

export const environment: Readonly<Record<string, string>> = catalogs.length === 0 ? {} : { SLUICE_CATALOGS: text }

/** To look at a table of a catalog and to commit to it. */
export const commits: readonly Statement[] = catalogs.flatMap((each) => [
  ...secretsOf(each).map((arn) => ({ actions: ['secretsmanager:GetSecretValue'], resources: [arn] })),
  ...(isS3Tables(each) ? [] : [{ actions: ['s3:GetObject', 's3:PutObject'], resources: [placeOf(each)] }]),
  ...catalogRights(each, {
    glue: [
      ['glue:GetCatalog', ['catalog']],
      ['glue:GetTable', ['catalog', 'database/*', 'table/*/*']],
      ['glue:UpdateTable', ['catalog', 'database/*', 'table/*/*']],
    ],
    s3tables: [
      ['s3tables:GetTableBucket', ['']],
      ['s3tables:GetTableMetadataLocation', ['/table/*']],
      ['s3tables:UpdateTableMetadataLocation', ['/table/*']],
      ['s3tables:GetTableData', ['/table/*']],
      ['s3tables:PutTableData', ['/table/*']],
    ],
  }),
])

/** To make a table there, and the namespace that it is in. */
export const creates: readonly Statement[] = catalogs.flatMap((each) =>
  catalogRights(each, {
    glue: [
      ['glue:CreateDatabase', ['catalog', 'database/*']],
      ['glue:CreateTable', ['catalog', 'database/*', 'table/*/*']],
    ],
    s3tables: [
      ['s3tables:CreateNamespace', ['']],
      ['s3tables:CreateTable', ['', '/table/*']],
    ],
  }),
)

type Rights = readonly (readonly [action: string, resources: readonly string[]])[]

/** What AWS asks for behind the Iceberg REST endpoints of Glue and of S3 Tables; other catalogs know us by a token. */
function catalogRights(catalog: CatalogConfig, rights: { readonly glue: Rights; readonly s3tables: Rights }): Statement[] {
  const { auth } = catalog
  if (auth.type !== 'sigv4') return []
  const [root, each] = isS3Tables(catalog)
    ? [tableBucketOf(catalog), rights.s3tables]
    : [`arn:aws:glue:${auth.region}:${accountOf(catalog)}:`, rights.glue]
  return each.map(([action, resources]) => ({ actions: [action], resources: resources.map((resource) => `${root}${resource}`) }))
}

/** Such a table lies where S3 Tables puts it, and its rights are those of the table. */
function isS3Tables({ auth }: CatalogConfig): boolean {
  return auth.type === 'sigv4' && auth.service === 's3tables'
}

function tableBucketOf({ name, warehouse = '' }: CatalogConfig): string {
  if (/^arn:aws[a-z-]*:s3tables:[a-z0-9-]+:[0-9]{12}:bucket\/[a-z0-9-]{3,63}$/.test(warehouse)) return warehouse
  throw refused(name, 'warehouse', 'must be the ARN of a table bucket')
}

function accountOf({ name, warehouse = '', auth }: CatalogConfig): string {
  if (auth.type === 'sigv4' && auth.service !== 'glue') throw refused(name, 'auth.service', 'must be glue or s3tables')
  if (/^[0-9]{12}$/.test(warehouse)) return warehouse
  throw refused(name, 'warehouse', 'must be the 12 digits of the account whose Glue catalog it is')
}

function placeOf({ name, location = '' }: CatalogConfig): string {
  const [, bucket, prefix] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(\/[^*?]+?)?\/*$/.exec(location) ?? []
  if (bucket !== undefined) return `arn:aws:s3:::${bucket}${prefix ?? ''}/*`
  throw refused(name, 'location', 'must say where its tables are, as s3://bucket/prefix: the functions may write nowhere else')
}

function secretsOf({ auth }: CatalogConfig): string[] {
  const secret: SecretName | undefined =
    auth.type === 'bearer' ? auth.token : auth.type === 'oauth2' ? auth.clientSecret : undefined
  if (secret?.in !== 'environment') return secret === undefined ? [] : [secret.arn]
  const field = secret.field.replace(/Env$/, 'Arn')
  throw new Error(
    `SLUICE_CATALOGS: ${secret.field} would put a secret into the stack: name its ARN in AWS Secrets Manager in ${field}`,
  )
}

function refused(name: string, field: string, why: string): Error {
  return new Error(`SLUICE_CATALOGS: ${name}.${field} ${why}`)
}
