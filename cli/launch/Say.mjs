import { spawn } from "node:child_process"
import { createWriteStream, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { toolchain } from "./Root.mjs"

/** Set-up can't go on, and the message says what a person can do about it. */
export class SetUpError extends Error {}

/** On stderr: stdout belongs to the command (`--json`). */
export const say = (line) => process.stderr.write(`reelay: ${line}\n`)

/** The step that runs now, for whoever has to end it. */
export const running = new Set()

/**
 * Runs one step of set-up, its output in a log file: one line for the person before, the end of the log when it fails.
 * Without stdin, so that nothing ever waits for an answer.
 */
export const step = async (what, [program, ...argv], options = {}) => {
  say(`${what} …`)
  mkdirSync(toolchain, { recursive: true })
  const log = join(toolchain, "set-up.log")
  const output = createWriteStream(log)
  await new Promise((resolve) => output.once("open", resolve))
  const code = await new Promise((resolve) => {
    const child = spawn(program, argv, { ...options, stdio: ["ignore", output.fd, output.fd] })
    child.on("error", (error) => resolve(error.message))
    child.on("close", (status, signal) => resolve(status ?? signal))
    running.add(child)
    child.on("close", () => running.delete(child))
  })
  output.close()
  if (code === 0) return
  const end = readFileSync(log, "utf8").trimEnd().split("\n").slice(-15).join("\n")
  throw new SetUpError(`that failed (${code}): ${[program, ...argv].join(" ")}\n${end}`)
}
