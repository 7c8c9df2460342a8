/** The calls about the server itself. */
import { costOut, healthOut, openapiOut, versionOut } from '../bodies.ts'
import { media } from '../media.ts'
import type { Route } from '../route.ts'
import { answer, base } from './parts.ts'

export const serverRoutes = {
  version: {
    ...base,
    method: 'GET',
    path: '/v1',
    summary: 'Version, limits, capabilities',
    function: 'admin',
    operation: 'none',
    answers: { 200: answer('what this server is', versionOut) },
  },
  cost: {
    ...base,
    method: 'GET',
    path: '/v1/cost',
    summary: 'Counted storage requests and what they would cost',
    function: 'admin',
    operation: 'ALL',
    answers: { 200: answer('requests by operation, US dollars', costOut) },
  },
  health: {
    ...base,
    method: 'GET',
    path: '/healthz',
    summary: 'Liveness',
    function: 'admin',
    operation: 'none',
    answers: { 200: answer('alive', healthOut) },
  },
  openapi: {
    ...base,
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description',
    function: 'admin',
    operation: 'none',
    answers: { 200: answer('OpenAPI 3.1', openapiOut) },
  },
  metrics: {
    ...base,
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics as Prometheus text',
    function: 'admin',
    operation: 'none',
    produces: [media.metrics],
    answers: { 200: { description: 'counters', content: { 'text/plain': undefined } } },
  },
  home: {
    ...base,
    method: 'GET',
    path: '/',
    summary: 'A page for people',
    function: 'admin',
    operation: 'none',
    produces: [media.html],
    answers: { 200: { description: 'HTML', content: { 'text/html': undefined } } },
  },
} as const satisfies Record<string, Route>
