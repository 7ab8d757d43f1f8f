import { Effect } from "effect"
import { statfs } from "node:fs/promises"
import { ObjectStoreError } from "./ObjectStore.ts"
import { failed } from "./StoreFailure.ts"

/** How long it holds that there is space for small objects. */
const KNOWN_MILLIS = 100

/** The space on a folder's file system, of which `reserve` bytes are left to others. */
export const spaceOf = (root: string, reserve: number) => {
  /** Bytes, beyond the reserve. */
  const free = (operation: string, key: string) =>
    Effect.tryPromise({
      try: async () => {
        const { bavail, bsize } = await statfs(root)
        return Math.max(0, bavail * bsize - reserve)
      },
      catch: failed(operation, key)
    })
  const required = (operation: string, key: string) =>
    free(operation, key).pipe(
      Effect.filterOrFail(
        (bytes) => bytes > 0,
        () =>
          new ObjectStoreError({
            operation,
            key,
            reason: "no_space",
            cause: new Error(`less than ${reserve} bytes are free`)
          })
      )
    )
  let lookedAt = Number.NEGATIVE_INFINITY
  /**
   * Before each write, but of those that come close together only the first looks: thousands of small ones a second
   * need not each, and large ones look again as they grow.
   */
  const expected = (operation: string, key: string) =>
    Effect.suspend(() => {
      const now = performance.now()
      if (now - lookedAt < KNOWN_MILLIS) return Effect.void
      lookedAt = now
      return required(operation, key).pipe(
        Effect.tapError(() => Effect.sync(() => void (lookedAt = Number.NEGATIVE_INFINITY)))
      )
    })
  /** Bytes, used and free. */
  const total = Effect.tryPromise({
    try: async () => {
      const { blocks, bsize } = await statfs(root)
      return blocks * bsize
    },
    catch: failed("totalBytes", "")
  })
  return { free, required, expected, total }
}
