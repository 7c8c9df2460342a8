/**
 * What every ItemStore does, and what it refuses as DynamoDB refuses it. `make` gives a store for one case, possibly over
 * one shared server: each case keeps to a partition of its own. A skip must name its reason.
 */
import { test } from 'vitest'
import { conditionCases } from './item-cases/conditions.case.ts'
import { queryCases } from './item-cases/queries.case.ts'
import type { Story } from './item-cases/story.case.ts'
import { updateCases } from './item-cases/updates.case.ts'
import { valueCases } from './item-cases/values.case.ts'
import type { ItemStore } from './items.ts'

export interface OpenedItems {
  readonly items: ItemStore
  readonly close?: () => Promise<void>
}

let partitions = 0

export function itemStoreCases(name: string, make: () => Promise<OpenedItems>): void {
  const story: Story = (title, run, timeoutMs = 20_000) => {
    test(title, { timeout: timeoutMs }, async () => {
      const opened = await make()
      try {
        await run(opened.items, `case ${++partitions}`)
      } finally {
        await opened.close?.()
      }
    })
  }

  valueCases(name, story)
  updateCases(name, story)
  conditionCases(name, story)
  queryCases(name, story)
}
