/** Hunts every planted bug in a process of its own: each must be found within its stated number of seeds. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { PlantedBug } from './plant.ts'

export async function huntAll(bugs: readonly PlantedBug[]): Promise<number> {
  let missed = 0
  for (const bug of bugs) {
    const { found, text } = hunt(bug)
    if (!found) missed++
    process.stdout.write(`${found ? 'found ' : 'MISSED'} ${bug.id.padEnd(5)} ${text} · ${bug.what}\n`)
  }
  process.stdout.write(`${bugs.length - missed} of ${bugs.length} planted bugs found\n`)
  return missed === 0 ? 0 : 1
}

export function hunt(bug: PlantedBug): { readonly found: boolean; readonly text: string } {
  const began = performance.now()
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))
  const args = [main, '--planted', bug.id, '--scenario', bug.scenario, '--seeds', String(bug.seedsMax), '--quiet']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const seconds = ((performance.now() - began) / 1_000).toFixed(1)
  const [first = ''] = stdout.split('\n')
  const found = status === 1 && /^seed \d+ of scenario/.test(first)
  const said = found
    ? first
    : status === 0
      ? `not within ${bug.seedsMax} seeds of ${bug.scenario}`
      : `exit ${status}: ${stderr.trim().split('\n').slice(-8).join(' | ')}`
  return { found, text: `${said}, ${seconds} s` }
}
