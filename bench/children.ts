/**
 * Processes under test, each ended by its pid: the server of the product, a floor, a load generator, a one-off script.
 * A child that does not come up, or ends in an error, is an error with what it said.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { nodeFlags } from '../bin/node-flags.mjs'
import type { PagesSpec } from './pages.ts'

const root = path.resolve(import.meta.dirname, '..')
const startMsMax = 30_000
const stopMsMax = 30_000
const listening = /listening on http:\/\/127\.0\.0\.1:(\d+)/

export interface Server {
  readonly port: number
  /** The most memory that the process held at once: resident, threads included. */
  peakBytes(): number
  /** User and system time so far, threads included. */
  cpuMs(): number
  stop(): Promise<void>
  /** At once, as a crash. */
  kill(): Promise<void>
}

export function startSluice(folder: string): Promise<Server> {
  return startServer([...nodeFlags, path.join(root, 'cli/main.ts'), 'serve', '--port', '0', '--data', folder])
}

/** As recover-child.ts says. */
export function startKeyedUnfolded(folder: string): Promise<Server> {
  return startServer([...nodeFlags, path.join(root, 'bench/recover-child.ts'), folder])
}

/** As floor.ts says. */
export function startFloor(kind: 'files' | 'memory' | 'map', folder: string): Promise<Server> {
  return startServer([path.join(root, 'bench/floor.ts'), kind, folder])
}

/** Answers with pages of a file. */
export function startPages(spec: PagesSpec): Promise<Server> {
  return startServer([path.join(root, 'bench/pages.ts'), JSON.stringify(spec)])
}

/** Runs a script of this folder with one JSON argument; its standard output is JSON. */
export async function runScript<T>(script: string, argument: unknown, environment: NodeJS.ProcessEnv = {}): Promise<T> {
  const child = start([path.join(root, 'bench', script), JSON.stringify(argument)], environment)
  const status = await ended(child.process)
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${child.said().slice(-2_000)}`)
  return JSON.parse(child.out()) as T
}

async function startServer(args: readonly string[]): Promise<Server> {
  const { process: child, out, said } = start(args, {})
  const port = await new Promise<number>((resolve, reject) => {
    const fail = (why: string) =>
      reject(new Error(`${args.map((arg) => path.basename(arg)).join(' ')} ${why}: ${said().slice(-2_000)}`))
    const timer = setTimeout(() => fail(`was not listening after ${startMsMax} ms`), startMsMax)
    child.once('exit', (status) => fail(`ended with ${status} before it was listening`))
    child.stdout?.on('data', () => {
      const found = listening.exec(out())
      if (found === null) return
      clearTimeout(timer)
      resolve(Number(found[1]))
    })
  })
  return {
    port,
    peakBytes: () => peakBytes(child.pid),
    cpuMs: () => cpuMs(child.pid),
    stop: () => stop(child),
    kill: async () => {
      const gone = ended(child)
      child.kill('SIGKILL')
      await gone
    },
  }
}

function start(args: readonly string[], environment: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err = `${err}${chunk}`.slice(-10_000)
  })
  return { process: child, out: () => out, said: () => out + err }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = ended(child)
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
  await gone
  clearTimeout(timer)
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => {
    child.once('close', (status) => resolve(status))
  })
}

function peakBytes(pid: number | undefined): number {
  const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1] ?? Number.NaN) * 1024
}

/** Fields 14 and 15 after the command's name, in ticks of 10 ms. */
function cpuMs(pid: number | undefined): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
