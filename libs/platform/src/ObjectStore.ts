import { Context, Schema } from "effect"
import type { Effect, Scope, Stream } from "effect"

/**
 * Bytes under names. One interface for a directory and (later) S3: services never learn which it is, but for
 * `fetch`, which costs nothing where the store is a local directory.
 */
export class ObjectStoreError extends Schema.TaggedError<ObjectStoreError>()("ObjectStoreError", {
  operation: Schema.String,
  key: Schema.String,
  reason: Schema.Literals(["not_found", "exists", "no_space", "invalid_key", "io"]),
  cause: Schema.optionalKey(Schema.Defect())
}) {}

export interface ObjectInfo {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly modifiedMillis: number
  /** The same bytes have another name in the store: to remove this one frees nothing. */
  readonly shared: boolean
}

/** Inclusive start, exclusive end, in bytes. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export class ObjectStore extends Context.Service<
  ObjectStore,
  {
    /** Null when there is no such object. */
    head(key: string): Effect.Effect<ObjectInfo | null, ObjectStoreError>
    get(key: string, range?: ByteRange): Stream.Stream<Uint8Array, ObjectStoreError>
    /** For small objects: plans, manifests, indexes. */
    getBytes(key: string): Effect.Effect<Uint8Array, ObjectStoreError>
    /** The same; null when there is no such object. */
    find(key: string): Effect.Effect<Uint8Array | null, ObjectStoreError>
    /** Visible only when whole; replaces. Returns the bytes written. */
    put<E>(key: string, bytes: Stream.Stream<Uint8Array, E>): Effect.Effect<number, ObjectStoreError | E>
    /**
     * Conditional put: false (and nothing changed) when the key exists already. `durable` unless told otherwise: it
     * outlives a power cut. One that need not may be gone or cut short after it, so its reader must be able to tell;
     * nobody sees it half-written while the machine lives.
     */
    putIfAbsent(
      key: string,
      bytes: Uint8Array,
      options?: { readonly durable?: boolean }
    ): Effect.Effect<boolean, ObjectStoreError>
    /** Moves a finished local file in, whole or not at all; replaces. A rename where the file is on the store's file system. */
    putFile(key: string, path: string): Effect.Effect<void, ObjectStoreError>
    /** The same bytes under another name, durably: a hard link, or a copy in the store. Does nothing when `to` exists. */
    link(from: string, to: string): Effect.Effect<void, ObjectStoreError>
    remove(key: string): Effect.Effect<void, ObjectStoreError>
    /** Only while it is these bytes; else another's object, put there meanwhile, stays, and the answer is false. For small objects. */
    removeIf(key: string, bytes: Uint8Array): Effect.Effect<boolean, ObjectStoreError>
    /** Its `modifiedMillis` becomes now: it was of use. Nothing where it is not. */
    touch(key: string): Effect.Effect<void, ObjectStoreError>
    /** Every object whose key starts with `prefix` (which ends in `/`). */
    removeAll(prefix: string): Effect.Effect<void, ObjectStoreError>
    list(prefix: string): Stream.Stream<ObjectInfo, ObjectStoreError>
    /** The object as a local file, for as long as the scope lives. Read only. */
    fetch(key: string): Effect.Effect<string, ObjectStoreError, Scope.Scope>
    /** A folder of one's own on the store's file system where there is one, emptied and removed with the scope. */
    readonly workspace: Effect.Effect<string, ObjectStoreError, Scope.Scope>
    /** Bytes that can still be written; null where that has no answer. */
    readonly freeBytes: Effect.Effect<number | null, ObjectStoreError>
    /** Bytes that it could hold if it were empty; null where that has no answer. */
    readonly totalBytes: Effect.Effect<number | null, ObjectStoreError>
  }
>()("@reelay/platform/ObjectStore") {}
