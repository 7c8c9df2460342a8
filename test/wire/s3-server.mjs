/** `node s3-server.mjs <port> <bucket>`: R2's S3 endpoint in miniflare, in memory, until SIGTERM. */
import { argv } from 'node:process'
import { Miniflare } from 'miniflare'
import { credentials } from './server.ts'

const [, , port = '0', bucket = ''] = argv
const server = new Miniflare({
  host: '127.0.0.1',
  port: Number(port),
  modules: true,
  compatibilityDate: '2026-04-01',
  script: 'export default { fetch() { return new Response("ok") } }',
  r2Buckets: { BUCKET: { id: bucket, s3Credentials: credentials } },
  r2Persist: false,
})
console.log(`ready ${(await server.ready).origin}`)
process.once('SIGTERM', () => void server.dispose().then(() => process.exit(0)))
