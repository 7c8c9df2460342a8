/** The rules of .dependency-cruiser.mjs can fail: each planted import breaks the one that is named. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cruise, type ICruiseOptions, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser'
import { expect, test } from 'vitest'

const planted: readonly (readonly [file: string, source: string, rule: string])[] = [
  ['core/kernel/a.ts', "import type { T } from '../ports/t.ts'", 'core-level-kernel'],
  ['core/ports/b.ts', "import type { T } from '../model/t.ts'", 'core-level-ports-model'],
  ['core/lake/c.ts', "import { t } from '../log/t.ts'", 'core-level-jobs-catalog-access-lake'],
  ['core/catalog/d.ts', "export { t } from '../jobs/t.ts'", 'core-level-jobs-catalog-access-lake'],
  ['core/log/e.ts', "import { t } from '../../contract/t.ts'", 'core-knows-no-contract'],
  ['core/tier/f.ts', "import { readFileSync } from 'node:fs'", 'core-uses-pure-node-modules-only'],
  ['core/format/json/g.ts', "import { crc32 } from 'node:zlib'", 'no-node-api-where-a-browser-runs'],
  ['contract/h.ts', "import { t } from '../core/log/t.ts'", 'contract-imports-kernel-and-model'],
  ['stores/i.ts', "const t = await import('../functions/t.ts')", 'layer-stores'],
  ['functions/j.ts', "import { t } from '../serve/t.ts'", 'layer-functions'],
  ['functions/k.ts', "import { S3Client } from '@aws-sdk/client-s3'", 'only-stores-import-the-aws-sdk'],
  ['serve/l.ts', "import { t } from '../core/log/t.case.ts'", 'nothing-imports-tests'],
  ['core/log/m.ts', "import type { n } from './n.ts'", 'no-cycles'],
]
const targets = ['core/ports', 'core/model', 'core/log', 'core/jobs', 'contract', 'functions', 'serve'].map(
  (room) => `${room}/t.ts`,
)

test('each planted import is refused by the rule that guards it', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-layers-'))
  try {
    for (const target of [...targets, 'core/log/t.case.ts']) put(folder, target, 'export type T = 1\nexport const t = 1\n')
    put(folder, 'core/log/n.ts', "import './m.ts'\nexport const n = 1\n")
    for (const [file, source] of planted) put(folder, file, `${source}\n`)
    const broken = await violations(folder)
    for (const [file, , rule] of planted) expect(broken).toContain(`${rule}: ${file}`)
    expect(broken.filter((each) => targets.some((target) => each.endsWith(target)))).toEqual([])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

async function violations(baseDir: string): Promise<readonly string[]> {
  const file = new URL('../../.dependency-cruiser.mjs', import.meta.url).href
  const rules = (await import(file)) as { default: { forbidden: IForbiddenRuleType[]; options: ICruiseOptions } }
  const { forbidden, options } = rules.default
  const result = await cruise(['core', 'contract', 'functions', 'serve', 'stores'], {
    ...options,
    baseDir,
    ruleSet: { forbidden },
    validate: true,
  })
  return (result.output as ICruiseResult).summary.violations.map((each) => `${each.rule.name}: ${each.from}`)
}

function put(folder: string, file: string, source: string): void {
  mkdirSync(path.join(folder, path.dirname(file)), { recursive: true })
  writeFileSync(path.join(folder, file), source)
}
