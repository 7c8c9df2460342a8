/** The calls that the contract names and this build lacks: known to the router, answered 501 by name, never ignored. */
import { limits } from '../core/kernel/limits.ts'
import { media } from './media.ts'
import { type Method, noBody, type Route } from './route.ts'

const table = '/v1/databases/{db}/tables/{table}'
const namespace = '/namespaces/{db}'

export const lackingRoutes: readonly Route[] = [
  ...lacks('deployment options', 'ALL', '/v1/options', 'GET', 'PATCH'),
  ...lacks('search', 'READ', `${table}/search`, 'POST'),
  ...lacks('sql', 'READ', '/v1/sql', 'POST'),
  ...lacks('tokens', 'ALL', '/v1/tokens', 'GET', 'PUT', 'DELETE'),
  ...lacks('tokens', 'ALL', '/v1/tokens/{id}', 'GET', 'PUT', 'DELETE'),
  ...lacks('access rules', 'ALL', '/v1/acl', 'GET', 'PUT', 'DELETE'),
  ...lacksInIceberg('creating a namespace by way of Iceberg', 'CREATE', '/namespaces', 'POST'),
  ...lacksInIceberg('dropping a namespace by way of Iceberg', 'DROP', namespace, 'DELETE'),
  ...lacksInIceberg('properties of a namespace', 'ALTER', `${namespace}/properties`, 'POST'),
  ...lacksInIceberg('creating a table by way of Iceberg', 'CREATE', `${namespace}/tables`, 'POST'),
  ...lacksInIceberg('registering a table', 'CREATE', `${namespace}/register`, 'POST'),
  ...lacksInIceberg('dropping a table by way of Iceberg', 'DROP', `${namespace}/tables/{table}`, 'DELETE'),
  ...lacksInIceberg('renaming a table', 'ALTER', '/tables/rename', 'POST'),
  ...lacksInIceberg('commits to several tables at once', 'ALTER', '/transactions/commit', 'POST'),
]

/** What the Iceberg REST catalog's specification has beside what we serve, as far as engines ask for it unasked. */
function lacksInIceberg(name: string, operation: Route['operation'], path: string, method: Method): Route[] {
  return lacks(name, operation, `/iceberg/v1${path}`, method).map((route) => ({ ...route, function: 'catalog', form: 'iceberg' }))
}

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
