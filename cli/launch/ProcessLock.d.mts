/** One process, for ever: a pid alone belongs to somebody else sooner or later. */
export interface ProcessIdentity {
  readonly pid: number
  readonly start: string
}
export declare const startOf: (pid: number) => string | null
export declare const runs: (identity: ProcessIdentity) => boolean
export declare const readLock: (path: string) => (ProcessIdentity & Readonly<Record<string, unknown>>) | null
export declare const tryLock: (
  path: string,
  note?: Readonly<Record<string, unknown>>
) => (ProcessIdentity & Readonly<Record<string, unknown>>) | null
export declare const renoteLock: (path: string, note: Readonly<Record<string, unknown>>) => void
export declare const unlock: (path: string) => void
