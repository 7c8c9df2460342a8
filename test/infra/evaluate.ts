/**
 * Evaluates the stack offline: bundles sst.config.ts the way the SST command does and runs it under Pulumi's mocks, with
 * a stand-in for the command's RPC server. Prints every resource with its inputs as JSON. Nothing reaches AWS.
 * One process evaluates one stack: Pulumi's mocks are global.
 *
 *   node test/infra/evaluate.ts <folder with sst.config.ts and infra/> [stage]
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const home = path.resolve(import.meta.dirname, '../..')
const platform = path.join(home, '.sst/platform')
const fromPlatform = createRequire(path.join(platform, 'package.json'))
const settleRounds = 40

export interface Resource {
  readonly type: string
  readonly name: string
  readonly inputs: Readonly<Record<string, unknown>>
}

interface Mocked {
  readonly type: string
  readonly name: string
  readonly inputs: Record<string, unknown>
}
interface Called {
  readonly token: string
  readonly inputs: Record<string, unknown>
}
interface Pulumi {
  readonly runtime: {
    setMocks(
      mocks: { newResource(made: Mocked): { id: string; state: object }; call(called: Called): object },
      project: string,
      stack: string,
      preview: boolean,
    ): void
    runInPulumiStack(program: () => Promise<unknown>): Promise<unknown>
  }
}
interface Build {
  build(options: object): Promise<unknown>
}
interface Config {
  app(input: { stage: string }): { providers?: Record<string, unknown> }
}

const [folder = home, stage = 'test'] = process.argv.slice(2)
process.stdout.write(JSON.stringify(await evaluate(path.resolve(folder), stage)))
process.exit(0)

async function evaluate(root: string, stageName: string): Promise<readonly Resource[]> {
  const scratch = path.join(tmpdir(), `sluice-stack-${process.pid}`)
  mkdirSync(scratch, { recursive: true })
  const inPlatform = ['app', 'run'].map((each) => path.join(platform, `evaluate.${each}.${process.pid}.mjs`))
  const [appFile = '', runFile = ''] = inPlatform
  await serveRpc(scratch)
  const pulumi = fromPlatform('@pulumi/pulumi') as Pulumi
  const resources = mockInto(pulumi, stageName)
  try {
    Object.assign(globalThis, { $config: (config: unknown) => config })
    const entry = JSON.stringify(path.join(root, 'sst.config.ts'))
    await bundle({ root, outfile: appFile, app: {}, code: `export { default } from ${entry}` })
    const config = ((await import(pathToFileURL(appFile).href)) as { default: Config }).default
    const app = { stage: stageName, removal: 'retain', ...config.app({ stage: stageName }) }
    const run = `import { run } from ${JSON.stringify(`${platform}/src/auto/run.ts`)}; import config from ${entry}; export default await run(config.run)`
    await bundle({ root, outfile: runFile, app, code: run })
    await pulumi.runtime.runInPulumiStack(
      async () => ((await import(pathToFileURL(runFile).href)) as { default: unknown }).default,
    )
    await settle(resources)
    return resources
  } finally {
    for (const file of inPlatform) rmSync(file, { force: true })
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** The Go side of the SST command, as far as a stack of functions asks it. */
async function serveRpc(scratch: string): Promise<void> {
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const { method, params } = JSON.parse(text) as { method: string; params: [{ functionID?: string }] }
      response.end(JSON.stringify({ result: answerRpc(method, params[0].functionID ?? '', scratch) }))
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  process.env['SST_SERVER'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function answerRpc(method: string, functionId: string, scratch: string): object {
  if (method === 'Provider.Aws.Bootstrap')
    return { asset: 'assets', assetEcrRegistryId: '1', assetEcrUrl: '1.example/x', state: 'state' }
  if (method === 'Provider.Aws.Appsync') return { http: 'h', realtime: 'r' }
  if (method !== 'Runtime.Build') return {}
  const out = path.join(scratch, functionId)
  mkdirSync(out, { recursive: true })
  writeFileSync(path.join(out, 'bundle.mjs'), 'export const handler = () => {}')
  return { handler: 'bundle.handler', out, errors: [], sourcemaps: [] }
}

function mockInto(pulumi: Pulumi, stageName: string): Resource[] {
  const resources: Resource[] = []
  pulumi.runtime.setMocks(
    {
      newResource({ type, name, inputs }) {
        resources.push({ type, name, inputs })
        const id = `${name}-id`
        return {
          id,
          state: { name, bucket: name, ...inputs, arn: `arn:aws:mock:region:account:${name}`, id, ...madeUp(type, name) },
        }
      },
      call({ token, inputs }) {
        if (token === 'aws:iam/getPolicyDocument:getPolicyDocument')
          return { ...inputs, json: JSON.stringify(inputs['statements'] ?? []) }
        if (token.includes('getCallerIdentity')) return { accountId: '000000000000' }
        if (token.includes('getPartition')) return { partition: 'aws' }
        if (token.includes('getRegion')) return { name: 'us-east-1', region: 'us-east-1', id: 'us-east-1' }
        return inputs
      },
    },
    'sluice',
    stageName,
    false,
  )
  return resources
}

function madeUp(type: string, name: string): object {
  if (type === 'aws:lambda/functionUrl:FunctionUrl') return { functionUrl: `https://${name}.invalid/` }
  if (type === 'aws:sqs/queue:Queue') return { url: `https://queue.invalid/${name}` }
  return {}
}

async function bundle(args: { root: string; outfile: string; app: object; code: string }): Promise<void> {
  const evaluating = 'stage' in args.app
  const requireShim = `import { createRequire as r } from 'node:module'; const require = r(import.meta.url);
    import { fileURLToPath as f } from 'node:url'; const __filename = f(import.meta.url); const __dirname = f(new URL('.', import.meta.url));`
  await (fromPlatform('esbuild') as Build).build({
    stdin: { contents: args.code, resolveDir: args.root, sourcefile: 'stack.ts', loader: 'ts' },
    outfile: args.outfile,
    banner: { js: requireShim },
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    logLevel: 'error',
    nodePaths: [path.join(platform, 'node_modules')],
    external: ['@pulumi/*', 'undici', '@pulumiverse/*', '@sst-provider/*', '@aws-sdk/*', 'esbuild', 'archiver', 'glob', 'vite'],
    define: globalsOf(args.app, args.root),
    inject: evaluating ? [path.join(platform, 'src/shim/run.js')] : [],
    plugins: evaluating ? [componentsAsGlobals(args.root)] : [],
  })
}

function globalsOf(app: object, root: string): Record<string, string> {
  const paths = { home: tmpdir(), root, work: path.join(home, '.sst'), platform }
  return {
    $app: JSON.stringify(app),
    $cli: JSON.stringify({ command: 'deploy', dev: false, paths, state: { version: {} } }),
    $dev: 'false',
  }
}

/** The SST command makes `sst` and the providers visible in the files of the stack, and so does this. */
function componentsAsGlobals(root: string): object {
  const providers = JSON.parse(readFileSync(path.join(home, '.sst/provider-lock.json'), 'utf8')) as {
    alias: string
    package: string
  }[]
  const imports = [
    ...providers.map((each) => `import * as ${each.alias} from ${JSON.stringify(each.package)};`),
    `import * as sst from ${JSON.stringify(`${platform}/src/components`)};`,
  ].join('\n')
  const ours = [path.join(root, 'sst.config.ts'), path.join(root, 'infra') + path.sep]
  return {
    name: 'components-as-globals',
    setup(build: { onLoad(filter: object, load: (file: { path: string }) => object | undefined): void }) {
      build.onLoad({ filter: /\.ts$/ }, (file) =>
        ours.some((each) => file.path.startsWith(each))
          ? { contents: `${imports}\n${readFileSync(file.path, 'utf8')}`, loader: 'ts' }
          : undefined,
      )
    },
  }
}

/** Outputs resolve in chains of microtasks and RPC calls: done when no resource has come for half a second. */
async function settle(resources: readonly Resource[]): Promise<void> {
  let quiet = 0
  for (let round = 0, seen = -1; round < settleRounds && quiet < 2; round++) {
    quiet = seen === resources.length ? quiet + 1 : 0
    seen = resources.length
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
