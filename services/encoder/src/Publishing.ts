import type { Outcome } from "@reelay/contracts/messages/Messages"
import { taskFile } from "@reelay/contracts/ObjectKeys"
import { Digest } from "@reelay/contracts/Ids"
import { familyOf } from "@reelay/contracts/Plan"
import type { Manifest, MadeFile, Plan, Task } from "@reelay/contracts/Plan"
import { missingTogether } from "@reelay/contracts/Warning"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { DateTime, Effect, Schedule } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { basename } from "node:path"
import { pipeline } from "node:stream/promises"
import { EncoderConfig } from "./EncoderConfig.ts"
import { TaskFailure } from "./Failure.ts"
import type { Inputs } from "./Inputs.ts"
import type { Made } from "./Made.ts"
import { Manifests } from "./Manifests.ts"

const READ_BYTES = 1024 * 1024

/** Size and SHA-256 of a local file. */
const measure = (path: string) =>
  Effect.tryPromise({
    try: async (signal) => {
      const hash = createHash("sha256")
      await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), hash, { signal })
      return { bytes: (await stat(path)).size, sha256: Digest.make(hash.digest("hex")) }
    },
    catch: () => new TaskFailure({ kind: "storage", message: "A file could not be read back.", log: "" })
  })

/**
 * Makes a task's files visible: they go into the store under a name that nobody else uses, then the manifest by a
 * conditional put. Who loses it removes its own files and reports the winner's. Whatever ends this in between removes
 * them too, except when nobody can say whether the manifest was written.
 */
export const publish = Effect.fn("Publishing.publish")(function* (input: {
  readonly plan: Plan
  readonly task: Task
  readonly made: ReadonlyArray<Made>
  /** Of what it was made of. */
  readonly inputs: Inputs
  /** Wall-clock seconds of the work. */
  readonly seconds: number
}) {
  const { nodeId } = yield* EncoderConfig
  const store = yield* ObjectStore
  const manifests = yield* Manifests
  const { plan, task } = input
  const { tenant } = plan.spec
  const unique = `${nodeId}-${randomBytes(6).toString("hex")}`
  const ours: Array<string> = []
  let keep = false

  const bring = Effect.fnUntraced(function* (made: Made) {
    const object = taskFile(tenant, task.key, unique, basename(made.path))
    const { bytes, sha256 } = yield* measure(made.path)
    ours.push(object)
    // A move that was let go of would arrive after its removal.
    yield* Effect.uninterruptible(store.putFile(object, made.path))
    const { contentType, duration, frames, height, name, role, width } = made
    const file: MadeFile = { role, object, name, contentType, bytes, sha256, frames, duration, width, height }
    return file
  })
  const removeOurs = Effect.suspend(() =>
    keep
      ? Effect.void
      : Effect.forEach(
          ours,
          (object) =>
            store
              .remove(object)
              .pipe(Effect.retry(Schedule.spaced("200 millis").pipe(Schedule.upTo({ times: 3 }))), Effect.ignore),
          { discard: true }
        )
  )

  return yield* Effect.gen(function* () {
    const files = yield* Effect.forEach(input.made, bring)
    const pieces = [...input.made, ...[...input.inputs.made.values()].map(({ manifest }) => manifest)]
    const missing = missingTogether(pieces.map(({ missingGlyphs = "" }) => missingGlyphs))
    const manifest: Manifest = {
      v: 1,
      key: task.key,
      files,
      family: familyOf(plan, task.work),
      ...(missing === "" ? {} : { missingGlyphs: missing }),
      nodeId,
      seconds: input.seconds,
      madeAt: yield* DateTime.now
    }
    // From the put on, the files may be somebody's: no interruption between it and knowing.
    const put = yield* Effect.uninterruptible(
      manifests
        .put(tenant, manifest)
        .pipe(
          Effect.tap((put) =>
            Effect.sync(() => void (keep = put._tag === "Won" || (put._tag === "Failed" && put.perhaps)))
          )
        )
    )
    const done = (manifest: Manifest, reused: boolean): Outcome => ({ _tag: "Done", manifest, reused })
    switch (put._tag) {
      case "Won":
        return done(manifest, false)
      case "Lost":
        return done(put.manifest, true)
      case "Failed":
        return yield* new TaskFailure({ kind: "storage", message: "The result could not be stored.", log: "" })
    }
  }).pipe(Effect.ensuring(removeOurs))
})
