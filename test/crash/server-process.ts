/** The embedded server as a process of its own, ended by its process id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

export interface CrashServer {
  readonly url: string
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; fails if it does not exit with 0. */
  stop(): Promise<void>
}

const startMs = 20_000

export async function startServerProcess(directory: string): Promise<CrashServer> {
  const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts')
  const child = spawn(process.execPath, [main, 'serve', '--port', '0', '--data', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const url = await listening(child)
  return {
    url,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async stop() {
      child.kill('SIGTERM')
      const code = await exited
      if (code !== 0) throw new Error(`the server exited with ${code} after SIGTERM`)
    },
  }
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the server did not listen in time')), startMs)
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /listening on (http:\S+)/.exec(text)
      if (found?.[1] === undefined) return
      clearTimeout(late)
      resolve(found[1])
    })
    child.once('exit', (code) => reject(new Error(`the server exited with ${code} before it listened`)))
  })
}
