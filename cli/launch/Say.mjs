import { spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { toolchain } from "./Root.mjs"

/** Set-up can't go on, and the message says what a person can do about it. */
export class SetUpError extends Error {}

/** On stderr: stdout belongs to the command (`--json`). */
export const say = (line) => process.stderr.write(`reelay: ${line}\n`)

/**
 * Told of each step's process (pid), and of none (null) when it has ended: whoever ends or succeeds us must be able to
 * end it, too.
 */
let onStep = () => {}
export const watchSteps = (listener) => {
  onStep = listener
}

/**
 * Runs one step of set-up, its output in a log file: one line for the person before, the end of the log when it fails.
 * Without stdin, so that nothing ever waits for an answer. A step is in a process group of its own and may be killed at
 * any moment, except one with `finish`: a package manager of the system does harm when it stops half-way.
 */
export const step = async (what, [program, ...argv], { finish = false, ...options } = {}) => {
  say(`${what} …`)
  mkdirSync(toolchain, { recursive: true })
  const log = join(toolchain, "set-up.log")
  const output = openSync(log, "w")
  const code = await new Promise((resolve) => {
    const child = spawn(program, argv, { ...options, detached: !finish, stdio: ["ignore", output, output] })
    if (child.pid !== undefined && !finish) onStep(child.pid)
    child.on("error", (error) => resolve(error.message))
    child.on("close", (status, signal) => resolve(status ?? signal))
  })
  onStep(null)
  closeSync(output)
  if (code === 0) return
  const end = readFileSync(log, "utf8").trimEnd().split("\n").slice(-15).join("\n")
  throw new SetUpError(`that failed (${code}): ${[program, ...argv].join(" ")}\n${end}`)
}
