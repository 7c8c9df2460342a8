/**
 * ItemStore: items under (partition, sort), the metadata store. One item is the unit of atomicity.
 * Every right-hand side and every condition of an update reads the *old* item. Integers are bigints (signed, 38 digits).
 * A failed condition is a result, not an error. Errors: `throttled` or `unavailable`, effect `none` when the store
 * refused, `unknown` when the outcome of a write is not known. An item is at most 400 KB.
 * Implementations pass items.case.ts. Source of the model: DynamoDB's UpdateItem.
 */
export type ItemValue = string | bigint | boolean | Uint8Array | readonly ItemValue[] | { readonly [name: string]: ItemValue }
export type Attributes = Readonly<Record<string, ItemValue>>

export interface ItemKey {
  readonly partition: string
  readonly sort: string
}

export interface Item {
  readonly key: ItemKey
  readonly attributes: Attributes
}

/** A top-level attribute name, or `attribute.field` for one level inside a map. */
export type Path = string

export type Condition =
  | { readonly is: 'equal'; readonly path: Path; readonly value: ItemValue }
  | { readonly is: 'less'; readonly path: Path; readonly value: string | bigint }
  | { readonly is: 'exists'; readonly path: Path }
  | { readonly is: 'absent'; readonly path: Path }
  /** The list at `path` has (`contains`) or lacks (`lacks`) this element. */
  | { readonly is: 'contains' | 'lacks'; readonly path: Path; readonly value: Uint8Array | string }
  /** The list at `path` has fewer than `value` elements. */
  | { readonly is: 'shorter'; readonly path: Path; readonly value: bigint }
  | { readonly is: 'and' | 'or'; readonly all: readonly Condition[] }

export type SetAction =
  | { readonly value: ItemValue }
  /** Old value of attribute `plus` (which must exist) plus `by`. */
  | { readonly plus: string; readonly by: bigint }
  /** Set only where the attribute is absent. */
  | { readonly ifAbsent: ItemValue }
  /** Append to the list attribute itself (which must exist). */
  | { readonly append: readonly ItemValue[] }

export interface Update {
  readonly key: ItemKey
  /** By top-level attribute name. An attribute is named once, here or in `remove`; a leading removal and an append of one list do not meet in one update. */
  readonly set?: Readonly<Record<string, SetAction>>
  readonly remove?: readonly string[]
  /** Removes the first `count` elements of a list attribute. */
  readonly removeLeading?: { readonly list: string; readonly count: number }
  readonly condition?: Condition
}

/**
 * `done`: the item as it is after · refused: the item as it was, absent if there was none. `ambiguous`: an earlier attempt of the
 * same call has no known outcome (the retry decorator sets it), so it may have happened, or may happen yet.
 */
export type UpdateResult =
  | { readonly done: true; readonly item: Item }
  | { readonly done: false; readonly item: Item | undefined; readonly ambiguous?: boolean }

export type TransactAction =
  | { readonly create: Item }
  | { readonly update: Update }
  | { readonly delete: ItemKey; readonly condition?: Condition }
  | { readonly check: ItemKey; readonly condition: Condition }

/** `failed` = index of the first action whose condition did not hold. */
export type TransactResult = { readonly done: true } | { readonly done: false; readonly failed: number }

export interface ItemQuery {
  readonly partition: string
  /** Sort keys in [from, to), as text. */
  readonly from?: string
  readonly to?: string
  /** At most 1,000. */
  readonly limit: number
  readonly reverse?: boolean
  /** `eventual` may return an older state of each item; default `strong`. */
  readonly consistency?: Consistency
}

export type Consistency = 'strong' | 'eventual'

export interface ItemStore {
  get(key: ItemKey, consistency?: Consistency): Promise<Item | undefined>
  /** In sort order (descending with `reverse`), at most `limit` items: fewer only when there are no more. */
  query(query: ItemQuery): Promise<readonly Item[]>
  /** Puts the item if its key is absent. */
  create(item: Item): Promise<UpdateResult>
  /** Never creates: without an item it is refused. */
  update(update: Update): Promise<UpdateResult>
  /** Deletes if the condition holds; an absent item without condition is `done`. */
  delete(key: ItemKey, condition?: Condition): Promise<{ readonly done: boolean; readonly item: Item | undefined }>
  /** All or nothing, 1 to 100 actions on different items. For DDL and births only: it costs twice. */
  transact(actions: readonly TransactAction[]): Promise<TransactResult>
}
