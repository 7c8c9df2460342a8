import { expect, test } from 'vitest'
import { SluiceError } from '../core/kernel/errors.ts'
import { icebergError, isIcebergPath } from './iceberg-errors.ts'

const table = '/iceberg/v1/namespaces/d/tables/t'

test.each([
  ['GET', '/iceberg/v1/namespaces/d', 'not-found', 404, 'NoSuchNamespaceException'],
  ['GET', '/iceberg/v1/namespaces/d/tables?pageSize=1', 'not-found', 404, 'NoSuchNamespaceException'],
  ['GET', `${table}?snapshots=all`, 'not-found', 404, 'NoSuchTableException'],
  ['GET', `http://h${table}`, 'invalid-name', 404, 'NoSuchTableException'],
  ['GET', '/iceberg/x', 'not-found', 404, 'NotFoundException'],
  ['POST', table, 'conflict', 409, 'CommitFailedException'],
  ['POST', table, 'unavailable', 503, 'ServiceUnavailableException'],
  ['POST', table, 'not-supported', 501, 'UnsupportedOperationException'],
  ['POST', table, 'bad-request', 400, 'BadRequestException'],
] as const)('%s %s, %s, answers %i %s', (method, target, code, status, type) => {
  expect(icebergError(new SluiceError(code, 'm'), { method, target })).toEqual({ message: 'm', code: status, type })
})

test('a commit whose outcome is not known says so, a read is only not answered', () => {
  const lost = new SluiceError('unavailable', 'm', { effect: 'unknown' })
  expect(icebergError(lost, { method: 'POST', target: table })).toMatchObject({ code: 500, type: 'CommitStateUnknownException' })
  expect(icebergError(lost, { method: 'GET', target: table })).toMatchObject({ code: 503 })
})

test.each([
  ['/iceberg/v1/config', true],
  ['/iceberg?x=1', true],
  ['http://127.0.0.1/iceberg/v1/config', true],
  ['/v1/databases/iceberg', false],
  ['/icebergs', false],
])('%s is below /iceberg: %s', (target, is) => {
  expect(isIcebergPath(target)).toBe(is)
})
