/** The calls that the contract names and this build lacks: known to the router, answered 501 by name, never ignored. */
import { limits } from '../core/kernel/limits.ts'
import { media } from './media.ts'
import { type Method, noBody, type Route } from './route.ts'

const table = '/v1/databases/{db}/tables/{table}'

export const lackingRoutes: readonly Route[] = [
  ...lacks('deployment options', 'ALL', '/v1/options', 'GET', 'PATCH'),
  ...lacks('lookup', 'READ', `${table}/lookup`, 'POST'),
  ...lacks('prefix lookup', 'READ', `${table}/lookup/prefix`, 'POST'),
  ...lacks('current rows', 'READ', `${table}/rows`, 'GET'),
  ...lacks('search', 'READ', `${table}/search`, 'POST'),
  ...lacks('sql', 'READ', '/v1/sql', 'POST'),
  ...lacks('tokens', 'ALL', '/v1/tokens', 'GET', 'PUT', 'DELETE'),
  ...lacks('tokens', 'ALL', '/v1/tokens/{id}', 'GET', 'PUT', 'DELETE'),
  ...lacks('access rules', 'ALL', '/v1/acl', 'GET', 'PUT', 'DELETE'),
  ...lacks('the Iceberg REST catalog', 'READ', '/iceberg/v1/{rest...}', 'GET', 'POST', 'DELETE'),
]

function lacks(name: string, operation: Route['operation'], path: string, ...methods: readonly Method[]): Route[] {
  return methods.map((method) => ({
    method,
    path,
    summary: `${name}: not in this build`,
    function: 'admin',
    operation,
    body: noBody,
    bodyBytesMax: limits.jsonBodyBytesMax,
    produces: [media.json],
    answers: {},
    errors: ['not-supported'],
    lacks: name,
  }))
}
