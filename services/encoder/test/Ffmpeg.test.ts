import { assert, describe, it } from "@effect/vitest"
import { Ffmpeg, type FfmpegRun } from "@reelay/encoder/Ffmpeg"
import { verdictOf } from "@reelay/encoder/Failure"
import { bubblewrapWorks, processesIn, programOf } from "@reelay/platform/testing/RunningProcesses"
import { RUN } from "@reelay/render/Safety"
import { Deferred, Effect, Fiber, Schedule } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { encodeArgv, ffmpegWith, temporary } from "./support/Harness.ts"

/** An encode that goes on for minutes, at real speed. */
const endless = (folder: string) => encodeArgv(join(folder, "out.mp4"), { frames: 100_000, realTime: true })
const tiny = (folder: string, frames: number) => encodeArgv(join(folder, "out.mp4"), { frames })

const reach = (folder: string) => ({ reads: [], folder, devices: false })
const request = (folder: string, argv: ReadonlyArray<string>, more: Partial<FfmpegRun> = {}): FfmpegRun => ({
  argv,
  reach: reach(folder),
  limitSeconds: 60,
  ...more
})

const ffmpegIn = (folder: string) => processesIn(folder).filter((pid) => programOf(pid).endsWith("/ffmpeg"))

// Everything holds with and without bubblewrap; where it does not work there is nothing to test with it.
const modes = bubblewrapWorks ? (["off", "require"] as const) : (["off"] as const)
for (const sandbox of modes) {
  describe(`Ffmpeg, sandbox ${sandbox}`, () => {
    it.live("runs to the end and counts frames", () =>
      Effect.gen(function* () {
        const folder = yield* temporary
        const seen: Array<number> = []
        const ffmpeg = yield* Ffmpeg
        const ended = yield* ffmpeg.run(
          request(folder, tiny(folder, 40), { onProgress: (p) => void seen.push(p.frames) })
        )
        assert.deepStrictEqual([ended.exitCode, ended.signal, ended.stopped, ended.frames], [0, null, null, 40])
        assert.strictEqual(seen.at(-1), 40)
        const probe = yield* ffmpeg.ask(
          "ffprobe",
          [
            "-v",
            "error",
            "-count_packets",
            "-show_entries",
            "stream=nb_read_packets",
            "-of",
            "csv=p=0",
            join(folder, "out.mp4")
          ],
          reach(folder),
          20
        )
        assert.strictEqual(probe.stdout.trim(), "40")
      }).pipe(Effect.provide(ffmpegWith({ sandbox })))
    )

    it.live("interrupted: nothing is left running", () =>
      Effect.gen(function* () {
        const folder = yield* temporary
        const began = yield* Deferred.make<void>()
        const ffmpeg = yield* Ffmpeg
        const fiber = yield* Effect.forkChild(
          ffmpeg.run(request(folder, endless(folder), { onProgress: () => Deferred.doneUnsafe(began, Effect.void) }))
        )
        yield* Deferred.await(began)
        assert.isNotEmpty(ffmpegIn(folder))
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(processesIn(folder), [])
      }).pipe(Effect.provide(ffmpegWith({ sandbox })))
    )

    it.live("a stopped ffmpeg is taken for hung", () =>
      Effect.gen(function* () {
        const folder = yield* temporary
        const began = yield* Deferred.make<void>()
        const ffmpeg = yield* Ffmpeg
        const fiber = yield* Effect.forkChild(
          ffmpeg.run(
            request(folder, endless(folder), {
              onProgress: (p) => p.frames > 0 && Deferred.doneUnsafe(began, Effect.void)
            })
          )
        )
        yield* Deferred.await(began)
        for (const pid of ffmpegIn(folder)) process.kill(pid, "SIGSTOP")
        const ended = yield* Fiber.join(fiber)
        assert.strictEqual(ended.stopped, "stalled")
        assert.deepStrictEqual(processesIn(folder), [])
        const verdict = verdictOf({ ...ended, family: "software", reads: "source" })
        assert.strictEqual(verdict._tag === "Failed" && verdict.kind, "timeout")
      }).pipe(Effect.provide(ffmpegWith({ sandbox, stallSeconds: 2 })))
    )

    it.live("has a time limit", () =>
      Effect.gen(function* () {
        const folder = yield* temporary
        const ended = yield* (yield* Ffmpeg).run(request(folder, endless(folder), { limitSeconds: 0.5 }))
        assert.strictEqual(ended.stopped, "overdue")
        assert.deepStrictEqual(processesIn(folder), [])
      }).pipe(Effect.provide(ffmpegWith({ sandbox })))
    )

    it.live("sees a file that may not grow", () =>
      Effect.gen(function* () {
        const folder = yield* temporary
        const ended = yield* (yield* Ffmpeg).run(request(folder, tiny(folder, 500), { limits: { fileBytes: 20_000 } }))
        assert.notStrictEqual(ended.exitCode, 0)
        const verdict = verdictOf({ ...ended, family: "software", reads: "source" })
        assert.strictEqual(verdict._tag === "Failed" && verdict.kind, "resource", ended.stderr)
      }).pipe(Effect.provide(ffmpegWith({ sandbox })))
    )

    it.live("says what is wrong with its input", () =>
      Effect.gen(function* () {
        const folder = yield* temporary
        execFileSync("sh", ["-c", "printf 'this is a text\\n' > text.mp4"], { cwd: folder })
        const ended = yield* (yield* Ffmpeg).run(
          request(folder, [...RUN, "-i", join(folder, "text.mp4"), "-f", "null", "-"])
        )
        const verdict = verdictOf({ ...ended, family: "software", reads: "source" })
        assert.deepStrictEqual([ended.exitCode, verdict._tag === "Failed" && verdict.kind], [1, "input"])
      }).pipe(Effect.provide(ffmpegWith({ sandbox })))
    )
  })
}

