import { assert, it } from "@effect/vitest"
import { execa } from "execa"
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { afterEach, beforeEach } from "vitest"
import { runs, startOf } from "../launch/ProcessLock.mjs"

/** A checkout of nothing but the launcher, an npm that only notes how it was called, and a CLI that says how it was. */
let checkout = ""
const repository = resolve(import.meta.dirname, "..", "..")

const executable = (path: string, text: string) => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text, { mode: 0o755 })
}

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "reelay-launch-"))
  chmodSync(checkout, 0o755)
  cpSync(join(repository, "launch.mjs"), join(checkout, "launch.mjs"))
  cpSync(join(repository, "cli", "launch"), join(checkout, "cli", "launch"), { recursive: true })
  writeFileSync(join(checkout, "package-lock.json"), '{"packages":{"":{}}}')
  mkdirSync(join(checkout, "cli", "src"))
  writeFileSync(
    join(checkout, "cli", "src", "main.ts"),
    `const said: string = JSON.stringify({ argv: process.argv.slice(2), cwd: process.cwd(), path: process.env.PATH })
     if (process.argv.includes("--wait")) {
       process.on("SIGTERM", () => process.exit(9))
       setInterval(() => {}, 1000)
     }
     process.stdout.write(said + "\\n")
     if (process.argv.includes("--code")) process.exit(7)`
  )
  executable(
    join(checkout, "bin", "npm"),
    `#!/bin/sh\necho "$@" >> "${checkout}/npm-calls"\nsleep 0.2\nmkdir -p node_modules\n`
  )
})
afterEach(() => rmSync(checkout, { recursive: true, force: true }))

const launch = (args: ReadonlyArray<string>, env: Record<string, string> = {}, cwd = checkout) =>
  execa(process.execPath, [join(checkout, "launch.mjs"), ...args], {
    cwd,
    env: { PATH: `${join(checkout, "bin")}:/usr/bin:/bin`, HOME: checkout, ...env },
    extendEnv: false,
    stdin: "ignore",
    reject: false
  })

const npmCalls = () =>
  existsSync(join(checkout, "npm-calls")) ? readFileSync(join(checkout, "npm-calls"), "utf8").trim().split("\n") : []

it("installs the packages once, whatever npmrc says, and then only looks", async () => {
  const first = await launch(["nodes", "--json"])
  assert.strictEqual(first.exitCode, 0, first.stderr)
  assert.include(first.stderr, "npm ci")
  const second = await launch(["nodes"])
  assert.strictEqual(second.stderr, "", "nothing to do, nothing to say")
  assert.strictEqual(npmCalls().length, 1)
  for (const flag of ["ci", "--ignore-scripts", "--include=dev", "--global=false", "--dry-run=false"]) {
    assert.include(npmCalls()[0]?.split(" ") ?? [], flag)
  }
  writeFileSync(join(checkout, "package-lock.json"), '{"packages":{"":{"name":"changed"}}}')
  await launch(["nodes"])
  assert.strictEqual(npmCalls().length, 2, "another lock file is another installation")
})

it("believes packages that somebody installed by hand, if they are those of the lock file", async () => {
  const entry = (version: string) => ({ "node_modules/a": { version, integrity: "sha512-x" } })
  const optional = { "node_modules/b": { version: "1.0.0", integrity: "sha512-y", optional: true } }
  writeFileSync(
    join(checkout, "package-lock.json"),
    JSON.stringify({ packages: { "": {}, ...entry("1.0.0"), ...optional } })
  )
  mkdirSync(join(checkout, "node_modules"))
  const note = join(checkout, "node_modules", ".package-lock.json")
  writeFileSync(note, JSON.stringify({ packages: entry("1.0.0") }))
  await launch(["nodes"])
  assert.deepStrictEqual(npmCalls(), [])
  rmSync(join(checkout, "node_modules", ".reelay-stamp"))
  writeFileSync(note, JSON.stringify({ packages: entry("1.0.1") }))
  await launch(["nodes"])
  assert.strictEqual(npmCalls().length, 1)
})

it("several at once install once", async () => {
  const all = await Promise.all([launch(["nodes"]), launch(["nodes"]), launch(["nodes"])])
  assert.deepStrictEqual(
    all.map(({ exitCode }) => exitCode),
    [0, 0, 0]
  )
  assert.strictEqual(npmCalls().length, 1)
})

it("ends what a killed set-up was still doing before it does it again", async () => {
  const step = execa("sleep", ["300"], { detached: true, reject: false })
  const pid = step.pid ?? 0
  const start = startOf(pid) ?? ""
  mkdirSync(join(checkout, ".reelay", "toolchain"), { recursive: true })
  const dead = { pid, start: "another life", step: { pid, start } }
  writeFileSync(join(checkout, ".reelay", "toolchain", "lock"), JSON.stringify(dead))
  const launched = await launch(["nodes"])
  assert.strictEqual(launched.exitCode, 0, launched.stderr)
  await step
  assert.isFalse(runs({ pid, start }))
  assert.isFalse(existsSync(join(checkout, ".reelay", "toolchain", "lock")))
})

it("hands over arguments, exit code and a Node that runs TypeScript, first in PATH", async () => {
  await launch(["nodes"])
  const { exitCode, stdout } = await launch(["exports", "--code", "a b", "-o", "x"])
  assert.strictEqual(exitCode, 7)
  const said = JSON.parse(stdout)
  assert.deepStrictEqual(said.argv, ["exports", "--code", "a b", "-o", "x"])
  assert.strictEqual(said.path.split(":")[0], dirname(process.execPath))
})

it("paths are relative to where the person stands, also through npm run", async () => {
  await launch(["nodes"])
  const elsewhere = mkdtempSync(join(tmpdir(), "reelay-elsewhere-"))
  const direct = await launch(["nodes"], {}, elsewhere)
  const throughNpm = await launch(["export", "--help"], { npm_lifecycle_event: "export", INIT_CWD: elsewhere })
  const inATest = await launch(["export", "--help"], { npm_lifecycle_event: "test", INIT_CWD: elsewhere })
  assert.strictEqual(JSON.parse(direct.stdout).cwd, elsewhere)
  assert.strictEqual(JSON.parse(throughNpm.stdout).cwd, elsewhere)
  assert.strictEqual(JSON.parse(inATest.stdout).cwd, checkout)
  rmSync(elsewhere, { recursive: true })
})

it("passes signals on and ends as the command does", async () => {
  await launch(["nodes"])
  const waiting = launch(["nodes", "--wait"])
  waiting.stdout.once("data", () => waiting.kill("SIGTERM"))
  assert.strictEqual((await waiting).exitCode, 9)
})

it("where it may not install, it says the exact command", async () => {
  executable(join(checkout, "bin", "apt-get"), "#!/bin/sh\nexit 0\n")
  executable(join(checkout, "bin", "sudo"), "#!/bin/sh\nexit 1\n")
  const asking = `
    const { install } = await import(${JSON.stringify(join(repository, "cli/launch/Programs.mjs"))})
    if (process.getuid() === 0) process.setuid(65534)
    await install([{ apt: ["ffmpeg"], brew: ["ffmpeg"] }, { apt: ["nats-server"], brew: ["nats-server"] }])
      .catch((error) => { console.error(error.message); process.exitCode = 3 })`
  const asked = await execa(process.execPath, ["--input-type=module", "-e", asking], {
    env: { PATH: join(checkout, "bin") },
    extendEnv: false,
    reject: false
  })
  assert.strictEqual(asked.exitCode, 3)
  assert.include(asked.stderr, "sudo apt-get update && sudo apt-get install -y ffmpeg nats-server")
})
