/** A server whose objects are on S3: its lake lies there, and the catalog tells engines how to reach it, without a secret. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { env } from 'node:process'
import { expect, test } from 'vitest'
import { serveConfig } from '../../serve/config.ts'
import { startServer } from '../../serve/start.ts'
import { credentials, required } from './server.ts'

test('a lake on S3 is loaded with the options of that S3, and its files are there', async () => {
  const endpoint = required('WIRE_S3_ENDPOINT')
  // As the AWS SDK reads them.
  Object.assign(env, {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: 'us-east-1',
  })
  const data = mkdtempSync(join(tmpdir(), 'sluice-wire-'))
  const flags = { port: '0', data, objects: 's3://sluice-wire/served', endpointUrl: endpoint }
  const server = await startServer(serveConfig(flags, env))
  const call = async (method: string, path: string, body?: string, type = 'application/json') => {
    const answer = await fetch(`${server.url}${path}`, {
      method,
      ...(body !== undefined && { body, headers: { 'content-type': type } }),
    })
    const text = await answer.text()
    expect([path, answer.ok, text]).toEqual([path, true, text])
    return JSON.parse(text) as Record<string, unknown>
  }
  try {
    const table = '/v1/databases/d/tables/t'
    await call('PUT', '/v1/databases/d')
    const { tableId } = await call('PUT', table, '{"columns":[{"name":"v","type":"string"}],"options":{"lake.format":"iceberg"}}')
    await call('POST', `${table}/records`, '{"v":"a"}\n', 'application/x-ndjson')
    expect(await call('POST', `${table}/tier?wait=20s`)).toMatchObject({ lagRows: 0, lastError: null })
    const loaded = await call('GET', '/iceberg/v1/namespaces/d/tables/t')
    expect(loaded['config']).toEqual({
      's3.endpoint': endpoint,
      's3.region': 'us-east-1',
      'client.region': 'us-east-1',
      's3.path-style-access': 'true',
    })
    const folder = `s3://sluice-wire/served/lake/${String(tableId)}`
    expect(loaded['metadata-location']).toBe(`${folder}/metadata/v1.metadata.json`)
    expect(loaded['metadata']).toMatchObject({
      location: folder,
      snapshots: [{ 'manifest-list': expect.stringContaining(folder) }],
    })
    expect(JSON.stringify(loaded)).not.toContain(credentials.secretAccessKey)
    expect(JSON.stringify(loaded)).not.toContain(credentials.accessKeyId)
  } finally {
    await server.stop()
    rmSync(data, { recursive: true, force: true })
  }
})
