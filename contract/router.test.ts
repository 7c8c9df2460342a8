import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSluiceError } from '../core/kernel/errors.ts'
import { openapiDocument } from './openapi.ts'
import { allowOf, matchRoute } from './router.ts'
import { routes } from './routes.ts'

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (!isSluiceError(error)) throw error
    return error.code
  }
}

describe('a path and a method', () => {
  const found: readonly (readonly [string, string, keyof typeof routes | undefined, object])[] = [
    ['GET', '/', 'home', {}],
    ['GET', '/v1', 'version', {}],
    ['HEAD', '/v1', 'version', {}],
    ['GET', '/v1/databases/a', 'getDatabase', { db: 'a' }],
    ['PUT', '/v1/databases/a/tables/b', 'createTable', { db: 'a', table: 'b' }],
    ['PUT', '/v1/databases/tables/tables/tables', 'createTable', { db: 'tables', table: 'tables' }],
    ['PUT', '/v1/databases/a%2Fb/tables/%252e', 'createTable', { db: 'a/b', table: '%2e' }],
    ['POST', '/v1/databases/a/tables/b/records', 'produce', { db: 'a', table: 'b' }],
    [
      'PUT',
      '/v1/databases/a/tables/b/partitions/dt=1/h=%25%2F2',
      'createPartition',
      { db: 'a', table: 'b', partition: 'dt=1/h=%/2' },
    ],
    ['GET', '/iceberg/v1/config', 'icebergConfig', {}],
    ['HEAD', '/iceberg/v1/config', 'icebergConfig', {}],
    ['GET', '/iceberg/v1/namespaces/a/tables/b', 'icebergTable', { db: 'a', table: 'b' }],
    ['HEAD', '/iceberg/v1/namespaces/a/tables/b', 'icebergTableExists', { db: 'a', table: 'b' }],
    ['POST', '/v1/sql', undefined, {}],
  ]
  test.each(found)('%s %s', (method, path, id, params) => {
    expect(matchRoute(method, path)).toMatchObject({ id, params })
  })

  const refused = [
    ['GET', '/v1/', 'not-found'],
    ['GET', '//', 'not-found'],
    ['GET', '/v1/databases//tables', 'not-found'],
    ['GET', '/v1/databases/a/tables/b/partitions/', 'not-found'],
    ['GET', '/%76%31', 'not-found'],
    ['GET', '/v1/databases/%zz', 'bad-request'],
    ['GET', '/v1/databases/%ff', 'bad-request'],
    ['DELETE', '/v1', 'method-not-allowed'],
    ['BREW', '/v1', 'method-not-allowed'],
  ] as const
  test.each(refused)('%s %s answers %s', (method, path, code) => {
    expect(codeOf(() => matchRoute(method, path))).toBe(code)
  })

  test('only errors of ours come out, whatever the path is', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('GET', 'PUT', 'x'), (text, method) => {
        codeOf(() => matchRoute(method, `/${text}`))
      }),
    )
  })
})

test('Allow names what the path takes', () => {
  expect(allowOf('/v1/databases/a')).toBe('DELETE, GET, HEAD, OPTIONS, PATCH, PUT')
  expect(allowOf('/v1/databases/a/tables/b/records')).toBe('OPTIONS, POST')
})

test('a path that is nearly right is told so', () => {
  expect(() => matchRoute('GET', '/v1/database')).toThrow('did you mean /v1/databases?')
})

test('every call is in the description, under its own id', () => {
  const document = openapiDocument()
  const ids = Object.values(document.paths ?? {}).flatMap((item) => Object.values(item as object).map((one) => one.operationId))
  expect(ids).toEqual(expect.arrayContaining(Object.keys(routes)))
  expect(new Set(ids).size).toBe(ids.length)
})
