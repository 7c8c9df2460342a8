/** Our layout of keys over a table's own folder: `lake/<tableId>/data/…` is `data/…` there. */
import { assert } from '../../kernel/assert.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { lakeFolder } from '../layout.ts'

export function layoutAt(store: ObjectStore, tableId: string): ObjectStore {
  const folder = `${lakeFolder(tableId)}/`
  const below = (key: string): string => {
    assert(key.startsWith(folder), 'an object of a lake is in its folder', { key })
    return key.slice(folder.length)
  }
  return {
    create: (key, bytes) => store.create(below(key), bytes),
    read: (key, range) => store.read(below(key), range),
    delete: (keys) => store.delete(keys.map(below)),
    list: (prefix) => store.list(below(prefix)),
    uri: (key) => store.uri(below(key)),
    replace: (key, bytes) => store.replace(below(key), bytes),
  }
}
