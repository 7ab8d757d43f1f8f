import * as NodeStream from "@effect/platform-node/NodeStream"
import { Config, Effect, Layer, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { createReadStream } from "node:fs"
import { mkdir, open, readdir, readFile, realpath, rename, rm, stat, unlink, utimes, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import {
  codeOf,
  copyDurably,
  isMissing,
  linkIfAbsent,
  place,
  pruneEmpty,
  sweepTemporaries,
  sync
} from "./DurableFiles.ts"
import { ObjectStore, ObjectStoreError } from "./ObjectStore.ts"
import type { ObjectInfo } from "./ObjectStore.ts"
import { checkKey, checkPrefix, TEMPORARIES } from "./ObjectStoreKey.ts"
import { ownIdentity } from "./ProcessIdentity.ts"
import { failed } from "./StoreFailure.ts"
import { spaceOf } from "./StoreSpace.ts"

/** Bytes that are written between two looks at the space that is left. */
const LOOK_BYTES = 32 * 1024 * 1024
/** What file systems say that cannot or may not give a file another name. */
const UNLINKABLE = ["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP"]
const READ_BYTES = 256 * 1024
/** Files of a folder that are looked at together. */
const LISTED = 64
const DEFAULT_RESERVE = 256 * 1024 * 1024

/**
 * Objects as files under one folder, which several processes (and hosts, over a shared mount) use at once. An object
 * appears by `rename` or `link` of a file that is whole and on the disk; what is being written lies under `.tmp` on the
 * same file system, named after the process that writes it, which is how a later process knows what it may sweep.
 */
const make = Effect.fnUntraced(function* (given: string, reserve: number) {
  const { root, temporaries } = yield* Effect.tryPromise({
    try: async () => {
      await mkdir(join(given, TEMPORARIES), { recursive: true })
      const root = await realpath(given)
      return { root, temporaries: join(root, TEMPORARIES) }
    },
    catch: failed("open", "")
  })

  const pathOf = (key: string) => join(root, key)
  const temporary = () => join(temporaries, `${ownIdentity}-${randomUUID()}`)

  /** Checks the key, then does something with its path. */
  const at = <A>(operation: string, key: string, run: (path: string) => Promise<A>) =>
    checkKey(operation, key).pipe(
      Effect.andThen(Effect.tryPromise({ try: () => run(pathOf(key)), catch: failed(operation, key) }))
    )

  const space = spaceOf(root, reserve)

  const infoOf = (key: string) =>
    stat(pathOf(key)).then(
      (found): ObjectInfo | null =>
        found.isFile()
          ? { key, size: found.size, modifiedMillis: Math.floor(found.mtimeMs), shared: found.nlink > 1 }
          : null,
      (cause) => {
        if (isMissing(cause)) return null
        throw cause
      }
    )
  const head = (key: string) => at("head", key, () => infoOf(key))

  const find = (operation: string, key: string) =>
    at(operation, key, (path) =>
      readFile(path).catch((cause: unknown) => {
        if (isMissing(cause) || codeOf(cause) === "EISDIR") return null
        throw cause
      })
    )

  const found = (operation: string, key: string) =>
    head(key).pipe(
      Effect.flatMap((info) =>
        info === null
          ? Effect.fail(new ObjectStoreError({ operation, key, reason: "not_found" }))
          : Effect.succeed(info)
      )
    )

  /** A file of one's own under `.tmp`, gone afterwards unless it was moved. */
  const withTemporary = <A, E>(operation: string, key: string, use: (path: string) => Effect.Effect<A, E>) =>
    checkKey(operation, key).pipe(
      Effect.andThen(space.expected(operation, key)),
      Effect.andThen(
        Effect.acquireUseRelease(Effect.sync(temporary), use, (path) => Effect.promise(() => rm(path, { force: true })))
      )
    )

  const write = <E>(operation: string, key: string, path: string, bytes: Stream.Stream<Uint8Array, E>) =>
    Effect.acquireUseRelease(
      Effect.tryPromise({ try: () => open(path, "wx"), catch: failed(operation, key) }),
      (file) => {
        let written = 0
        let looked = 0
        return bytes.pipe(
          Stream.runForEach((chunk) =>
            Effect.gen(function* () {
              if (written - looked >= LOOK_BYTES) {
                looked = written
                yield* space.required(operation, key)
              }
              yield* Effect.tryPromise({ try: () => file.writeFile(chunk), catch: failed(operation, key) })
              written += chunk.length
            })
          ),
          Effect.andThen(Effect.tryPromise({ try: () => file.sync(), catch: failed(operation, key) })),
          Effect.map(() => written)
        )
      },
      (file) => Effect.promise(() => file.close())
    )

  /** Folders are small here, and each look at the disk costs more than what it reads: one for a folder, one for each file. */
  async function* walk(prefix: string): AsyncGenerator<ReadonlyArray<ObjectInfo>> {
    const entries = await readdir(pathOf(prefix), { withFileTypes: true }).catch((cause: unknown) => {
      if (isMissing(cause)) return []
      throw cause
    })
    const files = entries.filter((entry) => !entry.isDirectory())
    for (let at = 0; at < files.length; at += LISTED) {
      const found = await Promise.all(files.slice(at, at + LISTED).map(({ name }) => infoOf(prefix + name)))
      yield found.filter((info) => info !== null)
    }
    for (const entry of entries) {
      const key = `${prefix}${entry.name}`
      if (entry.isDirectory() && key !== TEMPORARIES) yield* walk(`${key}/`)
    }
  }

  yield* Effect.tryPromise(() => sweepTemporaries(temporaries)).pipe(
    Effect.tapCause((cause) => Effect.logWarning("sweeping temporaries failed", cause)),
    Effect.ignore,
    Effect.forkScoped
  )

  return ObjectStore.of({
    head: Effect.fn("ObjectStore.head")(head),
    get: (key, range) =>
      found("get", key).pipe(
        Effect.map((info) => {
          const start = range?.start ?? 0
          const end = Math.min(range?.end ?? info.size, info.size)
          return start >= end
            ? Stream.empty
            : NodeStream.fromReadable<Uint8Array, ObjectStoreError>({
                evaluate: () => createReadStream(pathOf(key), { start, end: end - 1, highWaterMark: READ_BYTES }),
                onError: failed("get", key)
              })
        }),
        Stream.unwrap
      ),
    getBytes: Effect.fn("ObjectStore.getBytes")((key: string) =>
      find("getBytes", key).pipe(
        Effect.flatMap((bytes) =>
          bytes === null
            ? Effect.fail(new ObjectStoreError({ operation: "getBytes", key, reason: "not_found" }))
            : Effect.succeed(bytes)
        )
      )
    ),
    find: (key) => find("find", key),
    put: Effect.fn("ObjectStore.put")(<E>(key: string, bytes: Stream.Stream<Uint8Array, E>) =>
      withTemporary("put", key, (path) =>
        write("put", key, path, bytes).pipe(
          Effect.tap(at("put", key, (target) => place(target, () => rename(path, target))))
        )
      )
    ),
    putIfAbsent: Effect.fn("ObjectStore.putIfAbsent")((key, bytes, options) => {
      const durable = options?.durable ?? true
      return checkKey("putIfAbsent", key).pipe(
        Effect.andThen(space.expected("putIfAbsent", key)),
        Effect.andThen(
          // Small, and soon over: what is interrupted has either happened or not.
          Effect.uninterruptible(
            at("putIfAbsent", key, async (target) => {
              const path = temporary()
              try {
                await writeFile(path, bytes, { flag: "wx", flush: durable })
                return await linkIfAbsent(path, target, durable)
              } finally {
                await unlink(path).catch((cause: unknown) => {
                  if (!isMissing(cause)) throw cause
                })
              }
            })
          )
        )
      )
    }),
    putFile: Effect.fn("ObjectStore.putFile")((key: string, file: string) =>
      at("putFile", key, async (target) => {
        await sync(file)
        try {
          await place(target, () => rename(file, target))
          return true
        } catch (cause) {
          if (codeOf(cause) !== "EXDEV") throw cause
          return false
        }
      }).pipe(
        Effect.flatMap((moved) =>
          moved
            ? Effect.void
            : withTemporary("putFile", key, (path) =>
                at("putFile", key, async (target) => {
                  await copyDurably(file, path)
                  await place(target, () => rename(path, target))
                  await unlink(file)
                })
              )
        )
      )
    ),
    link: Effect.fn("ObjectStore.link")((from: string, to: string) =>
      checkKey("link", from).pipe(
        Effect.andThen(
          at("link", to, async (target) => {
            try {
              await linkIfAbsent(pathOf(from), target)
              return "linked"
            } catch (cause) {
              if ((await infoOf(from)) === null) {
                await pruneEmpty(root, dirname(target))
                return "missing"
              }
              if (UNLINKABLE.includes(codeOf(cause))) return "unlinkable"
              throw cause
            }
          })
        ),
        Effect.flatMap((answer) => {
          if (answer === "linked") return Effect.void
          if (answer === "missing") {
            return Effect.fail(new ObjectStoreError({ operation: "link", key: from, reason: "not_found" }))
          }
          return withTemporary("link", to, (path) =>
            at("link", to, async (target) => {
              await copyDurably(pathOf(from), path)
              await linkIfAbsent(path, target)
            })
          )
        })
      )
    ),
    remove: Effect.fn("ObjectStore.remove")((key: string) =>
      at("remove", key, async (path) => {
        await unlink(path).catch((cause: unknown) => {
          if (!isMissing(cause)) throw cause
        })
        await pruneEmpty(root, dirname(path))
      })
    ),
    removeIf: Effect.fn("ObjectStore.removeIf")((key: string, bytes: Uint8Array) =>
      // What is taken out is put back or gone: nobody stops in between.
      Effect.uninterruptible(
        at("removeIf", key, async (path) => {
          const taken = temporary()
          try {
            await rename(path, taken)
            const isIt = Buffer.compare(await readFile(taken), bytes) === 0
            if (!isIt) await linkIfAbsent(taken, path, false)
            return isIt
          } catch (cause) {
            if (isMissing(cause)) return false
            throw cause
          } finally {
            await rm(taken, { force: true })
            await pruneEmpty(root, dirname(path))
          }
        })
      )
    ),
    touch: Effect.fn("ObjectStore.touch")((key: string) =>
      at("touch", key, async (path) => {
        const now = new Date()
        await utimes(path, now, now).catch((cause: unknown) => {
          if (!isMissing(cause)) throw cause
        })
      })
    ),
    removeAll: Effect.fn("ObjectStore.removeAll")((prefix: string) =>
      checkPrefix("removeAll", prefix).pipe(
        Effect.filterOrFail(
          (checked) => checked !== "",
          () => new ObjectStoreError({ operation: "removeAll", key: prefix, reason: "invalid_key" })
        ),
        Effect.andThen(
          Effect.tryPromise({
            try: async () => {
              await rm(pathOf(prefix), { recursive: true, force: true, maxRetries: 5 })
              await pruneEmpty(root, dirname(pathOf(prefix.slice(0, -1))))
            },
            catch: failed("removeAll", prefix)
          })
        )
      )
    ),
    list: (prefix) =>
      checkPrefix("list", prefix).pipe(
        Effect.map(() => Stream.fromAsyncIterable(walk(prefix), failed("list", prefix)).pipe(Stream.flattenIterable)),
        Stream.unwrap
      ),
    fetch: Effect.fn("ObjectStore.fetch")((key: string) => found("fetch", key).pipe(Effect.map(() => pathOf(key)))),
    workspace: Effect.acquireRelease(
      Effect.tryPromise({
        try: async () => {
          const folder = temporary()
          await mkdir(folder)
          return folder
        },
        catch: failed("workspace", "")
      }),
      (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
    ),
    freeBytes: space.free("freeBytes", ""),
    totalBytes: space.total
  })
})

/**
 * The store in the folder REELAY_STORE. A write fails with `no_space` before fewer than REELAY_STORE_RESERVE_BYTES
 * (256 MiB) are free on its file system: Postgres and NATS may live there too.
 */
export const layer = Layer.effect(
  ObjectStore,
  Effect.gen(function* () {
    const root = yield* Config.NonEmptyString("REELAY_STORE")
    const reserve = yield* Config.Int("REELAY_STORE_RESERVE_BYTES").pipe(Config.withDefault(DEFAULT_RESERVE))
    return yield* make(root, reserve)
  })
)
