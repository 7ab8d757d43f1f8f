import { assert, describe, it } from "@effect/vitest"
import { startPostgres, stopPostgres } from "@reelay/platform/embedded/Postgres"
import { usablePrograms } from "@reelay/platform/embedded/PostgresPrograms"
import type { Account } from "@reelay/platform/embedded/PostgresPrograms"
import { startOf } from "@reelay/platform/ProcessIdentity"
import { Effect } from "effect"
import { execa } from "execa"
import { chmod, lstat, mkdir, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises"
import { once } from "node:events"
import { createServer } from "node:net"
import { join } from "node:path"
import postgres from "postgres"
import { openFolder } from "./OwnPostgres.ts"

const query = <A>(url: string, run: (sql: postgres.Sql) => Promise<A>) =>
  Effect.promise(async () => {
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    try {
      return await run(sql)
    } finally {
      await sql.end()
    }
  })

const isAlive = (pid: number) => startOf(pid) !== null

const server = Effect.gen(function* () {
  const folder = yield* openFolder
  const dataDirectory = join(folder, "data")
  yield* Effect.addFinalizer(() => Effect.ignore(stopPostgres(dataDirectory)))
  const start = (port = 0) => startPostgres({ dataDirectory, port, durable: false })
  return { folder, dataDirectory, start }
})

describe("embedded Postgres", () => {
  it.live("starts on nothing, keeps what was committed through a stop and through kill -9", () =>
    Effect.gen(function* () {
      const { start, folder, dataDirectory } = yield* server
      // What a first start that was killed half way had made.
      yield* Effect.promise(() => mkdir(join(folder, "data.making-half", "base"), { recursive: true }))
      const first = yield* start()
      assert.sameMembers(yield* Effect.promise(() => readdir(folder)), ["data", "data.log"])
      yield* query(first.url, (sql) => sql`create table kept (n int)`)
      yield* first.stop
      yield* first.exited
      assert.isFalse(isAlive(first.pid))

      const second = yield* start(first.port)
      assert.strictEqual(second.url, first.url)
      yield* query(second.url, (sql) => sql`insert into kept values (1)`)
      yield* second.kill
      assert.include(yield* Effect.promise(() => readdir(dataDirectory)), "postmaster.pid")

      const third = yield* start(first.port)
      assert.deepStrictEqual([...(yield* query(third.url, (sql) => sql`select n from kept`))], [{ n: 1 }])
    })
  )

  it.live("stops a server that its dead starter left on the same data", () =>
    Effect.gen(function* () {
      const { start, dataDirectory } = yield* server
      const program = `
        import { startPostgres } from "@reelay/platform/embedded/Postgres"
        import { Effect } from "effect"
        const { pid } = await Effect.runPromise(startPostgres({ dataDirectory: process.argv[1], port: 0, durable: false }))
        console.log(pid)
        setInterval(() => {}, 1000)`
      const starter = execa(process.execPath, ["--input-type=module", "-e", program, dataDirectory], {
        cwd: import.meta.dirname,
        reject: false
      })
      const left = Number(
        yield* Effect.promise(() =>
          starter
            .iterable()
            .next()
            .then(({ value }) => value)
        )
      )
      starter.kill("SIGKILL")
      yield* Effect.promise(() => starter)
      assert.isTrue(isAlive(left))
      const second = yield* start()
      assert.isFalse(isAlive(left))
      yield* query(second.url, (sql) => sql`select 1`)
      yield* stopPostgres(dataDirectory)
      yield* second.exited
      // Nothing runs: nothing to do.
      yield* stopPostgres(dataDirectory)
    })
  )

  it.live("is not fooled by a process number that is another's by now", () =>
    Effect.gen(function* () {
      const { start, dataDirectory } = yield* server
      const first = yield* start()
      yield* first.kill
      const file = join(dataDirectory, "postmaster.pid")
      const written = yield* Effect.promise(() => readFile(file, "utf8"))
      // Ours: it lives, and is no Postgres.
      yield* Effect.promise(() => writeFile(file, written.replace(/^\d+/, String(process.pid))))
      const second = yield* start()
      yield* query(second.url, (sql) => sql`select 1`)
    })
  )

  it.live("wants its password, listens on loopback only, has no socket in a shared folder, and says why it fails", () =>
    Effect.gen(function* () {
      const { start, dataDirectory } = yield* server
      const { url, port, stop } = yield* start()
      const wrong = new URL(url)
      wrong.password = "guess"
      const refused = yield* Effect.promise(() =>
        postgres(wrong.href, { max: 1 })`select 1`.then(
          () => "let in",
          (error: Error) => error.message
        )
      )
      assert.include(refused, "password authentication failed")
      const [settings] = yield* query(
        url,
        (sql) =>
          sql`select current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as sockets,
          current_setting('server_encoding') as encoding`
      )
      assert.deepInclude(settings, { addresses: "127.0.0.1", sockets: "", encoding: "UTF8" })
      const { mode } = yield* Effect.promise(() => stat(join(dataDirectory, "reelay.password")))
      assert.strictEqual(mode & 0o077, 0)

      yield* stop
      const squatter = createServer()
      yield* Effect.promise(() => once(squatter.listen(port, "127.0.0.1"), "listening"))
      yield* Effect.addFinalizer(() => Effect.sync(() => squatter.close()))
      assert.include((yield* Effect.flip(start(port))).message, "could not bind")
    })
  )

  it.live("runs where its user may not go: elsewhere, linked, and says so", () =>
    Effect.gen(function* () {
      const folder = yield* openFolder
      const home = join(folder, "home")
      yield* Effect.promise(async () => {
        await mkdir(home)
        await chmod(home, 0o700)
      })
      const dataDirectory = join(home, ".reelay", "postgres")
      const notes: Array<string> = []
      const options = { dataDirectory, port: 0, durable: false, note: (line: string) => notes.push(line) }
      const first = yield* startPostgres(options)
      const place = yield* Effect.promise(() => realpath(dataDirectory))
      yield* Effect.addFinalizer(() => Effect.promise(() => rm(place, { recursive: true, force: true })))
      yield* query(first.url, (sql) => sql`create table kept (n int)`)
      yield* first.stop
      const second = yield* startPostgres(options)
      yield* query(second.url, (sql) => sql`select n from kept`)
      yield* second.stop
      const linked = yield* Effect.promise(() => lstat(dataDirectory).then((found) => found.isSymbolicLink()))
      // Only root runs it as another user, who may then be shut out.
      assert.strictEqual(linked, process.getuid?.() === 0)
      assert.strictEqual(
        notes.some((line) => line.includes(home) && line.includes(place)),
        linked
      )
    })
  )

  it.live("has programs that its user can run, wherever npm put them and without npm's scripts", () =>
    Effect.gen(function* () {
      const folder = yield* openFolder
      const root = join(folder, "closed", "package")
      yield* Effect.promise(async () => {
        await mkdir(join(root, "native", "bin"), { recursive: true })
        await mkdir(join(root, "native", "lib"))
        await writeFile(join(root, "native", "bin", "postgres"), "#!", { mode: 0o700 })
        await writeFile(join(root, "native", "lib", "libx.so.1.2"), "x", { mode: 0o600 })
        const links = [{ source: "native/lib/libx.so.1.2", target: "native/lib/libx.so.1" }]
        await writeFile(join(root, "native", "pg-symlinks.json"), JSON.stringify(links))
      })
      const notes: Array<string> = []
      const programsFor = (account: Account | null) =>
        Effect.promise(() =>
          usablePrograms({
            root,
            version: "1",
            account,
            base: join(folder, "base"),
            note: (line) => notes.push(line)
          })
        )
      const { uid, gid } = yield* Effect.promise(() => stat(root))
      const stranger = { uid: uid + 7, gid: gid + 7 }

      // Ourselves: where they are, with the links that npm's script would have made.
      assert.strictEqual(yield* programsFor(null), join(root, "native"))
      assert.strictEqual(yield* Effect.promise(() => readFile(join(root, "native", "lib", "libx.so.1"), "utf8")), "x")
      assert.strictEqual(yield* programsFor({ uid, gid }), join(root, "native"))
      assert.deepStrictEqual(notes, [])

      // A stranger may not run the program, then not even enter its folder.
      const copy = yield* programsFor(stranger)
      assert.isTrue(copy.startsWith(join(folder, "base")))
      assert.include(notes[0], join(root, "native", "bin", "postgres"))
      yield* Effect.promise(async () => {
        for (const file of ["bin/postgres", "lib/libx.so.1"]) {
          const { mode } = await stat(join(copy, file))
          assert.strictEqual(mode & 0o004, 0o004, file)
        }
        await rm(join(folder, "base"), { recursive: true })
        await chmod(join(folder, "closed"), 0o700)
      })
      assert.strictEqual(yield* programsFor(stranger), copy)
      assert.include(notes[1], `${join(folder, "closed")} is closed`)
      // Made once.
      yield* programsFor(stranger)
      assert.strictEqual(notes.length, 2)
    })
  )
})
