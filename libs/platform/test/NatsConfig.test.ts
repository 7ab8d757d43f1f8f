import { assert, describe, it } from "@effect/vitest"
import { ROLES } from "@reelay/contracts/messages/Topology"
import { natsVersion, startNats } from "@reelay/platform/embedded/Nats"
import { canSyncAlways, natsConfigText } from "@reelay/platform/NatsConfig"
import { Effect } from "effect"
import { execa } from "execa"
import fc from "fast-check"
import { connect } from "nats"
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PASSWORDS } from "./BusLab.ts"

const COMMAND = "nats-server"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "reelay nats "))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const running = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("nats-server.conf", () => {
  it("asks for a sync of every message from those that can", () => {
    const text = (version: string) => natsConfigText({ version, port: 1, storeDirectory: "/x", passwords: PASSWORDS })
    for (const version of ["2.9.10", "2.10.26", "2.11.99", "1.99.0"])
      assert.notInclude(text(version), "sync_interval", version)
    for (const version of ["2.12.0", "v2.12.4", "2.14.1", "3.0.0", "10.0.0"])
      assert.include(text(version), "sync_interval: always", version)
  })

  it("limits its log, and has old ones removed by those that can", () => {
    const text = (version: string, logFile?: string) =>
      natsConfigText({ version, port: 1, storeDirectory: "/x", passwords: PASSWORDS, ...(logFile && { logFile }) })
    assert.notInclude(text("2.10.0"), "logfile")
    assert.include(text("2.9.10", "/log"), "logfile_size_limit: 8388608")
    assert.notInclude(text("2.9.10", "/log"), "logfile_max_num")
    assert.include(text("2.10.0", "/log"), "logfile_max_num: 2")
  })

  it("decides by the version alone, as one more makes no difference", () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(40), fc.nat(40), (major, minor, patch) => {
        assert.strictEqual(canSyncAlways(`${major}.${minor}.${patch}`), major > 2 || (major === 2 && minor >= 12))
      })
    )
  })

  it("listens on loopback, and knows one user a role", () => {
    const text = natsConfigText({ version: "2.9.10", port: 4222, storeDirectory: "/x", passwords: PASSWORDS })
    assert.include(text, `host: "127.0.0.1"`)
    for (const role of ROLES) {
      assert.include(text, `user: "${role}"`)
      assert.include(text, PASSWORDS[role])
    }
  })

  it.live("is understood by this machine's server, whatever the passwords and folders", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const version = yield* natsVersion()
      const file = join(directory, "nats-server.conf")
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 }), async (password) => {
            const passwords = { ...PASSWORDS, api: password }
            const storeDirectory = join(directory, `a "quoted" # folder`)
            const logFile = join(directory, "nats-server.log")
            await writeFile(file, natsConfigText({ version, port: 4222, storeDirectory, logFile, passwords }))
            const check = await execa(COMMAND, ["-c", file, "-t"], { reject: false, all: true })
            assert.strictEqual(check.exitCode, 0, check.all)
          }),
          { numRuns: 15 }
        )
      )
    })
  )
})

describe("an embedded nats-server", () => {
  it.live("starts on a free port, keeps its secrets to itself, and stops when told", () =>
    Effect.gen(function* () {
      const dataDirectory = yield* folder
      const passwords = { ...PASSWORDS, api: `a "quoted" \\ # $pass {word}` }
      const server = yield* startNats({ dataDirectory, port: 0, passwords })
      assert.isTrue(running(server.pid))
      const { mode } = yield* Effect.promise(() => stat(join(dataDirectory, "nats-server.conf")))
      assert.strictEqual(mode & 0o777, 0o600)
      const environment = server.environment("api")
      const nc = yield* Effect.promise(() =>
        connect({
          servers: environment["REELAY_NATS_URL"] ?? "",
          user: environment["REELAY_NATS_USER"] ?? "",
          pass: environment["REELAY_NATS_PASSWORD"] ?? ""
        })
      )
      assert.strictEqual(nc.info?.version, server.version)
      yield* Effect.promise(() => nc.close())
      yield* server.stop
      assert.isFalse(running(server.pid))
      assert.deepStrictEqual(yield* server.exited, { code: 1, signal: null })
    })
  )

  it.live("keeps a few of its old logs only", () =>
    Effect.gen(function* () {
      const dataDirectory = yield* folder
      const old = [17, 9, 10, 11].map(
        (hour) => `nats-server.log.2026.11.20.${String(hour).padStart(2, "0")}.00.00.000000001`
      )
      yield* Effect.promise(() => Promise.all(old.map((name) => writeFile(join(dataDirectory, name), "old"))))
      const server = yield* startNats({ dataDirectory, port: 0, passwords: PASSWORDS })
      yield* server.stop
      const left = yield* Effect.promise(() => readdir(dataDirectory))
      assert.sameMembers(
        left.filter((name) => name.startsWith("nats-server.log.")),
        old.filter((name) => /20\.(11|17)\./.test(name))
      )
    })
  )

  it.live("says why it does not start", () =>
    Effect.gen(function* () {
      const dataDirectory = yield* folder
      const missing = yield* startNats({
        dataDirectory,
        port: 0,
        passwords: PASSWORDS,
        command: "no-such-nats-server"
      }).pipe(Effect.flip)
      assert.strictEqual(missing.reason, "missing")
      const taken = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((socket) => socket.destroy())
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const address = taken.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const busy = yield* startNats({ dataDirectory, port, passwords: PASSWORDS }).pipe(Effect.flip)
      assert.strictEqual(busy.reason, "start")
      assert.include(busy.detail, String(port))
    })
  )

  it.live("keeps what it has through a hard kill", () =>
    Effect.gen(function* () {
      const dataDirectory = yield* folder
      const first = yield* startNats({ dataDirectory, port: 0, passwords: PASSWORDS })
      yield* first.kill
      assert.strictEqual((yield* first.exited).signal, "SIGKILL")
      const second = yield* startNats({ dataDirectory, port: first.port, passwords: PASSWORDS, detached: true })
      assert.strictEqual(second.port, first.port)
      assert.include(
        yield* Effect.promise(() => readFile(join(dataDirectory, "nats-server.log"), "utf8")),
        "Server is ready"
      )
      yield* second.kill
    })
  )
})
