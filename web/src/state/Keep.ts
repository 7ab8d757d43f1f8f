/** A drawer that may be locked, full or missing: reading answers null, writing answers whether it was kept. */
export interface Keep {
  readonly read: (key: string) => string | null
  readonly write: (key: string, value: string | null) => boolean
}

/**
 * Private windows, blocked cookies and quotas make every touch of a browser's storage able to throw, even naming it:
 * hence the function. What storage refuses lives on in memory for as long as the page does.
 */
export const keepIn = (storage: () => Storage): Keep => {
  const memory = new Map<string, string>()
  return {
    read: (key) => {
      const refused = memory.get(key)
      if (refused !== undefined) return refused
      try {
        return storage().getItem(key)
      } catch {
        return null
      }
    },
    write: (key, value) => {
      try {
        if (value === null) storage().removeItem(key)
        else storage().setItem(key, value)
        memory.delete(key)
        return true
      } catch {
        if (value === null) memory.delete(key)
        else memory.set(key, value)
        return false
      }
    }
  }
}