describe("a full disk", () => {
  it.live("is a want of resources", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const argv = [...tiny(folder, 100).slice(0, -1), "-f", "mpegts", "/dev/full"]
      const ended = yield* (yield* Ffmpeg).run(request(folder, argv))
      const verdict = verdictOf({ ...ended, family: "software", reads: "source" })
      assert.deepStrictEqual(verdict, {
        _tag: "Failed",
        kind: "resource",
        message: "The encoder node ran out of disk space."
      })
    }).pipe(Effect.provide(ffmpegWith({})))
  )
})

describe("the sandbox", () => {
  it.live("is asked for where it cannot be: the encoder does not start", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.provide(Ffmpeg, ffmpegWith({ sandbox: "require", ffmpeg: "/nowhere/ffmpeg" }))
      )
      assert.strictEqual(error._tag, "SandboxUnavailable")
    })
  )

  if (!bubblewrapWorks) return
  it.live("lets ffmpeg see its inputs and its folder, and nothing else", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const elsewhere = yield* temporary
      const ffmpeg = yield* Ffmpeg
      yield* ffmpeg.run(request(elsewhere, tiny(elsewhere, 5)))
      const secret = join(elsewhere, "out.mp4")
      const copy = [...RUN, "-i", secret, "-c", "copy", "-y", join(folder, "copy.mp4")]
      const refused = yield* ffmpeg.run(request(folder, copy))
      assert.match(refused.stderr, /No such file or directory/)
      const allowed = yield* ffmpeg.run({
        ...request(folder, copy),
        reach: { reads: [secret], folder, devices: false }
      })
      assert.strictEqual(allowed.exitCode, 0, allowed.stderr)
      const written = yield* ffmpeg.run({
        ...request(folder, [...RUN, "-i", join(folder, "copy.mp4"), "-c", "copy", "-y", secret]),
        reach: { reads: [secret], folder, devices: false }
      })
      assert.match(written.stderr, /Read-only file system|Permission denied/)
      const network = yield* ffmpeg.run(request(folder, [...RUN, "-i", "tcp://127.0.0.1:1", "-f", "null", "-"]))
      assert.match(network.stderr, /Network is unreachable|Connection refused/)
    }).pipe(Effect.provide(ffmpegWith({ sandbox: "require" })))
  )
})

describe("after kill -9 of the encoder", () => {
  it.live("ffmpeg goes with it", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const encoder = yield* startInChild(folder)
      const children = ffmpegIn(folder)
      assert.isNotEmpty(children)
      process.kill(encoder, "SIGKILL")
      yield* Effect.sync(() => processesIn(folder)).pipe(
        Effect.flatMap((left) => (left.length === 0 ? Effect.void : Effect.fail(left))),
        Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ times: 250 })))
      )
    })
  )
})

/** An encoder of its own, in its own process, in the middle of an encode: its process id. */
const startInChild = (folder: string) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess, Error>((resume) => {
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL("./support/RunFfmpeg.ts", import.meta.url)), folder],
        {
          stdio: ["ignore", "pipe", "inherit"]
        }
      )
      child.stdout.once("data", () => resume(Effect.succeed(child)))
      child.once("error", (error) => resume(Effect.fail(error)))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  ).pipe(Effect.map((child) => child.pid ?? 0))
