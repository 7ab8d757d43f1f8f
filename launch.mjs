#!/usr/bin/env node
/**
 * The one way in: `node launch.mjs <command> [arguments]`, on any Node from 20 on and with nothing installed. It brings
 * what the command needs (cli/launch), saying each thing it does in one line on stderr, then hands over to a Node that
 * runs TypeScript directly. When everything is there it touches no network and starts no npm.
 */
import { spawn } from "node:child_process"
import { delimiter, dirname, join } from "node:path"
import { npmAbove } from "./cli/launch/Ancestor.mjs"
import { runs } from "./cli/launch/ProcessLock.mjs"
import { SetUpError } from "./cli/launch/Say.mjs"
import { setUp } from "./cli/launch/SetUp.mjs"
import { root } from "./cli/launch/Root.mjs"
import { systemFolders } from "./cli/launch/Programs.mjs"

const bin = (path) => join(root, "node_modules", path)
const vitest = [bin("vitest/vitest.mjs"), "run"]

/** Steps of `check`, in the order in which their failures are most telling. */
const checks = [
  ["types", [bin("typescript/bin/tsc"), "--noEmit"]],
  ["types of web", [bin("typescript/bin/tsc"), "--noEmit", "-p", "web"]],
  ["lint", [bin("oxlint/bin/oxlint"), "--deny-warnings"]],
  ["dead code", [bin("knip/bin/knip.js"), "--no-progress"]],
  ["formatting", [bin("oxfmt/bin/oxfmt"), "--check"]]
]

/** Files that are long as a whole, and those that do more when they are told that they may take long. */
const long = [".long.test", "test/Results.test", "Decide.sim.test"]

/** What each command needs beside Node and the packages, and what it runs with Node 24 (`env`: added to the environment). */
const commands = {
  up: { needs: ["media", "web"] },
  export: { needs: ["media", "web"] },
  test: { needs: ["media", "web", "browser"], run: vitest },
  "test:long": { needs: ["media", "web", "browser"], run: [...vitest, ...long], env: { LONG: "1" } },
  coverage: { needs: ["media", "web", "browser"], run: [...vitest, "--coverage"] },
  bench: { needs: ["media", "web"], run: [join(root, "bench/src/main.ts")] },
  check: { needs: [], run: [] },
  format: { needs: [], run: [bin("oxfmt/bin/oxfmt")] },
  migrations: { needs: [], run: [bin("drizzle-kit/bin.cjs"), "generate"], folder: join(root, "libs/platform") }
}

/** `npm run` changes to the repository's root; the paths a person types are relative to where they stand. */
const standing = () =>
  ["start", "stop", "export", "reelay"].includes(process.env.npm_lifecycle_event ?? "")
    ? (process.env.INIT_CWD ?? process.cwd())
    : process.cwd()

/** Runs it to its end with our terminal; the exit code (128 + n for signal n), signals passed on. */
const run = (node, argv, options) =>
  new Promise((resolve) => {
    const child = spawn(node, argv, { stdio: "inherit", ...options })
    const pass = (signal) => child.kill(signal)
    const passed = ["SIGINT", "SIGTERM", "SIGHUP"]
    // From a terminal the whole process group gets SIGINT: the child's second one must then come from the person.
    const passOn = (signal) => (signal === "SIGINT" && process.stdin.isTTY ? undefined : pass(signal))
    for (const signal of passed) process.on(signal, passOn)
    const npm = npmAbove()
    const watch = setInterval(() => {
      if (npm !== null && !runs(npm)) pass("SIGTERM")
    }, 250)
    child.on("error", (error) => {
      console.error(`reelay: ${error.message}`)
      resolve(1)
    })
    child.on("close", (code, signal) => {
      clearInterval(watch)
      for (const each of passed) process.off(each, passOn)
      resolve(code ?? 128 + (signals[signal] ?? 0))
    })
  })
const signals = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 }

const runChecks = async (node, env) => {
  const results = []
  for (const [name, argv] of checks) {
    const start = performance.now()
    console.log(`\n── ${name}`)
    const code = await run(node, argv, { cwd: root, env })
    results.push({ name, ok: code === 0, seconds: ((performance.now() - start) / 1000).toFixed(1) })
  }
  console.log("")
  for (const { name, ok, seconds } of results) console.log(`${ok ? "ok    " : "FAILED"}  ${name} (${seconds} s)`)
  return results.every(({ ok }) => ok) ? 0 : 1
}

const [name = "--help", ...args] = process.argv.slice(2)
const command = Object.hasOwn(commands, name) ? commands[name] : { needs: [] }
const onlyHelp = command.run === undefined && args.some((arg) => arg === "--help" || arg === "-h")

try {
  const { node } = await setUp(onlyHelp ? [] : command.needs)
  const env = {
    ...process.env,
    PATH: [dirname(node), process.env.PATH ?? "", ...systemFolders].join(delimiter),
    REELAY_LAUNCHER: String(process.pid),
    ...command.env
  }
  if (name === "check") process.exitCode = await runChecks(node, env)
  else if (command.run)
    process.exitCode = await run(node, [...command.run, ...args], { cwd: command.folder ?? root, env })
  else {
    // Halves the time until a command does something.
    const cached = { ...env, NODE_COMPILE_CACHE: join(root, ".reelay/toolchain/compile-cache") }
    process.exitCode = await run(node, [join(root, "cli/src/main.ts"), name, ...args], { cwd: standing(), env: cached })
  }
} catch (error) {
  if (!(error instanceof SetUpError)) throw error
  console.error(`reelay: ${error.message}`)
  process.exitCode = 1
}
