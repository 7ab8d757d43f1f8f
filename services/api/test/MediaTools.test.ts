import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { openInfra } from "@reelay/platform/testing/Infra"
import { bubblewrapWorks, processesIn } from "@reelay/platform/testing/RunningProcesses"
import { ConfigProvider, Effect, Fiber, Layer, Logger, Result } from "effect"
import { execa } from "execa"
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Ingest } from "../src/ingest/Ingest.ts"
import { MediaTools, type Run } from "../src/ingest/MediaTools.ts"
import { until } from "./Answers.ts"
import { TinyClips } from "./TinyClips.ts"

const MiB = 1024 * 1024
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

// Everything holds with and without bubblewrap; where it does not work there is nothing to test with it.
const modes = bubblewrapWorks ? (["off", "require"] as const) : (["off"] as const)

describe("media tools that are up to no good", () => {
  let clips: TinyClips
  let media: string
  beforeAll(async () => {
    clips = await TinyClips.make()
    // A confined program sees the folder that it lies in.
    await mkdir(clips.path("tools"))
    media = await clips.plain("a.mp4", { seconds: 0.4 })
  })
  afterAll(() => clips.remove())

  /** A stand-in for ffprobe. Asked for its version it answers, as what tries the sandbox expects. */
  const standIn = async (name: string, script: string): Promise<string> => {
    const path = clips.path(join("tools", name))
    await writeFile(path, `#!/bin/sh\n[ "$1" = -version ] && exit 0\n${script}\n`, { mode: 0o755 })
    return path
  }
  /** Goes on, under a name by which it is found. */
  const forever = () => `exec /usr/bin/env tail -n 0 -f ${media}`
  /** A folder with only those programs, for a PATH. */
  const onlyWith = async (name: string, programs: ReadonlyArray<string>): Promise<string> => {
    const folder = clips.path(name)
    await mkdir(folder)
    for (const program of programs) {
      const { stdout } = await execa("which", [program])
      await symlink(stdout, join(folder, program))
    }
    return folder
  }
  const toolsWith = (env: Readonly<Record<string, string>>, said: Array<string> = []) =>
    MediaTools.layer.pipe(
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))),
      Layer.provide(Logger.layer([Logger.make(({ message }) => void said.push(String(message)))]))
    )
  const probe = (run: Partial<Run> = {}) =>
    MediaTools.use((tools) =>
      tools.ffprobe({ argv: [media], reads: [media], folder: null, timeoutSeconds: 20, ...run })
    )
  const refusedBy = (env: Readonly<Record<string, string>>) =>
    Effect.runPromise(
      Ingest.use((ingest) => ingest.examine(media)).pipe(
        Effect.flip,
        Effect.provide(Ingest.layer.pipe(Layer.provide(toolsWith(env))))
      )
    )
  const toNothing = () => until("nothing to run", async () => processesIn(clips.folder).length === 0)

  for (const sandbox of modes) {
    describe(`sandbox ${sandbox}`, () => {
      it("one that takes memory without end is stopped by the limit", async () => {
        const tool = await standIn("hungry", "exec tail /dev/zero")
        const env = {
          REELAY_SANDBOX: sandbox,
          REELAY_FFPROBE: tool,
          REELAY_INGEST_MEMORY_BYTES: String(200 * MiB)
        }
        const error = await Effect.runPromise(Effect.flip(probe()).pipe(Effect.provide(toolsWith(env))))
        assert.strictEqual(error.reason, "memory", error.stderr)
        const refused = await refusedBy(env)
        assert.strictEqual(refused._tag, "UnsupportedMedia")
        assert.match(refused.detail ?? "", /memory/)
      })

      it("one that the machine killed, for want of memory as a rule, says nothing of the file", async () => {
        const env = { REELAY_SANDBOX: sandbox, REELAY_FFPROBE: await standIn("victim", "kill -KILL $$") }
        const error = await Effect.runPromise(Effect.flip(probe()).pipe(Effect.provide(toolsWith(env))))
        assert.strictEqual(error.reason, "killed", error.stderr)
        assert.strictEqual((await refusedBy(env))._tag, "Unavailable")
      })

      it("one that hangs, and does not hear SIGTERM, is stopped", async () => {
        const tool = await standIn("deaf", `trap "" TERM\nwhile true; do sleep 0.1; done`)
        const tools = toolsWith({ REELAY_SANDBOX: sandbox, REELAY_FFPROBE: tool })
        const error = await Effect.runPromise(Effect.flip(probe({ timeoutSeconds: 0.5 })).pipe(Effect.provide(tools)))
        assert.strictEqual(error.reason, "timeout")
        await toNothing()
      })

      it("an upload that is broken off takes its tool with it", async () => {
        const tool = await standIn("slow", `echo began\n${forever()}`)
        await Effect.runPromise(
          Effect.gen(function* () {
            let began = false
            const fiber = yield* Effect.forkChild(probe({ onText: () => (began = true) }))
            yield* Effect.promise(() => until("it to run", async () => began))
            assert.isNotEmpty(processesIn(clips.folder))
            yield* Fiber.interrupt(fiber)
          }).pipe(Effect.provide(toolsWith({ REELAY_SANDBOX: sandbox, REELAY_FFPROBE: tool })))
        )
        await toNothing()
      })
    })
  }

  it("one that says more of a file than anybody should have to keep is not listened to", async () => {
    const tool = await standIn(
      "chatty",
      `echo '{"streams": ['\nhead -c 16777216 /dev/zero | tr "\\0" " "\n${forever()}`
    )
    const refused = await refusedBy({ REELAY_FFPROBE: tool, REELAY_SANDBOX: "off" })
    assert.strictEqual(refused._tag, "UnsupportedMedia")
    assert.match(refused.detail ?? "", /too much/)
    await toNothing()
  })

  it("one whose words cannot be taken in ends with an error, and the api goes on", async () => {
    const tool = await standIn("talker", "while echo more; do :; done")
    const onText = () => {
      throw new RangeError("Invalid string length")
    }
    const tools = toolsWith({ REELAY_FFPROBE: tool, REELAY_SANDBOX: "off" })
    const error = await Effect.runPromise(Effect.flip(probe({ onText })).pipe(Effect.provide(tools)))
    assert.deepInclude(error, { reason: "unread", stderr: "RangeError: Invalid string length" })
    await toNothing()
  })

  it("one that is not there is not the file's fault", async () => {
    const tools = toolsWith({ REELAY_FFPROBE: "/nowhere/ffprobe", REELAY_SANDBOX: "off" })
    const error = await Effect.runPromise(Effect.flip(probe()).pipe(Effect.provide(tools)))
    assert.strictEqual(error.reason, "missing")
  })

  it("without bubblewrap files are read all the same, and that is said once", async () => {
    const folder = await onlyWith("programs", ["ffprobe", "ffmpeg", "setpriv", "prlimit", "true"])
    const before = process.env["PATH"]
    process.env["PATH"] = folder
    const said: Array<string> = []
    try {
      const examined = await Effect.runPromise(
        Ingest.use((ingest) => Effect.andThen(ingest.examine(media), ingest.examine(media))).pipe(
          Effect.provide(Ingest.layer.pipe(Layer.provide(toolsWith({}, said)))),
          Effect.result
        )
      )
      assert.isTrue(Result.isSuccess(examined))
    } finally {
      process.env["PATH"] = before
    }
    assert.lengthOf(
      said.filter((line) => line.includes("without a sandbox")),
      1,
      said.join("\n")
    )
  })

  /** A whole api, killed with -9 while the stand-in for ffprobe is at work on an upload. */
  const killedWhileReading = async (env: Readonly<Record<string, string>>) => {
    const infra = await openInfra()
    const port = await freePort()
    const api = execa(process.execPath, [main], {
      env: { ...infra.environment("api"), REELAY_PORT: String(port), ...env },
      stdio: "ignore",
      reject: false
    })
    const url = `http://127.0.0.1:${port}`
    try {
      await until("the api", () =>
        fetch(`${url}/health/live`).then(
          ({ ok }) => ok,
          () => false
        )
      )
      const body = await readFile(media)
      const send = () =>
        fetch(`${url}/api/videos?name=a.mp4`, { method: "POST", body }).then(
          ({ status }) => status,
          () => "broken off"
        )
      let answer = send()
      await until("its ffprobe", async () => {
        if (processesIn(clips.folder).length > 0) return true
        // An api that has just started may say that it cannot yet.
        const early = await Promise.race([answer, Promise.resolve(null)])
        if (early !== null) answer = send()
        return false
      })
      api.kill("SIGKILL")
      await api
      assert.strictEqual(await answer, "broken off")
    } finally {
      api.kill("SIGKILL")
      await infra.close()
    }
  }

  for (const sandbox of modes) {
    it(`the api killed with -9 while it reads a file leaves no ffprobe behind, sandbox ${sandbox}`, async () => {
      await killedWhileReading({
        REELAY_SANDBOX: sandbox,
        REELAY_FFPROBE: await standIn("sleeper", forever())
      })
      await toNothing()
    })
  }

  it("where the kernel ends no children with their parent, the next to start does", async () => {
    await killedWhileReading({
      PATH: await onlyWith("loose", ["prlimit", "true", "env", "tail"]),
      REELAY_FFPROBE: await standIn("orphan", forever())
    })
    await Effect.runPromise(Effect.provide(Effect.void, toolsWith({})))
    await toNothing()
  })

  if (!bubblewrapWorks) return
  it("confined, a tool sees its input and nothing else, and no network", async () => {
    const secret = clips.path("secret")
    await writeFile(secret, "hunter2")
    const called: Array<string> = []
    const server = createServer((socket) => {
      called.push("called")
      socket.end()
    })
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resolve(typeof address === "object" && address !== null ? address.port : 0)
      })
    )
    const tool = await standIn(
      "curious",
      [
        `head -c 8 ${media} | tail -c 4`,
        `cat ${secret} 2>&1`,
        `echo x > ${media}`,
        `echo home: $(ls ${clips.folder} | tr "\\n" " ") etc: $(ls /etc/passwd 2>&1)`,
        `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port} && echo reached' 2>&1`,
        `echo interfaces: $(tail -n +3 /proc/net/dev | cut -d: -f1)`
      ].join("\n")
    )
    let told = ""
    try {
      await Effect.runPromise(
        probe({ onText: (text) => (told += text) }).pipe(
          Effect.provide(toolsWith({ REELAY_SANDBOX: "require", REELAY_FFPROBE: tool }))
        )
      )
    } finally {
      server.close()
    }
    assert.match(told, /^ftyp/)
    assert.notInclude(told, "hunter2")
    assert.notInclude(told, "reached")
    assert.isEmpty(called)
    assert.match(told, /interfaces: lo$/m)
    assert.match(told, /etc: .*No such file/)
    assert.strictEqual((await readFile(media)).subarray(4, 8).toString(), "ftyp")
  })
})
