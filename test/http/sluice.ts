/** The command as a person starts it, against a server of our own: what it is fed, what it prints, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

export interface Run {
  readonly child: ChildProcess
  readonly out: () => string
  readonly bytes: () => Buffer
  readonly err: () => string
  /** All at its end. */
  readonly ended: Promise<{ readonly status: number | null; readonly out: string; readonly err: string; readonly bytes: Buffer }>
}

export interface RunOptions {
  readonly url: string
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
}

export function sluice({ url, input, env }: RunOptions, ...args: readonly string[]): Run {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, SLUICE_URL: url, ...env } })
  const outs: Buffer[] = []
  const errs: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => outs.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errs.push(chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(input ?? '')
  const bytes = () => Buffer.concat(outs)
  const out = () => bytes().toString()
  const err = () => Buffer.concat(errs).toString()
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, out, bytes, err, ended: ended.then((status) => ({ status, out: out(), err: err(), bytes: bytes() })) }
}
