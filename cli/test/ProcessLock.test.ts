import { assert, it } from "@effect/vitest"
import { execa } from "execa"
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { readLock, runs, startOf, tryLock, unlock } from "../launch/ProcessLock.mjs"

let folder = ""
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "reelay-lock-"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it("a process is itself only with its start time", () => {
  const start = startOf(process.pid)
  assert.isString(start)
  assert.isTrue(runs({ pid: process.pid, start: start ?? "" }))
  assert.isFalse(runs({ pid: process.pid, start: "another life" }))
})

it("a process that ended does not run, even before its parent has looked", async () => {
  const child = execa("sleep", ["60"], { reject: false })
  const start = startOf(child.pid ?? 0)
  assert.isString(start)
  child.kill("SIGKILL")
  await child
  assert.isFalse(runs({ pid: child.pid ?? 0, start: start ?? "" }))
})

it("a lock has one holder, who can be read; unlocking is the holder's alone", () => {
  const path = join(folder, "one")
  assert.isNull(tryLock(path, { url: "u" }))
  const holder = tryLock(path)
  assert.strictEqual(holder?.pid, process.pid)
  assert.strictEqual(readLock(path)?.["url"], "u")
  unlock(path)
  assert.isFalse(existsSync(path))
  writeFileSync(path, JSON.stringify({ pid: 1, start: startOf(1) }))
  unlock(path)
  assert.isTrue(existsSync(path), "not ours")
})

it("a dead holder's lock, and half of one, are taken over", () => {
  for (const stale of [JSON.stringify({ pid: process.pid, start: "another life" }), '{"pid": 1', ""]) {
    const path = join(folder, "stale")
    writeFileSync(path, stale)
    assert.isNull(tryLock(path))
    unlock(path)
  }
})

it("a lock that cannot be read is a failure, and not waited for", () => {
  const path = join(folder, "unreadable")
  mkdirSync(path)
  assert.isNull(readLock(path))
  assert.throws(() => tryLock(path), /EISDIR/)
})

const ROUNDS = 4
const MANY = 10

/** Takes the lock again and again; while it has it, writes its pid twice with a pause between. */
const contender = `
const { tryLock, unlock } = await import(process.argv[1])
const { appendFileSync } = await import("node:fs")
const [path, log] = process.argv.slice(2)
for (let done = 0; done < ${ROUNDS};) {
  if (tryLock(path) !== null) { await new Promise((r) => setTimeout(r, Math.random())); continue }
  appendFileSync(log, process.pid + "\\n")
  await new Promise((r) => setTimeout(r, 2))
  appendFileSync(log, process.pid + "\\n")
  done++
  // In the end it just dies with it, as after a kill -9, and several see that at once.
  if (done === ${ROUNDS}) process.kill(process.pid, "SIGKILL")
  unlock(path)
}
`

// Whether two meet is chance: of these five, with a lock that let them, one in three failed.
for (const run of [1, 2, 3, 4, 5]) {
  it(`of many that want it at once, and die with it, never two have it (${run})`, async () => {
    const [path, log] = [join(folder, `many${run}`), join(folder, `log${run}`)]
    appendFileSync(log, "")
    const module = new URL("../launch/ProcessLock.mjs", import.meta.url).href
    const contend = () =>
      execa(process.execPath, ["--input-type=module", "-e", contender, module, path, log], { reject: false })
    const ended = await Promise.all(Array.from({ length: MANY }, contend))
    for (const each of ended) assert.strictEqual(each.signal, "SIGKILL", String(each.stderr))
    const pids = readFileSync(log, "utf8").trim().split("\n")
    assert.strictEqual(pids.length, MANY * ROUNDS * 2)
    for (let i = 0; i < pids.length; i += 2) assert.strictEqual(pids[i], pids[i + 1], `two at once at line ${i}`)
  })
}
