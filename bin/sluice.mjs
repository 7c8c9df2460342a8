#!/usr/bin/env node
// Starts the pinned Node on the command, so that the host's own version does not matter; passes signals and the exit status on.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { nodeFlags } from './node-flags.mjs'

const node = createRequire(import.meta.url).resolve('node/bin/node')
const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url))
const child = spawn(node, [...nodeFlags, main, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, SLUICE_LAUNCHER_PID: String(process.pid) },
})
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
// the shell that npm puts between passes no signals on: when it is gone, stop too
const parent = process.ppid
if (process.env.npm_lifecycle_event !== undefined)
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 1_000).unref()
child.on('error', (error) => {
  console.error(`cannot start the pinned Node (${error.message}): run npm ci`)
  process.exit(1)
})
child.on('exit', (code, signal) => (signal === null ? process.exit(code ?? 1) : process.exit(128 + 15)))
