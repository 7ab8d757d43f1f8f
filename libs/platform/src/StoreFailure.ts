import { codeOf, isMissing } from "./DurableFiles.ts"
import { ObjectStoreError } from "./ObjectStore.ts"

/** What the file system said, in the store's words. */
export const failed =
  (operation: string, key: string) =>
  (cause: unknown): ObjectStoreError => {
    const code = codeOf(cause)
    const reason = isMissing(cause)
      ? "not_found"
      : code === "EEXIST"
        ? "exists"
        : code === "ENOSPC" || code === "EDQUOT"
          ? "no_space"
          : "io"
    return new ObjectStoreError({ operation, key, reason, cause })
  }
